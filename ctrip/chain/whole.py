"""A block as a node sent it, and what it is worth once something in it is ours."""

from collections.abc import Collection, Container, Sequence
from typing import NamedTuple

from ctrip.chain import decode, transfers
from ctrip.chain.decode import Contradiction, WireBlock, WireLog, WireTransaction
from ctrip.chain.transfers import Placed, Sought
from ctrip.core.blocks import Block, Header
from ctrip.core.ids import RawAddress, TxHash


class Whole(NamedTuple):
    """A block as it was sent."""

    header: Header
    bloom: str
    transactions: Sequence[TxHash] | None  # in order; None: they were not asked for
    paying: Sequence[WireTransaction] = ()  # of them, those that offer coin to somebody
    named: Collection[RawAddress] = ()  # in the data of any
    logs: Sequence[WireLog] = ()
    names_ours: bool = False
    owes_logs: bool = False


def kept(wire: WireBlock, named: Collection[RawAddress] = ()) -> Whole:
    """Return what is kept of a block; at once, while it lies in the processor's cache."""
    transactions = [tx.hash for tx in wire.transactions]
    paying = decode.paying(wire.transactions)
    return Whole(decode.header(wire), wire.logs_bloom, transactions, paying, named)


def built(whole: Whole, asked: Sought, ours: Container[RawAddress] | None = None) -> Block:
    """Return a block with what it offers to our addresses, or to everybody."""
    got = transfers.read(placed(whole), asked, ours)
    return Block(
        header=whole.header,
        calls=decode.native_calls(decode.readable(whole.paying), ours),
        logs=tuple(got.logs),
        moves=tuple(one.move for one in got.moves),
        names_ours=whole.names_ours,
        owes_logs=whole.owes_logs,
    )


def placed(whole: Whole) -> list[Placed]:
    """Return the logs of a block in their order, if they can be true."""
    number = whole.header.number
    found = transfers.placed(whole.logs, number, number)
    check_place(found, whole.header, whole.transactions)
    return found


def check_place(
    found: Sequence[Placed], header: Header, transactions: Sequence[TxHash] | None
) -> None:
    """Check that logs are of this block, and of its transactions."""
    block_hash, count = header.hash, len(transactions or ())
    for one in found:
        log, position = one.log, one.position
        if log.block_hash != block_hash:
            raise Contradiction("a log is of another block than the one asked for")
        if transactions is None:
            continue
        if position >= count or transactions[position].lower() != log.transaction_hash:
            raise Contradiction("a log is of another transaction than its position says")
