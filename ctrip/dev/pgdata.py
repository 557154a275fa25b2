"""The folder that a development Postgres lives in: whose it is and what is in it.

    lock    held while the cluster runs, so that two ctrips never share one
    data    the databases; moved into place when complete, so never half made
    log     what the server has said since it was last started

Postgres refuses to be root: where ctrip is, Postgres runs as `nobody`, who owns the data
and is let through the folders on the way (o+x).
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ctrip.dev import child
from ctrip.dev.child import Account, CannotStart

MAJOR: Final = "18"
USER: Final = "postgres"  # inside the cluster, whoever runs it
PORT: Final = 5432  # only part of the socket's name
SOCKET_PATH_BYTES_MAX: Final = 103  # what macOS takes; Linux takes 107
SOCKET_PATH: Final = re.compile(r"[\w./-]+", re.ASCII)  # needs no quoting in a URL or a setting


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it when this process ends, however it ends."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"the database in {folder} is in use by process {lock.read().strip()}: "
                "stop that ctrip, or choose another folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def account_for(data: Path) -> Account | None:
    """Return whom Postgres must run as, or None for ourselves."""
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise CannotStart(
                f"{data} belongs to another user: run ctrip as that user, or delete {data.parent}"
            )
        return None
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "Postgres refuses to be root and there is no user `nobody`: run ctrip as a normal user"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def let_in(programs: Path, folder: Path) -> None:
    """Let the other account reach the data, and reach and read the programs."""
    install = programs.parent
    if not programs.stat().st_mode & stat.S_IROTH:  # installed under a strict umask
        for path in (install, *install.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
    for path in (*programs.parents, folder, *folder.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(mode | stat.S_IXOTH)


def initialise(folder: Path, programs: Path, account: Account | None) -> None:
    """Make an empty cluster with the same order of text on every machine."""
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account:
        os.chown(fresh, account.uid, account.gid)
    child.run(
        [
            programs / "initdb",
            *("--pgdata", str(fresh), "--username", USER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ],
        account=account,
    )
    fresh.rename(folder / "data")


def check_version(data: Path) -> None:
    """Refuse data that another Postgres made."""
    file = data / "PG_VERSION"
    version = file.read_text().strip() if file.exists() else ""
    if not version:
        raise CannotStart(f"{data} is not the data of a Postgres: move it away or delete it")
    if version != MAJOR:
        raise CannotStart(
            f"{data} was made by Postgres {version} and this is {MAJOR}: delete {data.parent} if "
            "it holds nothing you need, or move it away"
        )


@contextmanager
def socket_folder(data: Path, account: Account | None) -> Iterator[Path]:
    """Hold a folder for the socket: the data's own, or a short one where that is too long."""
    short = Path(f"ctrip-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}")
    places = (data, tempfile.gettempdir() / short, Path("/tmp") / short)  # noqa: S108
    place = next((place for place in places if is_sayable(place)), None)
    if not place:
        raise CannotStart(f"the path of {data} is too long for a socket: use a shorter folder")
    if place != data:
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
            if account:
                os.chown(place, account.uid, account.gid)
        if place.lstat().st_uid != (account.uid if account else os.geteuid()):
            raise CannotStart(f"{place} belongs to another user: delete it")
    try:
        yield place
    finally:
        if place != data:
            with suppress(OSError):
                place.rmdir()


def is_sayable(place: Path) -> bool:
    """Tell whether a socket in this folder can be named in an address, a URL and a setting."""
    path = place / f".s.PGSQL.{PORT}"
    fits = len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX
    return fits and SOCKET_PATH.fullmatch(str(path)) is not None
