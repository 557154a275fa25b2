"""How sure is sure enough, as chains.yaml says it: depths, tiers by amount, second opinions.

Amounts are written in whole coins and become base units exactly, or are refused. A depth
is blocks, a time, or a tag of the nodes; one that is written as blocks or time must not lie
below finality, because there is nothing to wait for beyond it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from msgspec import Meta, Struct

from ctrip.checks import Rule, Unusable
from ctrip.core.finality import Depth, Tag, Terms, Tier, confirmations_for
from ctrip.core.ids import AMOUNT_MAX, Amount
from ctrip.sheet import Sheet, Steps, read_entry

DEPTH_MAX: Final = 100_000  # blocks; so many hashes are kept until they are final
DEPTH_SECONDS_MAX: Final = 86_400  # a day; every chain is final long before
COINS_TEXT: Final = r"^(0|[1-9][0-9]{0,77})(\.[0-9]{1,77})?\Z"  # 2**256 - 1 has 78 digits
BLOCKS: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
TIME: Final = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?(s|min)", re.ASCII)
UNIT_SECONDS: Final = {"s": 1, "min": 60}

# The fields whose text counts, and not what YAML makes of it.
AS_WRITTEN: Final = frozenset(
    {"confirmations", "below", "second_opinion_above", "sweep_min", "refund_per_day_max"}
)

DEPTH_WORDS: Final = (
    f"a whole number of blocks from 1 up to {DEPTH_MAX}, or a time such as 15 s or 2 min"
)
EITHER: Final = "must have either confirmations (blocks, or a time) or finality (safe or finalized)"
Confirmations = Annotated[str, Meta(description=DEPTH_WORDS)]
Coins = Annotated[
    str, Meta(pattern=COINS_TEXT, description="an amount in whole coins, such as 10 or 0.1")
]

T = TypeVar("T")


class TierEntry(Struct, frozen=True, kw_only=True):
    """What applies to smaller amounts, as written."""

    below: Coins
    confirmations: Confirmations | None = None
    finality: Tag | None = None


class TermsEntry(Struct, frozen=True, kw_only=True):
    """What is asked of one asset, as written."""

    tiers: tuple[Any, ...] = ()
    second_opinion_above: Coins | None = None
    sweep_min: Coins = "0"
    refund_per_day_max: Coins | None = None
    prices: dict[str, Any] = {}


class Bounds(NamedTuple):
    """What a chain can keep of what is asked of its assets."""

    finality_depth: int
    block_seconds: float
    endpoints: int


def read_terms(
    entry: TermsEntry, decimals: int, path: Steps, sheet: Sheet, bounds: Bounds | None
) -> Terms:
    """Read what is asked of an asset. Without bounds, what they would say is left unsaid."""
    tiers: list[Tier] = []
    for index, written in enumerate(entry.tiers):
        place = (*path, "tiers", index)
        tier = read_tier(written, decimals, place, sheet, bounds)
        if tier and tiers and tier.below <= tiers[-1].below:
            sheet.fault(
                (*place, "below"), "is not above that of the tier before; begin with the lowest"
            )
        if tier:
            tiers.append(tier)
    above = None
    if entry.second_opinion_above is not None:
        place = (*path, "second_opinion_above")
        above = told(sheet, place, base_units, entry.second_opinion_above, decimals)
        if bounds and bounds.endpoints < 2:  # noqa: PLR2004  one that says it, one to ask
            sheet.fault(place, "needs a second endpoint; list two operators in rpc_urls")
    least = told(sheet, (*path, "sweep_min"), base_units, entry.sweep_min, decimals)
    daily = None
    if entry.refund_per_day_max is not None:
        place = (*path, "refund_per_day_max")
        daily = told(sheet, place, base_units, entry.refund_per_day_max, decimals)
    return Terms(
        tiers=tuple(tiers),
        second_opinion_above=above,
        sweep_min=least or Amount(0),
        refund_per_day_max=daily,
    )


def read_tier(
    written: object, decimals: int, path: Steps, sheet: Sheet, bounds: Bounds | None
) -> Tier | None:
    """Read one tier."""
    entry = read_entry(TierEntry, written, path, sheet, RULES)
    fits = names_one_depth(written, path, sheet)
    if entry is None:
        return None
    below = told(sheet, (*path, "below"), base_units, entry.below, decimals)
    if below == 0:
        sheet.fault((*path, "below"), "must be above 0, as no payment is smaller")
    depth = read_depth(entry.confirmations, entry.finality, path, sheet, bounds)
    return Tier(below=below, depth=depth) if fits and below is not None else None


def names_one_depth(entry: object, path: Steps, sheet: Sheet) -> bool:
    """Tell, and say, whether an entry has exactly one of confirmations and finality."""
    if not isinstance(entry, dict):
        return False
    fits = (entry.get("confirmations") is None) != (entry.get("finality") is None)
    if not fits:
        sheet.fault(path, EITHER)
    return fits


def read_depth(
    confirmations: str | None, tag: Tag | None, path: Steps, sheet: Sheet, bounds: Bounds | None
) -> Depth:
    """Read the one of confirmations and finality that is given."""
    if confirmations is None:
        return Depth(tag=tag)
    depth = parse_depth(confirmations)
    if bounds and blocks(depth, bounds.block_seconds) > bounds.finality_depth:
        at_pace = ", at block_seconds," if depth.seconds else ""
        sheet.fault(
            (*path, "confirmations"),
            f"is{at_pace} deeper than finality_depth; lower this or raise that",
        )
    return depth


def parse_depth(text: str) -> Depth:
    """Read a number of blocks or a time."""
    if BLOCKS.fullmatch(text) and int(text) <= DEPTH_MAX:
        return Depth(blocks=int(text))
    if found := TIME.fullmatch(text):
        seconds = float(found[1]) * UNIT_SECONDS[found[2]]
        if 0 < seconds <= DEPTH_SECONDS_MAX:
            return Depth(seconds=seconds)
    raise Unusable(f"must be {DEPTH_WORDS}")


def is_depth(text: str | None) -> None:
    """Refuse what is no depth."""
    if text is not None:
        parse_depth(text)


def blocks(depth: Depth, block_seconds: float) -> int:
    """Return a depth in blocks, at the pace that chains.yaml gives."""
    return confirmations_for(depth, pace_seconds=block_seconds)


def base_units(text: str, decimals: int) -> Amount:
    """Turn whole coins into base units, exactly."""
    whole, _, part = text.partition(".")
    if len(part) > decimals:
        raise Unusable(f"has more decimals than its asset, which has {decimals}; round it")
    amount = int(whole + part.ljust(decimals, "0"))
    if amount > AMOUNT_MAX:
        raise Unusable("is more than there can be, 2^256-1 base units; lower it")
    return Amount(amount)


def told(sheet: Sheet, path: Steps, read: Callable[..., T], *given: object) -> T | None:
    """Return what is read, or None when the fault in it was told."""
    try:
        return read(*given)
    except Unusable as fault:
        sheet.fault(path, str(fault))
        return None


RULES: Final[Mapping[str, Rule]] = {"confirmations": is_depth}
