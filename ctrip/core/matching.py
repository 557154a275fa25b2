"""Whose money a block carries: raw items of a chain against the watched addresses.

What counts as money at all: a native call whose receipt says it succeeded, native coin
that a trace or a log of the chain shows moving, and a Transfer log of a listed contract. A
failed transaction, an unlisted contract and a transfer of nothing are none (the chain
client already left out the last two).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from ctrip.core.blocks import Block, Header, NativeMove, Receipt, TokenLog
from ctrip.core.ids import NATIVE, Asset, ChainName, PaymentId, RawAddress, TxHash
from ctrip.core.payment import Source, Transfer, TransferKey

Watched = Mapping[RawAddress, PaymentId]


class Found(Struct, frozen=True):
    """A transfer and the payment whose address it reached."""

    payment_id: PaymentId
    transfer: Transfer


def recipients(blocks: Sequence[Block]) -> list[RawAddress]:
    """Return every address that the blocks offer money to, once."""
    found = {call.recipient for block in blocks for call in block.calls}
    found.update(log.recipient for block in blocks for log in block.logs)
    found.update(move.recipient for block in blocks for move in block.moves)
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


def match(
    chain: ChainName, blocks: Sequence[Block], good: Collection[TxHash], watched: Watched
) -> Iterator[Found]:
    """Yield every transfer to a watched address, in the order of the chain."""
    for block in blocks:
        yield from match_calls(chain, block, good, watched)
        for move in block.moves:
            if move.recipient in watched:
                transfer = moved(chain, move, block.header)
                yield Found(watched[move.recipient], transfer)
        yield from match_logs(chain, block, watched)


def match_calls(
    chain: ChainName, block: Block, good: Collection[TxHash], watched: Watched
) -> Iterator[Found]:
    """Yield the native coin that transactions themselves carry; each moves it once."""
    for call in block.calls:
        to_itself = call.sender == call.recipient
        if call.recipient in watched and call.tx_hash in good and not to_itself:
            yield Found(
                watched[call.recipient],
                Transfer(
                    key=TransferKey(chain, call.tx_hash, NATIVE, call.recipient, 0),
                    sender=call.sender,
                    amount=call.amount,
                    block_number=block.header.number,
                    block_hash=block.header.hash,
                    block_time=block.header.time,
                    source=Source.TRANSACTION,
                ),
            )


def moved(chain: ChainName, move: NativeMove, within: Header) -> Transfer:
    """Return native coin that a trace or a log shows, as a transfer."""
    return Transfer(
        key=TransferKey(chain, move.tx_hash, NATIVE, move.recipient, move.ordinal),
        sender=move.sender,
        amount=move.amount,
        block_number=within.number,
        block_hash=within.hash,
        block_time=within.time,
        source=Source.TRACE if move.log_index is None else Source.LOG,
        log_index=move.log_index,
    )


def match_logs(chain: ChainName, block: Block, watched: Watched) -> Iterator[Found]:
    """Yield the tokens in a block, counting the twins within each transaction."""
    rank: dict[tuple[TxHash, RawAddress, RawAddress], int] = {}
    for log in sorted(block.logs, key=log_index):
        if log.recipient not in watched:
            continue
        twins = (log.tx_hash, log.contract, log.recipient)
        ordinal = rank[twins] = rank.get(twins, -1) + 1
        key = TransferKey(chain, log.tx_hash, Asset(log.contract), log.recipient, ordinal)
        yield Found(
            watched[log.recipient],
            Transfer(
                key=key,
                sender=log.sender,
                amount=log.amount,
                block_number=block.header.number,
                block_hash=block.header.hash,
                block_time=block.header.time,
                source=Source.LOG,
                log_index=log.log_index,
            ),
        )


def log_index(log: TokenLog) -> int:
    """Return a log's place in its block."""
    return log.log_index
