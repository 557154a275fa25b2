"""What gas costs, and what we are ready to pay for it.

Where there is a base fee (EIP-1559), a block takes that and the tip, whatever more was offered; so
an offer says how long it holds, not what is paid. The base fee rises by an eighth with each full
block: twice the base fee of now, and the tip, holds for five full blocks in a row. Where there is
none, or it stays at 0 as on BSC, what is offered is paid, so no more is offered than what the node
proposes.

A replacement must be dearer by 10 % in both fields, or pools refuse it; ours is by an eighth, so
that no pool's rounding matters. Nothing is offered while gas costs more than the ceiling. There is
always one: what gas costs is what an endpoint says, and it may lie or be mistaken.
"""

from typing import Final

from msgspec import Struct

from ctrip.core.ids import Amount

BASE_FEES: Final = 2  # in an offer: 1.125 to the power of 5 is 1.8
BUMP: Final = 8  # a replacement adds this part of what was offered: 12.5 %
CHEAP: Final = 2  # this part of what gas usually costs: as much as waiting for company may save


class Market(Struct, frozen=True):
    """Gas as it is traded now, in wei a unit."""

    base_fee: int | None  # of the next block (EIP-1559); None: the chain has none
    tip: int  # that blocks of late were content with
    gas_price: int  # what the node proposes for a legacy transaction


class Price(Struct, frozen=True):
    """What a transaction offers a unit of gas, in wei."""

    max_fee: int
    priority_fee: int | None  # None: legacy


def price(market: Market, *, max_fee_ceiling: int) -> Price | None:
    """Return what to offer; None while gas costs more than the ceiling, so that one must wait."""
    if is_too_dear(market, max_fee_ceiling):
        return None
    fair = offer(market)
    return Price(min(fair.max_fee, max_fee_ceiling), fair.priority_fee)


def raised(before: Price, market: Market, *, max_fee_ceiling: int) -> Price | None:
    """Return what a replacement offers: more than before, and what it costs now if that is more.

    None if that is above the ceiling, or gas is: the one before stays where it is.
    """
    least = bumped(before.max_fee)
    if is_too_dear(market, max_fee_ceiling) or least > max_fee_ceiling:
        return None
    fair = offer(market)
    max_fee = min(max(least, fair.max_fee), max_fee_ceiling)
    if before.priority_fee is None:
        return Price(max_fee, None)
    tip = fair.max_fee if fair.priority_fee is None else fair.priority_fee
    return Price(max_fee, max(bumped(before.priority_fee), tip))


def cost(offered: Price, gas: int) -> Amount:
    """Return what so much gas may cost at most, in wei."""
    return Amount(gas * offered.max_fee)


def offer(market: Market) -> Price:
    """Return what is offered where there is no ceiling."""
    if not market.base_fee:
        return Price(market.gas_price, None)
    return Price(BASE_FEES * market.base_fee + market.tip, market.tip)


def is_too_dear(market: Market, max_fee_ceiling: int) -> bool:
    """Tell whether the next block asks for more than the ceiling."""
    return going_rate(market) > max_fee_ceiling


def going_rate(market: Market) -> int:
    """Return what the next block takes, in wei a unit of gas."""
    return market.base_fee + market.tip if market.base_fee else market.gas_price


def is_cheap(market: Market, usual_base_fee: int | None) -> bool:
    """Tell whether the next block asks for half of what blocks of late did, or less."""
    if not market.base_fee or usual_base_fee is None:
        return False
    return market.base_fee * CHEAP <= usual_base_fee


def is_outbid(offered: Price, market: Market) -> bool:
    """Tell whether the next block has dearer transactions to take than one of this price."""
    tip_is_low = offered.priority_fee is not None and offered.priority_fee < market.tip
    return offered.max_fee < going_rate(market) or tip_is_low


def bumped(offered: int) -> int:
    """Return an eighth more, rounded up, and at least 1: pools want both fields to rise."""
    return offered + max(1, -(-offered // BUMP))
