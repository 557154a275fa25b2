"""A price in a currency, and what it is in a coin, at a rate that a contract on the chain tells.

A contract of this kind (Chainlink's, and all that answer as it does) goes from round to
round; each says what one coin is worth. A round is believed if it is whole, above zero,
no older than its feed promises to be, and read in a block that is new itself: an endpoint
that stands still must not sell at an old rate. There is no rate to fall back to.

Everything is exact: integers and fractions, never a float. The amount is rounded up to
the coin's unit, so that nobody pays less than the price.
"""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from msgspec import Struct

from ctrip.core.errors import RequestError
from ctrip.core.ids import AMOUNT_MAX, Address, Amount, ChainName
from ctrip.core.money import in_coins

CURRENCY_TEXT: Final = r"^[A-Z]{3}\Z"  # as in ISO 4217
# Fifteen digits are more than all the money there is; no currency has more than four
# decimals, and who bills by the call wants two more.
PRICE_TEXT: Final = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z"
CURRENCY: Final = re.compile(CURRENCY_TEXT, re.ASCII)
PRICE: Final = re.compile(PRICE_TEXT, re.ASCII)

PINNED: Final = "pinned"  # the source of a rate that the operator has set to 1
FEED_DECIMALS_MAX: Final = 36  # feeds have 8 or 18; more is no feed
GRACE: Final = timedelta(minutes=5)  # a round is sent when it is due, and mined when there is room
BLOCK_AGE_MAX: Final = timedelta(
    minutes=5
)  # of the newest block; older, and the chain stands still
# Two endpoints may be a round apart, and a feed begins one when the price has moved by this.
APART_MAX: Final = Fraction(2, 100)
AHEAD_MAX: Final = timedelta(minutes=1)  # blocks may be dated some seconds ahead of our clock


class BadPrice(RequestError):
    """Not a price, or none that can be asked for in this coin."""

    code = "invalid_price"


class Price(Struct, frozen=True):
    """What something costs in a currency: the amount as it was written, such as 19.99."""

    currency: str
    amount: str

    @property
    def value(self) -> Fraction:
        return Fraction(self.amount)


class RateSource(Struct, frozen=True, kw_only=True):
    """Where it stands what one coin is worth in a currency."""

    currency: str
    feed: Address | None = None  # None: one coin is one unit, by the operator's word
    heartbeat_seconds: int = 0  # between two rounds of the feed, at most


class Round(Struct, frozen=True, kw_only=True):
    """What a feed answered; the times are what the contract says, in seconds since 1970."""

    answer: int  # what one coin is worth, times 10 ** decimals
    decimals: int
    round_id: int
    updated_at: int
    answered_in: int  # the round that the answer is of
    block_time: datetime  # of the newest block that the endpoint has


class NoRound(Struct, frozen=True):
    """A feed that gives no round, and why; the words go on from what it is: "does not …"."""

    why: str


class Quote(Struct, frozen=True, kw_only=True):
    """A price and the rate that it was converted at, kept with its payment."""

    currency: str
    amount: str
    rate: str  # what one whole coin is worth in the currency, exactly
    source: str  # the feed's address, or "pinned"
    chain: ChainName
    round_id: str | None = None  # as text: it has 80 bits
    updated_at: datetime | None = None  # when the feed said so
    read_at: datetime  # when ctrip read it


def parse_price(currency: object, amount: object) -> Price:
    """Read a price from JSON: a currency's three letters, and a decimal number as text."""
    if not isinstance(currency, str) or not CURRENCY.match(currency):
        raise BadPrice("price.currency must be three capital letters, such as USD")
    if not isinstance(amount, str) or not PRICE.match(amount):
        raise BadPrice(
            'price.amount must be a string such as "19.99", '
            "of at most 15 digits before the point and 6 after it"
        )
    if not Fraction(amount):
        raise BadPrice("price.amount must be above 0")
    return Price(currency, amount)


def fault_of(read: Round | NoRound, heartbeat_seconds: int, now: datetime) -> str:
    """Return why a feed's answer may not be used, or nothing."""
    if isinstance(read, NoRound):
        return read.why
    if read.answer <= 0:
        return f"says {'zero' if read.answer == 0 else 'less than zero'}"
    if not read.updated_at:
        return "has begun a round and not ended it"
    if read.answered_in < read.round_id:
        return "carries an answer over from an earlier round"
    if now - read.block_time > BLOCK_AGE_MAX:
        return f"was read in a block of {in_words(now - read.block_time)} ago, the newest there is"
    behind = int(now.timestamp()) - read.updated_at
    if behind < -AHEAD_MAX.total_seconds():
        return "was updated in the future"
    if behind > heartbeat_seconds + GRACE.total_seconds():
        every = in_words(timedelta(seconds=heartbeat_seconds))
        age = timedelta(seconds=behind)
        return f"was last updated {in_words(age)} ago, and is due every {every}"
    return ""


def agreed(first: Round | NoRound, second: Round | NoRound) -> Round | NoRound:
    """Return the round of the lower rate, if two endpoints tell of about the same.

    A rate that is too high sells too cheaply, so nobody gains by telling a little more.
    """
    if isinstance(first, NoRound):
        return first
    if isinstance(second, NoRound):
        return NoRound(f"{second.why}, says a second endpoint")
    apart = abs(rate_of(first) - rate_of(second))
    if apart > APART_MAX * abs(rate_of(second)):
        return NoRound("is told otherwise by a second endpoint")
    return min(first, second, key=rate_of)


def in_words(age: timedelta) -> str:
    """Write a span of time in its largest whole unit."""
    seconds = int(age.total_seconds())
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def convert(price: Price, rate: Fraction, decimals: int) -> Amount:
    """Return a price in base units of a coin that is worth so much, rounded up."""
    exact = price.value * 10**decimals / rate
    amount = -(-exact.numerator // exact.denominator)
    if amount > AMOUNT_MAX:
        raise BadPrice("price.amount is more than there can be of this coin, 2^256-1 base units")
    return Amount(amount)


def rate_of(read: Round) -> Fraction:
    """Return what one whole coin is worth, of a round without a fault."""
    return Fraction(read.answer, 10**read.decimals)


def quote_of(price: Price, read: Round, source: Address, chain: ChainName, at: datetime) -> Quote:
    """Return what to keep of a price that was converted at a round read at some time."""
    return Quote(
        currency=price.currency,
        amount=price.amount,
        rate=in_coins(read.answer, read.decimals),
        source=source,
        chain=chain,
        round_id=str(read.round_id),
        updated_at=datetime.fromtimestamp(read.updated_at, UTC),
        read_at=at,
    )


def pinned(price: Price, chain: ChainName, at: datetime) -> Quote:
    """Return what to keep of a price whose coin is worth one unit of its currency."""
    return Quote(
        currency=price.currency,
        amount=price.amount,
        rate="1",
        source=PINNED,
        chain=chain,
        read_at=at,
    )
