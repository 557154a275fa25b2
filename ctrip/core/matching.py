"""Whose money a block carries: raw items of a chain against the watched addresses.

What counts as money at all: a native call whose receipt says it succeeded, and a
Transfer log of a listed contract. A failed transaction, an unlisted contract and a
transfer of nothing are none (the chain client already left out the last two).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from ctrip.core.blocks import Block, Receipt, TokenLog
from ctrip.core.ids import NATIVE, Asset, PaymentId, RawAddress, TxHash
from ctrip.core.payment import Transfer, TransferKey

Watched = Mapping[RawAddress, PaymentId]


class Found(Struct, frozen=True):
    """A transfer and the payment whose address it reached."""

    payment_id: PaymentId
    transfer: Transfer


def recipients(blocks: Sequence[Block]) -> list[RawAddress]:
    """Return every address that the blocks offer money to, once."""
    found = {call.recipient for block in blocks for call in block.calls}
    found.update(log.recipient for block in blocks for log in block.logs)
    return list(found)


def calls_to_check(blocks: Sequence[Block], watched: Watched) -> list[TxHash]:
    """Return the native transactions to watched addresses, whose receipts must be read."""
    return [c.tx_hash for b in blocks for c in b.calls if c.recipient in watched]


def succeeded(blocks: Sequence[Block], receipts: Sequence[Receipt]) -> frozenset[TxHash] | None:
    """Return the transactions that did what they say, or None if a receipt is of another branch."""
    hashes = {block.header.hash for block in blocks}
    if any(receipt.block_hash not in hashes for receipt in receipts):
        return None
    return frozenset(receipt.tx_hash for receipt in receipts if receipt.succeeded)


def match(blocks: Sequence[Block], good: Collection[TxHash], watched: Watched) -> Iterator[Found]:
    """Yield every transfer to a watched address, in the order of the chain."""
    for block in blocks:
        yield from match_calls(block, good, watched)
        yield from match_logs(block, watched)


def match_calls(block: Block, good: Collection[TxHash], watched: Watched) -> Iterator[Found]:
    """Yield the native coin in a block; a transaction moves it once."""
    for call in block.calls:
        if call.recipient in watched and call.tx_hash in good:
            yield Found(
                watched[call.recipient],
                Transfer(
                    key=TransferKey(call.tx_hash, NATIVE, call.recipient, 0),
                    sender=call.sender,
                    amount=call.amount,
                    block_number=block.header.number,
                    block_hash=block.header.hash,
                    block_time=block.header.time,
                ),
            )


def match_logs(block: Block, watched: Watched) -> Iterator[Found]:
    """Yield the tokens in a block, counting the twins within each transaction."""
    rank: dict[tuple[TxHash, RawAddress, RawAddress], int] = {}
    for log in sorted(block.logs, key=log_index):
        if log.recipient not in watched:
            continue
        twins = (log.tx_hash, log.contract, log.recipient)
        ordinal = rank[twins] = rank.get(twins, -1) + 1
        yield Found(
            watched[log.recipient],
            Transfer(
                key=TransferKey(log.tx_hash, Asset(log.contract), log.recipient, ordinal),
                sender=log.sender,
                amount=log.amount,
                block_number=block.header.number,
                block_hash=block.header.hash,
                block_time=block.header.time,
                log_index=log.log_index,
            ),
        )


def log_index(log: TokenLog) -> int:
    """Return a log's place in its block."""
    return log.log_index
