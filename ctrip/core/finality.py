"""How sure is sure enough: when goods may be shipped, per chain and per amount.

A chain's rule is a depth: so many blocks, or so much time, or the block that its nodes
call `safe` or `finalized`. Tiers let small amounts go earlier. Time becomes blocks at the
pace that the chain has now, because blocks keep getting faster: 15 blocks of BSC were
45 s once and are 7 s today. What a payment needs is fixed when it is made.
"""

from enum import StrEnum
from math import ceil

from msgspec import Struct

from ctrip.core.ids import Amount


class Tag(StrEnum):
    """A block that nodes know by name (execution-apis, BlockTag)."""

    SAFE = "safe"
    FINALIZED = "finalized"


class Depth(Struct, frozen=True):
    """One of: blocks, the transfer's own included; seconds; a tag."""

    blocks: int = 1
    seconds: float = 0
    tag: Tag | None = None


class Tier(Struct, frozen=True, kw_only=True):
    """What applies to payments of less than `below` base units."""

    below: Amount
    depth: Depth


class Terms(Struct, frozen=True, kw_only=True):
    """What an operator asks of one asset beside its chain's rule."""

    tiers: tuple[Tier, ...] = ()  # the lowest first
    second_opinion_above: Amount | None = None  # base units; None: one endpoint's word is enough
    sweep_min: Amount = Amount(0)  # what is less is not worth moving to the treasury
    refund_per_day_max: Amount | None = None  # within 24 hours; None: nothing is refunded


def depth_for(amount: Amount, rule: Depth, terms: Terms) -> Depth:
    """Return the depth that a payment of this amount needs."""
    return next((tier.depth for tier in terms.tiers if amount < tier.below), rule)


def confirmations_for(depth: Depth, *, pace_seconds: float) -> int:
    """Return a depth as confirmations, at a pace of so many seconds a block; 1 for a tag."""
    if depth.tag is not None:
        return 1
    if not depth.seconds:
        return depth.blocks
    return 1 + ceil(depth.seconds / pace_seconds)


def needs_second_opinion(amount: Amount, terms: Terms) -> bool:
    """Tell whether the word of one endpoint is not enough for this amount."""
    return terms.second_opinion_above is not None and amount > terms.second_opinion_above
