"""What has a price, and a feed that tells it, for the tests of prices."""

from typing import Any, Final

from msgspec.structs import replace

from ctrip.core.chains import Chain
from ctrip.core.finality import Depth
from ctrip.core.ids import Address
from ctrip.core.price import Price, RateSource, Round
from ctrip.dev import feed
from tests.support.builders import CHAIN, CHAIN_ID, TOKEN
from tests.support.clock import START

FEED: Final = feed.ADDRESS
OTHER_FEED: Final = Address("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419")
TWENTY: Final = Price("USD", "20")
STABLE: Final = replace(TOKEN, prices=(RateSource(currency="USD"),))
FLOATING: Final = replace(
    TOKEN, prices=(RateSource(currency="USD", feed=OTHER_FEED, heartbeat_seconds=3_600),)
)
ETHER: Final = Chain(
    name=CHAIN,
    chain_id=CHAIN_ID,
    confirmations=Depth(3),
    finality_depth=64,
    poll_interval_seconds=1,
    block_seconds=600,  # so that a test is over before a reading is
    coin_prices=(RateSource(currency="USD", feed=FEED, heartbeat_seconds=3_600),),
)
HASTY: Final = replace(ETHER, block_seconds=1e-9)  # every time is a block later


def a_round(**changes: Any) -> Round:
    """Return a round in which an ether is 2500 dollars, of a minute ago."""
    read = Round(
        answer=250_000_000_000,
        decimals=8,
        round_id=2**66 + 1,
        updated_at=int(START.timestamp()) - 60,
        answered_in=2**66 + 1,
        block_time=START,
    )
    return replace(read, **changes)
