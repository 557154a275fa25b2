"""What became of transactions, from one endpoint.

A receipt is no proof of inclusion: nodes give receipts of blocks that are still being
built, or of ones that a reorg took. So the block that it names must be one that was read,
or the one that the endpoint has at that height.
"""

from collections.abc import Collection, Sequence
from typing import Final

from ctrip.chain import decode
from ctrip.chain.decode import Contradiction, NotYet, WireReceipt
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.tips import BY_NUMBER, header_of
from ctrip.chain.wire import Call
from ctrip.core.blocks import Receipt
from ctrip.core.ids import BlockHash, TxHash

RECEIPT: Final = "eth_getTransactionReceipt"


async def read(
    provider: Provider, tx_hashes: Sequence[TxHash], known: Collection[BlockHash]
) -> list[Receipt]:
    """Return one receipt for each transaction, in order; `known` are blocks that were read."""
    calls = [Call(RECEIPT, (tx_hash,)) for tx_hash in tx_hashes]
    receipts, heights = [], {}
    for tx_hash, reply in zip(tx_hashes, await provider.ask(calls, decode.RECEIPTS), strict=True):
        if reply.error and cure_of_refusal(reply.error) is not Cure.WAIT:
            raise provider.refused(RECEIPT, reply.error)
        if reply.result is None:
            raise NotYet("a receipt is missing")
        receipt = decode.receipt(reply.result)
        if receipt.tx_hash != tx_hash:
            raise Contradiction("a receipt is of another transaction")
        receipts.append(receipt)
        if receipt.block_hash not in known:
            heights[receipt.block_hash] = height_of(reply.result)
    await _check(provider, heights)
    return receipts


async def _check(provider: Provider, heights: dict[BlockHash, int]) -> None:
    """Check that an endpoint has these blocks at these heights."""
    calls = [Call(BY_NUMBER, (hex(height), False)) for height in heights.values()]
    replies = await provider.ask(calls, decode.HEADERS)
    for block_hash, reply in zip(heights, replies, strict=True):
        if (header := header_of(provider, reply)) is None:
            raise NotYet("a receipt came before its block")
        if header.hash != block_hash:
            raise Contradiction("a receipt is of another block than the one at its height")


def height_of(wire: WireReceipt) -> int:
    """Return the height of the block that a receipt names."""
    if wire.block_number is None:
        raise Contradiction("a receipt names no block")
    return decode.quantity(wire.block_number)
