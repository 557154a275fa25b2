"""A real disk of a megabyte, where the machine lets us mount one."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

DISK_SIZE: Final = 2**20  # bytes
PAGE: Final = 4_096  # bytes


class Disk:
    """A disk, and what fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def space_of(self, pid: int) -> Path:
        """Return a folder that belongs to a process's user."""
        owner = Path(f"/proc/{pid}").stat()
        space = self.folder / "space"
        space.mkdir()
        os.chown(space, owner.st_uid, owner.st_gid)
        return space

    def fill(self) -> None:
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted() -> Iterator[Path]:
    """Mount a disk that is too small."""
    folder = tempfile.mkdtemp(prefix="ctrip-test-")
    try:
        subprocess.run(  # noqa: S603  the words are ours
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", folder],  # noqa: S607  where it is differs
            check=True,
            capture_output=True,
        )
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)  # noqa: S603, S607  as above
    finally:
        Path(folder).rmdir()


def may_mount() -> bool:
    try:
        with mounted():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
