"""Whom blocks offer something, seen at a glance.

Nearly all that blocks hold is strangers'. Of that, only the addresses must be known, to ask
whether one is ours, and that it hangs together. Both can be seen of all that came at once,
field by field, in half the time that it takes to read what each transaction and log is worth.

A glance judges nobody. What it does not find just as it should be, each log in its order and
all hex in lower case, it does not know (None): then it is judged log by log, as
transfers.placed and whole.check_place do. Nor is anything taken from it but the question
for addresses: a block that offers something to us is read in full.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import add, eq, le, lt
from typing import Final, TypeVar, cast

from ctrip.chain import decode, transfers
from ctrip.chain.decode import ADDRESS_SIZE, HASH_SIZE, Garbled, WireTransaction, is_hex
from ctrip.chain.transfers import Sought, place
from ctrip.chain.whole import Whole, placed
from ctrip.core.ids import RawAddress, TxHash

APART: Final = 2**40  # places between two blocks, so that those of all can be compared at once

T = TypeVar("T")


def offered(wholes: Sequence[Whole], asked: Sought) -> set[RawAddress]:
    """Return every address that blocks offer money to, if what was sent can be true."""
    moved = receivers(wholes, asked)
    if moved is None:
        moved = [to for whole in wholes for to in in_full(whole, asked)]
    return {*paid(wholes), *moved}


def paid(wholes: Sequence[Whole]) -> list[RawAddress]:
    """Return every address that transactions offer coin to."""
    paying = [tx for whole in wholes for tx in whole.paying]
    seen = recipients(paying)
    return recipients(decode.readable(paying)) or [] if seen is None else seen


def recipients(paying: Sequence[WireTransaction]) -> list[RawAddress] | None:
    """Return the address that each of these transactions offers coin to."""
    found = [tx.to for tx in paying if tx.to is not None]
    return found if are_hex(found, ADDRESS_SIZE) else None


def receivers(wholes: Sequence[Whole], asked: Sought) -> list[RawAddress] | None:
    """Return the address that each log of blocks may move something to: its last topic."""
    logs = [log for whole in wholes for log in whole.logs]
    apart = of_each(wholes, range(0, APART * len(wholes), APART))
    try:
        indexes = list(map(add, apart, map(place, [log.log_index for log in logs])))
        positions = list(map(place, [log.transaction_index for log in logs]))
        mined = at_positions(wholes, positions)
        topics = [log.topics[0] for log in logs]
    except (Garbled, IndexError):
        return None
    hashes = [log.transaction_hash for log in logs]
    positions = list(map(add, apart, positions))
    numbers, blocks = [log.block_number for log in logs], [log.block_hash for log in logs]
    last = [log.topics[-1] for log in logs]
    is_sound = (
        (agree(positions, hashes) if mined is None else mined == hashes)
        and blocks == of_each(wholes, [whole.header.hash for whole in wholes])
        and numbers == of_each(wholes, [hex(whole.header.number) for whole in wholes])
        and True not in [log.removed for log in logs]
        and all(map(lt, indexes, indexes[1:]))
        and all(map(le, positions, positions[1:]))
        and asked.covers([log.address for log in logs], topics)
        and are_hex(last, HASH_SIZE)
    )
    return cast("list[RawAddress]", ["0x" + topic[-40:] for topic in last]) if is_sound else None


def of_each(wholes: Sequence[Whole], values: Iterable[T]) -> list[T]:
    """Return for each log of each block what its block has."""
    counts = [len(whole.logs) for whole in wholes]
    return list(chain.from_iterable(map(repeat, values, counts)))


def at_positions(wholes: Sequence[Whole], positions: Sequence[int]) -> list[TxHash] | None:
    """Return the transaction at each log's position; None where they were not asked for."""
    mined = [whole.transactions for whole in wholes if whole.transactions is not None]
    if len(mined) < len(wholes):
        return None
    pairs = zip(of_each(wholes, mined), positions, strict=True)
    return [block[position] for block, position in pairs]


def agree(positions: Sequence[int], hashes: Sequence[TxHash]) -> bool:
    """Tell whether neighbours are of one transaction where they are of one position."""
    same = map(eq, hashes, hashes[1:])
    return list(same) == list(map(eq, positions, positions[1:]))


def in_full(whole: Whole, asked: Sought) -> list[RawAddress]:
    """Return the same log by log. Raises Contradiction and Garbled."""
    found = placed(whole)
    transfers.read(found, asked, ours=())
    return transfers.offered(found)


def are_hex(texts: Sequence[str], size: int) -> bool:
    """Tell whether texts are hex of one size in lower case."""
    return list(map(len, texts)).count(size) == len(texts) and is_hex("".join(texts))
