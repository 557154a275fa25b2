"""Where a cluster lives: whose it is, and where its socket goes."""

import os
import stat
from pathlib import Path

import pytest

from ctrip.dev import pgdata
from ctrip.dev.child import Account, CannotStart

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.mark.parametrize(
    ("place", "fits"),
    [
        ("/home/shop/ctrip/.ctrip/postgres/data", True),
        ("/" + "a" * (103 - len("//.s.PGSQL.5432")), True),
        ("/" + "a" * (104 - len("//.s.PGSQL.5432")), False),
        ("/home/my shop", False),
        ("/a,b", False),
        ("/é", False),
        ("/it's", False),
    ],
)
def test_a_socket_goes_where_its_path_is_short_and_plain(place: str, *, fits: bool) -> None:
    assert pgdata.is_sayable(Path(place)) == fits


def test_a_short_folder_is_private_and_goes_away_again(folder: Path) -> None:
    data = folder / ("long" * 40)
    with pgdata.socket_folder(data, None) as sockets:
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        with pgdata.socket_folder(data, None) as again:
            assert again == sockets
    assert not sockets.exists()


@AS_ROOT
def test_a_short_folder_that_somebody_else_made_is_not_trusted(folder: Path) -> None:
    data = folder / ("long" * 40)
    with (
        pgdata.socket_folder(data, Account(65534, 65534)),
        pytest.raises(CannotStart, match="belongs to another user"),
        pgdata.socket_folder(data, None),
    ):
        pytest.fail("a stranger's folder was taken")


@AS_ROOT
def test_root_hands_the_data_to_nobody_or_to_whom_it_belongs(folder: Path) -> None:
    data = folder / "data"
    account = pgdata.account_for(data)
    assert account
    assert account.uid != 0
    data.mkdir()
    os.chown(data, 4321, 1234)
    assert pgdata.account_for(data) == Account(4321, 1234)


@AS_ROOT
def test_closed_folders_are_opened_for_passing_and_not_for_looking(folder: Path) -> None:
    inner = folder / "inner"
    install = folder / "install"
    programs = install / "bin"
    for path in (inner, install, programs):
        path.mkdir(mode=0o700)
    (programs / "postgres").touch(mode=0o700)
    (install / "postgres.bki").touch(mode=0o600)
    pgdata.let_in(programs, inner)
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (folder, inner, programs / "postgres", install / "postgres.bki")
    ]
    assert modes == [0o701, 0o701, 0o755, 0o644]
