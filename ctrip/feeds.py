"""What a coin or token is worth, as chains.yaml says where to read it.

For each currency there is a feed on the same chain, or the operator's word that one coin is
one unit of it. That word is never taken for granted: a coin without an entry has no price.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from ctrip.checks import Rule, address
from ctrip.core.ids import RawAddress
from ctrip.core.price import CURRENCY, RateSource
from ctrip.sheet import Sheet, Steps, read_entry
from ctrip.wallet.derive import checksum

HEARTBEAT_SECONDS_MAX: Final = 604_800  # a week; what is told more rarely is no price to sell at
EITHER: Final = "must have either feed and heartbeat_seconds, or pinned: true"

Heartbeat = Annotated[int, Meta(ge=1, le=HEARTBEAT_SECONDS_MAX)]


class PriceEntry(Struct, frozen=True, kw_only=True):
    """Where the rate to one currency stands, as written."""

    feed: str | None = None
    heartbeat_seconds: Heartbeat | None = None
    pinned: bool = False


def read_prices(written: Mapping[str, Any], path: Steps, sheet: Sheet) -> tuple[RateSource, ...]:
    """Read where a coin's rates stand, one for each currency."""
    sources = []
    for currency, entry in written.items():
        place = (*path, "prices", currency)
        if not CURRENCY.match(currency):
            sheet.fault(place, "must be three capital letters, such as USD; rename it")
        found = read_entry(PriceEntry, entry, place, sheet, RULES)
        if found is None:
            continue
        is_feed = found.feed is not None and found.heartbeat_seconds is not None
        is_nothing = found.feed is None and found.heartbeat_seconds is None
        if not (is_nothing if found.pinned else is_feed):
            sheet.fault(place, EITHER)
        sources.append(
            RateSource(
                currency=currency,
                feed=checksum(RawAddress(found.feed.lower())) if found.feed else None,
                heartbeat_seconds=found.heartbeat_seconds or 0,
            )
        )
    return tuple(sources)


def feed_address(text: str | None) -> None:
    """Refuse what is no address."""
    if text is not None:
        address(text)


RULES: Final[Mapping[str, Rule]] = {"feed": feed_address}
