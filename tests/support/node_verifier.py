"""An independent verifier of webhooks: the npm package of Standard Webhooks, in one process.

    faults_of([Sent(headers, body, secret), ...])     what it said of each; None is a yes

`make setup` installs the package into .venv/receivers. A batch of thousands is one call.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import json

NODE: Final = "node"
PROGRAM: Final = Path(__file__).with_name("node_verify.mjs")
RECEIVERS: Final = Path(sys.prefix) / "receivers"
WAIT_SECONDS: Final = 60  # far more than thousands of signatures take


class Sent(NamedTuple):
    """A request as a receiver has it, and the secret that the receiver was given."""

    headers: Mapping[str, str]
    body: bytes
    secret: str
    now: int | None = None  # when it is looked at, in Unix seconds; None is at once


def faults_of(batch: Sequence[Sent]) -> list[str | None]:
    """Return what the package says is wrong with each request, or None where it verifies."""
    told = node(PROGRAM, f"{RECEIVERS}/", given=encode(batch))
    return json.decode(told, type=list[str | None])


def encode(batch: Sequence[Sent]) -> bytes:
    """Return the requests as JSON, for a program in another language."""
    return json.encode(
        [sent._asdict() | {"headers": dict(sent.headers)} for sent in batch]
    )  # bytes become base64


def node(*arguments: str | Path, given: bytes) -> bytes:
    """Run a program of ours with node; return what it printed."""
    # Every argument is ours, and node is the one on PATH, as it is for npm.
    done = subprocess.run(  # noqa: S603
        [NODE, *arguments], input=given, capture_output=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
