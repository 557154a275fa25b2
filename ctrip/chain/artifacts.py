"""Contracts as their compiler left them (`node build.js` in the folder that holds them)."""

from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct


class Artifact(Struct, frozen=True):
    """A compiled contract."""

    compiler: str
    source_sha256: str
    selectors: dict[str, str]  # signature to the first four bytes of its keccak-256
    bytecode: str


@cache
def artifact_in(file: Path) -> Artifact:
    """Return the contract that a file holds."""
    return msgspec.json.decode(file.read_bytes(), type=Artifact)
