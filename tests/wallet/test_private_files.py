"""Files that hold secrets are read if nobody else can read them, and never written over."""

import os
from pathlib import Path

import pytest

from ctrip.wallet.private_files import SIZE_MAX, read_private, write_private
from ctrip.wallet.words import Fault

SECRET = b"canary of a file"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_bytes(SECRET)
    return file


def read(file: Path) -> bytes:
    found = read_private(file)
    assert not isinstance(found, Fault), found
    return bytes(found)


def refusal(file: Path) -> str:
    found = read_private(file)
    assert isinstance(found, Fault)
    assert found.text.startswith(f"{file}: ")
    assert "canary" not in found.text
    return found.text.removeprefix(f"{file}: ")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_that_its_owner_alone_can_read_is_read(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert read(file) == SECRET


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_a_file_that_others_have_anything_to_do_with_is_refused_with_the_remedy(
    file: Path, bit: int
) -> None:
    file.chmod(0o600 | bit)
    told = refusal(file)
    assert told.endswith(f"run: chmod 600 {file}")
    file.chmod(0o600)
    assert read(file) == SECRET


def test_a_link_is_refused_wherever_it_leads(file: Path, tmp_path: Path) -> None:
    for target in (file, tmp_path / "nothing"):
        link = tmp_path / f"link to {target.name}"
        link.symlink_to(target)
        assert "is a link" in refusal(link)


def test_what_is_no_file_of_a_size_is_refused(tmp_path: Path, file: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    folder = tmp_path / "folder"
    folder.mkdir(0o700)
    assert "is no regular file" in refusal(pipe)
    assert "is no regular file" in refusal(Path("/dev/zero"))
    assert "is a folder" in refusal(folder)
    assert "No such file" in refusal(tmp_path / "nothing")
    file.write_bytes(b"")
    assert refusal(file) == "is empty"
    file.write_bytes(bytes(SIZE_MAX + 1))
    assert "too large" in refusal(file)


def test_a_new_file_is_its_owners_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert write_private(tmp_path / "new", SECRET) is None
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path / "new") == SECRET


def test_no_file_is_written_over_and_no_link_followed(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for place in (file, link):
        fault = write_private(place, b"new")
        assert fault
        assert "is there already" in fault.text
    assert file.read_bytes() == SECRET
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    fault = write_private(tmp_path / "no folder" / "new", SECRET)
    assert fault
    assert "cannot be made (No such file or directory)" in fault.text
