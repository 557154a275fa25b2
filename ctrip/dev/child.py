"""A program that ctrip starts and that must not outlive it.

It has a process group of its own, so that Ctrl-C in a terminal reaches only ctrip, which
then stops its children in the right order. Where util-linux's setpriv exists, as on every
Debian, the kernel signals the child when its parent dies, even of kill -9; elsewhere such
a child stays until somebody stops it. The kernel watches the *thread* that started it, so
start children from the main one.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ctrip.core.errors import ConfigError

TAIL_LINES: Final = 12  # of a log, enough for the reason and little enough to read
RUN_SECONDS_MAX: Final = 120.0  # for initdb (0.6) and createdb (0.05) on a busy machine
PATIENCE_SECONDS: Final = 10.0  # for each signal, before a harsher one follows


class CannotStart(ConfigError):
    """A part of the development environment cannot run; the text says what to do."""


class Account(NamedTuple):
    """Whom a child runs as, where ctrip is root and the child refuses to be."""

    uid: int
    gid: int


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    farewell: signal.Signals,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that writes to a fresh `log` and gets `farewell` when ctrip dies."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  the programs are ours
            [*leash(farewell), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            env=environ(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )


def run(command: Sequence[str | Path], *, account: Account | None = None) -> None:
    """Run a program to its end, which must be a good one."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603  the programs are ours
            [*leash(signal.SIGTERM), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
            env=environ(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    except subprocess.TimeoutExpired:
        raise CannotStart(f"{name} took more than {RUN_SECONDS_MAX:g} seconds") from None
    if done.returncode:
        raise CannotStart(f"{name} failed: {done.stderr.decode(errors='replace').strip()}")


def environ() -> dict[str, str]:
    """Return our environment without what would steer Postgres or anvil, and in English."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "ANVIL_", "FOUNDRY_"))}
    return ours | {"LC_ALL": "C"}


def leash(farewell: signal.Signals) -> list[str]:
    """Return the start of a command line that ties the program to its parent's life."""
    setpriv = shutil.which("setpriv")
    if setpriv and Path(setpriv).resolve().name == "setpriv":  # busybox's has no such option
        return [setpriv, "--pdeathsig", farewell.name.removeprefix("SIG"), "--"]
    return []


def stop(process: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """Send one signal after the other, each harsher, until the program has ended."""
    for number in (*signals, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def tail(log: Path) -> str:
    """Return the last lines that a program wrote, indented to stand below a sentence."""
    lines = log.read_text(errors="replace").strip().splitlines()[-TAIL_LINES:]
    return "".join(f"\n    {line}" for line in lines)
