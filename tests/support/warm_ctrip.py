"""`ctrip` in processes of their own that need not import anything first.

    python -m tests.support.warm_ctrip SOCKET

imports the command line once, and forks it for everybody who calls at the socket: a command
is there in milliseconds, where a fresh interpreter takes most of a second of a core. The
caller passes the three files that a terminal would, then the words, the folder and the whole
environment; told back is how the command ended.

That `ctrip` starts from nothing is shown by tests/cli/test_main.py and by every gateway of
tests/e2e.
"""

import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NoReturn

from msgspec import Struct, json

ROOT: Final = Path(__file__).parents[2]
SECONDS_MAX: Final = 60  # of one command
TERMINAL: Final = (0, 1, 2)  # stdin, stdout and stderr
CALL_BYTES_MAX: Final = 1 << 20
BESIDE: Final = (  # what commands import when they are run
    "ctrip.app",
    "ctrip.cli.desk",
    "ctrip.cli.recover",
    "ctrip.cli.shown",
    "ctrip.cli.verify",
    "ctrip.dev.run",
    "ctrip.flows.endpoints",
    "ctrip.flows.register",
    "ctrip.web.endpoint_wire",
    "ctrip.web.events",
    "ctrip.webhooks.guard",
    "eth_hash.backends.pycryptodome",
    "typer._adapters",
)


class Typed(Struct, frozen=True):
    """What was typed, and where."""

    words: list[str]
    folder: str
    environ: dict[str, str]


class WarmCtrip:
    """The command line, imported."""

    def __init__(self, place: str) -> None:
        self._place = place

    def run(
        self, words: Sequence[str], folder: Path, environ: Mapping[str, str], given: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `ctrip` with these words, as subprocess.run would."""
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as call,
        ):
            stdin.write(given.encode())
            stdin.seek(0)
            call.settimeout(SECONDS_MAX)
            call.connect(self._place)
            files = [file.fileno() for file in (stdin, out, err)]
            typed = Typed(list(words), str(folder), dict(environ))
            socket.send_fds(call, [json.encode(typed)], files)
            call.shutdown(socket.SHUT_WR)
            code = int(call.makefile().read())
            return subprocess.CompletedProcess(list(words), code, read(out), read(err))


def read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@contextmanager
def warm_ctrip() -> Iterator[WarmCtrip]:
    """Lend the command line, imported."""
    with tempfile.TemporaryDirectory(prefix="ctrip-test-") as folder:
        place = str(Path(folder) / "socket")
        process = subprocess.Popen(  # noqa: S603  our own words
            [sys.executable, "-m", __name__, place],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout
            assert process.stdout.readline(), "it did not start"
            yield WarmCtrip(place)
        finally:
            process.kill()
            process.communicate()


def main() -> None:
    """Fork for every caller, until killed."""
    run = importlib.import_module("ctrip.cli.main").main
    for name in BESIDE:
        importlib.import_module(name)
    gc.freeze()  # or the first collection of each fork copies every page
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who serve a caller
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(sys.argv[1])
        door.listen()
        print("ready", flush=True)  # noqa: T201  this is how it answers
        while True:
            caller, _ = door.accept()
            if not os.fork():
                door.close()
                serve(caller, run)
            caller.close()


def serve(caller: socket.socket, run: Callable[[], None]) -> NoReturn:
    """Run what one caller typed in a process of its own, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, files, _, _ = socket.recv_fds(caller, CALL_BYTES_MAX, len(TERMINAL))
    pid = os.fork()
    if not pid:
        caller.close()
        for number, file in zip(TERMINAL, files, strict=True):
            os.dup2(file, number)
            os.close(file)
        become(json.decode(text, type=Typed))
        run()
        sys.exit()
    _, status = os.waitpid(pid, 0)
    caller.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def become(typed: Typed) -> None:
    """Be the process that was asked for; one that hangs ends by itself."""
    signal.alarm(SECONDS_MAX)
    os.chdir(typed.folder)
    os.environ.clear()
    os.environ.update(typed.environ)
    sys.argv = ["ctrip", *typed.words]
    vars(sys.modules["__main__"])["__package__"] = None  # so that the name is read off argv


if __name__ == "__main__":
    main()
