"""What a block offers to whom, seen at a glance.

Nearly all that a block holds is strangers'. Of that, only the addresses must be known, to ask
whether one is ours, and that it hangs together. Both can be seen of a whole list, field by
field, in half the time that it takes to read what each transaction and log is worth.

A glance judges nobody. What it does not find just as it should be, each log in its order and
all hex in lower case, it does not know (None): whoever reads then judges log by log, as
transfers.placed and blocks.check_place do. Nor is anything taken from it but the question
for addresses: a block that offers something to us is read in full.
"""

from collections.abc import Sequence
from operator import eq, le, lt
from typing import cast

from ctrip.chain.decode import (
    ADDRESS_SIZE,
    HASH_SIZE,
    Garbled,
    WireLog,
    WireTransaction,
    is_hex,
)
from ctrip.chain.transfers import Sought, place
from ctrip.core.blocks import Header
from ctrip.core.ids import RawAddress, TxHash


def recipients(paying: Sequence[WireTransaction]) -> list[RawAddress] | None:
    """Return the address that each of these transactions offers coin to."""
    found = [tx.to for tx in paying if tx.to is not None]
    return found if are_hex(found, ADDRESS_SIZE) else None


def receivers(
    logs: Sequence[WireLog],
    header: Header,
    transactions: Sequence[TxHash] | None,
    asked: Sought,
) -> list[RawAddress] | None:
    """Return the address that each log of a block may move something to: its last topic."""
    hashes = [log.transaction_hash for log in logs]
    try:
        indexes = list(map(place, [log.log_index for log in logs]))
        positions = list(map(place, [log.transaction_index for log in logs]))
        topics = [log.topics[0] for log in logs]
        of_transactions = (
            [transactions[position] for position in positions] == hashes
            if transactions is not None
            else agree(positions, hashes)
        )
    except (Garbled, IndexError):
        return None
    numbers, removed = [log.block_number for log in logs], [log.removed for log in logs]
    last = [log.topics[-1] for log in logs]
    is_sound = (
        of_transactions
        and all_are(header.hash, [log.block_hash for log in logs])
        and all_are(hex(header.number), numbers)
        and not any(removed)
        and all(map(lt, indexes, indexes[1:]))
        and all(map(le, positions, positions[1:]))
        and asked.covers([log.address for log in logs], topics)
        and are_hex(last, HASH_SIZE)
    )
    return cast("list[RawAddress]", ["0x" + topic[-40:] for topic in last]) if is_sound else None


def agree(positions: Sequence[int], hashes: Sequence[TxHash]) -> bool:
    """Tell whether neighbours are of one transaction where they are of one position."""
    same = map(eq, hashes, hashes[1:])
    return list(same) == list(map(eq, positions, positions[1:]))


def all_are(value: object, values: Sequence[object]) -> bool:
    """Tell whether there is nothing but one value; equal values compare quicker than they hash."""
    return values.count(value) == len(values)


def are_hex(texts: Sequence[str], size: int) -> bool:
    """Tell whether texts are hex of one size in lower case."""
    return all_are(size, list(map(len, texts))) and is_hex("".join(texts))
