"""Turn a price into an amount, at a rate read on the payment's own chain.

Where an asset's entry asks for second opinions, a second endpoint must tell of the same rate,
whatever the amount: a lie about the rate would make any amount small.

A rate is read once for all who ask within a block's time, and so is the news that there is
none: who asks meanwhile waits for the one reading. Each time the round is judged anew, and
whatever is wrong with it refuses the payment. Nothing stands in for a rate.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Final, NamedTuple

from ctrip import logs
from ctrip.chain.client import ChainClient
from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.ids import Address, Amount, ChainName, raw
from ctrip.core.price import (
    NoRound,
    Price,
    Quote,
    RateSource,
    Round,
    agreed,
    convert,
    fault_of,
    pinned,
    quote_of,
    rate_of,
)

READ_SECONDS_MAX: Final = 5.0  # a shop's customer waits for this; a node takes a tenth of one
KEPT_SECONDS_MAX: Final = 15.0  # of a reading, on chains with slower blocks
RETRY_AFTER_SECONDS: Final = 15  # a feed that is late is sent by then, and an endpoint was changed

log = logs.get("ctrip.price")


class PriceNotOffered(RequestError):
    """No rate between this currency and this coin is configured."""

    code = "price_not_offered"


class PriceUnavailable(OutageError):
    """There is no rate that may be sold at. The text is for callers: it names feed and fault."""

    status = 503
    code = "price_unavailable"
    retry_after_seconds = RETRY_AFTER_SECONDS


class Priced(NamedTuple):
    """What is to be paid, and why so much."""

    amount: Amount
    quote: Quote


class Reading(NamedTuple):
    """What a feed said, when it was asked."""

    read: Round | NoRound
    at: datetime
    until: float  # by the loop's clock


class Feed:
    """One feed, read by one asker at a time."""

    def __init__(
        self,
        client: ChainClient,
        address: Address,
        *,
        is_doubted: bool,
        kept_seconds: float,
        read_seconds: float,
    ) -> None:
        self._client = client
        self._address = address
        self._is_doubted = is_doubted  # one endpoint's word is not enough
        self._kept_seconds = kept_seconds
        self._read_seconds = read_seconds
        self._reading: Reading | None = None
        self._turn = asyncio.Lock()

    async def reading(self, clock: Clock) -> Reading:
        """Return what the feed says, or said a moment ago."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._reading is None or now >= self._reading.until:
                at = clock.now()
                read = await self._read()
                until = asyncio.get_running_loop().time() + self._kept_seconds
                self._reading = Reading(read, at, until)
            return self._reading

    async def _read(self) -> Round | NoRound:
        feed = raw(self._address)
        try:
            async with asyncio.timeout(self._read_seconds):
                if self._is_doubted:
                    return agreed(*await self._client.rounds(feed))
                return await self._client.round(feed)
        except TimeoutError:
            why = f"no answer within {self._read_seconds:g} seconds"
        except OutageError as fault:
            why = str(fault)
        log.warning("feed not read", feed=self._address, why=why)
        return NoRound("cannot be read now")


class Pricer:
    """Converts prices on the networks served."""

    def __init__(
        self,
        clients: Mapping[ChainName, ChainClient],
        clock: Clock,
        *,
        read_seconds: float = READ_SECONDS_MAX,
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._read_seconds = read_seconds
        self._feeds: dict[tuple[ChainName, Address, bool], Feed] = {}

    async def convert(self, price: Price, chain: Chain, token: Token | None) -> Priced:
        """Return what a price is in a chain's coin or in a token of it.

        Raises BadPrice, PriceNotOffered or PriceUnavailable.
        """
        source = source_of(price, chain, token)
        decimals = token.decimals if token else chain.coin_decimals
        if source.feed is None:
            amount = convert(price, Fraction(1), decimals)
            return Priced(amount, pinned(price, chain.name, self._clock.now()))
        terms = token.terms if token else chain.coin_terms
        is_doubted = terms.second_opinion_above is not None
        feed = self._feed(chain, source.feed, is_doubted=is_doubted)
        reading = await feed.reading(self._clock)
        read = reading.read
        fault = fault_of(read, source.heartbeat_seconds, self._clock.now())
        if fault or isinstance(read, NoRound):
            log.warning("price refused", chain=chain.name, feed=source.feed, why=fault)
            raise PriceUnavailable(
                f"There is no rate to {price.currency} now: "
                f"the feed {source.feed} on {chain.name} {fault}"
            )
        amount = convert(price, rate_of(read), decimals)
        return Priced(amount, quote_of(price, read, source.feed, chain.name, reading.at))

    def _feed(self, chain: Chain, address: Address, *, is_doubted: bool) -> Feed:
        key = (chain.name, address, is_doubted)
        if key not in self._feeds:
            self._feeds[key] = Feed(
                self._clients[chain.name],
                address,
                is_doubted=is_doubted,
                kept_seconds=min(chain.block_seconds, KEPT_SECONDS_MAX),
                read_seconds=self._read_seconds,
            )
        return self._feeds[key]


def source_of(price: Price, chain: Chain, token: Token | None) -> RateSource:
    """Return where the rate stands, or raise PriceNotOffered."""
    for source in token.prices if token else chain.coin_prices:
        if source.currency == price.currency:
            return source
    coin = token.symbol if token else chain.coin
    raise PriceNotOffered(f"No price of {coin} on {chain.name} in {price.currency} is offered")
