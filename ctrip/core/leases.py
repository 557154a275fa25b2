"""Which of several processes watches which chain.

Each process gives each chain a weight, out of a hash, and the heaviest has the chain (highest
random weight; Thaler and Ravishankar, 1998). So all come to the same answer without asking each
other, chains are spread evenly, and who comes or goes moves no chain but his own.

A chain that a process cannot read goes to one that can. Where nobody can, it stays with the
heaviest of all, who will go on trying.
"""

from collections.abc import Collection
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

from ctrip.core.ids import ChainName


class Process(Struct, frozen=True, kw_only=True):
    """A process that is alive."""

    id: UUID
    chains: tuple[ChainName, ...]  # that it serves
    unable: tuple[ChainName, ...] = ()  # of them, those that it could not read lately


def watcher_of(chain: ChainName, processes: Collection[Process]) -> UUID | None:
    """Return who is to watch a chain; None where nobody serves it."""
    serving = [one for one in processes if chain in one.chains]
    able = [one for one in serving if chain not in one.unable] or serving
    return max((one.id for one in able), key=lambda one: weight(one, chain), default=None)


def weight(process: UUID, chain: ChainName) -> bytes:
    """Return how heavy a process is for a chain."""
    return sha256(process.bytes + chain.encode()).digest()
