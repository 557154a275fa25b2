"""What the books say an address holds, held against what it holds: which difference means what.

Three cases. An address that we sweep holds exactly what is booked. One whose money is left alone
(mode `hold`) may hold less, because its owner moves it by other means. A wallet that pays for gas
or for refunds is filled up from outside, so it may hold more than before beside what is booked,
and never less. Of the treasury nothing can be said: its owner takes from it and gives to it.

Less than that means that money left without a transaction of ours. More on a deposit address
means that money came which nobody has named yet; anybody can send such, so it stops nothing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from ctrip.core.ids import Amount, Asset, ChainName, RawAddress

WHO_MOVED: Final = (
    "if you moved it yourself, say so with `ctrip audit --accept`; else somebody has its key: "
    "move what is left to another wallet at once"
)
COMES: Final = "nothing to do: the standing audit records it within 6 hours, then run this again"


class Role(StrEnum):
    """What an address of ours is for."""

    DEPOSIT = "deposit"
    GAS = "gas"
    PAYOUT = "payout"


class Booked(Struct, frozen=True, kw_only=True):
    """What the books say an address holds of an asset, after a block."""

    role: Role
    address: RawAddress
    asset: Asset
    amount: int
    is_left_alone: bool  # nothing of it is swept
    deviation: int | None  # what it held beside when that was accepted last; None: never


class Difference(Struct, frozen=True, kw_only=True):
    """Something that is not as it must be."""

    name: str  # of the invariant; "balance": the chain has another one than the books
    chain: ChainName
    asset: Asset | None  # None: all of the chain
    what: str
    remedy: str
    holds: bool  # nothing of the asset may be moved


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of comparing balances."""

    differences: list[Difference] = []
    deviations: list[tuple[Booked, int]] = []  # to be remembered
    left_alone: int = 0  # addresses that hold less, as their owner moved it


def compare(
    chain: ChainName, booked: Sequence[Booked], balances: Sequence[Amount], *, accept: bool
) -> Verdict:
    """Hold the books against balances after the same block; `accept` what is less as it is."""
    differences: list[Difference] = []
    deviations: list[tuple[Booked, int]] = []
    left_alone = 0
    for one, has in zip(booked, balances, strict=True):
        beside = has - one.amount
        is_wallet = one.role is not Role.DEPOSIT
        known = one.deviation if one.deviation is not None else (beside if is_wallet else 0)
        is_new = is_wallet and beside != one.deviation
        if beside < known and one.is_left_alone:
            left_alone += 1
        elif beside < known and accept:
            deviations.append((one, beside))
        elif beside < known:
            differences.append(less(chain, one, has, known - beside))
        elif is_new:
            deviations.append((one, beside))
        elif beside > known:
            differences.append(more(chain, one, has, beside - known))
    return Verdict(differences=differences, deviations=deviations, left_alone=left_alone)


def less(chain: ChainName, one: Booked, has: Amount, by: int) -> Difference:
    """Say that money left without a transaction of ours."""
    return Difference(
        name="balance",
        chain=chain,
        asset=one.asset,
        what=f"{one.role} address {one.address} holds {has}, {by} less than it should.",
        remedy=WHO_MOVED,
        holds=True,
    )


def more(chain: ChainName, one: Booked, has: Amount, by: int) -> Difference:
    """Say that money came which is not on record."""
    return Difference(
        name="balance",
        chain=chain,
        asset=one.asset,
        what=f"{one.role} address {one.address} holds {has}, {by} more than is on record.",
        remedy=COMES,
        holds=False,
    )


def until_in_order(held: str) -> str:
    """Say what whoever would move an asset waits for; `held` is what is wrong with its books."""
    return f"nothing of it is moved until the books are in order: {held}"
