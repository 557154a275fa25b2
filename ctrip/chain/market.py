"""What gas costs, as one endpoint tells it.

The base fee is that of the next block. The tip is what the last blocks were content with: of each
block's gas the quarter that tipped least, in the middle of the blocks that had any. Some nodes
insist on more than that (Polygon's on 25 gwei, `minimum needed 25000000000`) and say so in
eth_maxPriorityFeePerGas; others propose there what a hurry would cost. So a node's proposal counts
up to what half of the gas paid: a floor that is insisted on was paid by everybody.

Where there is no history the newest block has the base fee, and the node's word is all there is.
"""

from statistics import median_low
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from ctrip.chain.decode import Garbled, quantity
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.wire import Answer, Call, Refusal, Reply
from ctrip.core.fees import Market

HISTORY: Final = "eth_feeHistory"
ASKED_TOO_MUCH: Final = frozenset({Cure.SMALLER_BATCH, Cure.BACK_OFF, Cure.NO_CREDIT})
BLOCKS_MAX: Final = 1024  # as many as nodes tell of at once
BLOCKS: Final = 20  # as many as geth's own oracle looks at
PERCENTILES: Final = (25, 50)  # of a block's gas, in the order of what it tipped


class WireFees(Struct, frozen=True, rename="camel"):
    """A fee history or a block: both name base fees."""

    base_fee_per_gas: list[str] | str | None = None
    gas_used_ratio: list[float | None] | None = None
    reward: list[list[str]] | None = None


Said = Reply[str | WireFees]
FEES: Final[Decoder[Answer[str | WireFees]]] = Decoder(list[Said] | Said)
CALLS: Final = (
    Call(HISTORY, (hex(BLOCKS), "latest", PERCENTILES)),
    Call("eth_getBlockByNumber", ("latest", False)),
    Call("eth_maxPriorityFeePerGas"),
    Call("eth_gasPrice"),
)


async def read(provider: Provider) -> Market:
    """Return what gas costs in the next block."""
    said = await provider.ask(CALLS, FEES)
    for call, reply in zip(CALLS, said, strict=True):
        if reply.error and cure_of_refusal(reply.error, call.method) is not Cure.UNSUPPORTED:
            raise provider.refused(call.method, reply.error)
    history, block = fees(said[0]), fees(said[1])
    proposed, gas_price = number(said[2]), number(said[3])
    base_fee = next_base_fee(history, block)
    if gas_price is None and (base_fee is None or proposed is None):
        raise Garbled("nothing tells what gas costs")
    if proposed is None:
        proposed = max(0, (gas_price or 0) - (base_fee or 0))
    if gas_price is None:
        gas_price = (base_fee or 0) + proposed
    return Market(base_fee=base_fee, tip=tip(history, proposed), gas_price=gas_price)


async def usual_base_fee(provider: Provider, blocks: int) -> int | None:
    """Return the base fee in the middle of the last blocks; None where there is no history.

    An endpoint that tells of fewer blocks is not blamed for it: nothing depends on this.
    """
    call = Call(HISTORY, (hex(min(blocks, BLOCKS_MAX)), "latest", ()))
    [reply] = await provider.ask([call], FEES, is_answer=tells_nothing)
    match fees(reply).base_fee_per_gas:
        case [*base_fees] if base_fees:
            return median_low(map(quantity, base_fees))
        case _:
            return None


def tells_nothing(refusal: Refusal) -> bool:
    """Tell whether a refusal is about the history, and not about who asks."""
    return cure_of_refusal(refusal, HISTORY) not in ASKED_TOO_MUCH


def next_base_fee(history: WireFees, block: WireFees) -> int | None:
    """Return the base fee of the next block, or of the newest; None if the chain has none."""
    if isinstance(block.base_fee_per_gas, list) or isinstance(history.base_fee_per_gas, str):
        raise Garbled("a block has a history of base fees")
    if block.base_fee_per_gas is None:
        return None
    if history.base_fee_per_gas:
        return quantity(history.base_fee_per_gas[-1])
    return quantity(block.base_fee_per_gas)


def tip(history: WireFees, proposed: int) -> int:
    """Return what to tip. An empty block was content with nothing, which says nothing."""
    ratios, rewards = history.gas_used_ratio or [], history.reward or []
    tips = [reward for ratio, reward in zip(ratios, rewards, strict=False) if ratio]
    if any(len(reward) != len(PERCENTILES) for reward in tips):
        raise Garbled("a block has not the rewards that were asked for")
    if not tips:
        return proposed
    low, middle = (median_low(map(quantity, column)) for column in zip(*tips, strict=True))
    return min(max(low, proposed), max(low, middle))


def fees(reply: Said) -> WireFees:
    """Return what names base fees; nothing where the endpoint does not have it."""
    if isinstance(reply.result, str):
        raise Garbled("a history of fees is text")
    return reply.result or WireFees()


def number(reply: Said) -> int | None:
    """Return a price; None where the endpoint does not name it."""
    if isinstance(reply.result, WireFees):
        raise Garbled("a price is no number")
    return None if reply.result is None else quantity(reply.result)
