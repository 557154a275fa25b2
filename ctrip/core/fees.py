"""What gas costs, and what we are ready to pay for it."""

from msgspec import Struct

from ctrip.core.ids import Amount


class Market(Struct, frozen=True):
    """Gas as it is traded now, in wei a unit."""

    base_fee: int | None  # of the next block (EIP-1559); None: the chain has none
    tip: int  # that blocks of late were content with
    gas_price: int  # what the node proposes for a legacy transaction


class Price(Struct, frozen=True):
    """What a transaction offers a unit of gas, in wei."""

    max_fee: int
    priority_fee: int | None  # None: legacy


def cost(price: Price, gas: int) -> Amount:
    """Return what so much gas may cost at most, in wei."""
    return Amount(gas * price.max_fee)
