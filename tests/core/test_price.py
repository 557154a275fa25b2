"""Prices: which text is one, what a round must be, and what a price is in a coin, to the unit."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from ctrip.core.ids import AMOUNT_MAX, Address, ChainName
from ctrip.core.price import (
    BadPrice,
    NoRound,
    Price,
    Quote,
    Round,
    convert,
    fault_of,
    parse_price,
    pinned,
    quote_of,
    rate_of,
)

NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND: Final = int(NOW.timestamp())
FEED: Final = Address("0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419")
CHAIN: Final = ChainName("ethereum")
HEARTBEAT: Final = 3_600
PAGE: Final = (Path(__file__).parents[2] / "docs" / "prices.md").read_text("utf-8")
GOOD: Final = Round(
    answer=250_000_000_000,
    decimals=8,
    round_id=129127208515966893596,
    updated_at=SECOND - 60,
    answered_in=129127208515966893596,
    block_time=NOW - timedelta(seconds=10),
)


@pytest.mark.parametrize(
    "amount", ["19.99", "0.000001", "1", "1.0", "0.10", "999999999999999.999999", "100"]
)
def test_a_price_is_decimal_text_and_a_currency(amount: str) -> None:
    price = parse_price("USD", amount)
    assert price == Price("USD", amount)
    assert price.value == Fraction(amount)


@pytest.mark.parametrize(
    "amount",
    [
        19.99, 20, True, None, b"1", ["1"], "", " 1", "1 ", "1\n", "+1", "-1", ".5", "1.", "1e3",
        "1_000", "1,000", "1,5", "01", "00", "0x10", "NaN", "inf", "1/3", "1.0000001", "1" * 16,
        "1" * 10**6, "\u0661", "\uff11", "1.\u0661", "0", "0.0", "0.000000", "$1", "1\x00",
    ],
)  # fmt: skip
def test_what_is_no_amount_of_money_is_refused(amount: Any) -> None:
    with pytest.raises(BadPrice, match=r"^price\.amount must be "):
        parse_price("USD", amount)


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "U$D", "", "USD\n", " USD", None, 840])
def test_what_is_no_currency_is_refused(currency: Any) -> None:
    with pytest.raises(BadPrice, match=r"^price\.currency must be "):
        parse_price(currency, "1")


# By hand: price, answer, decimals of the feed, decimals of the coin, and the coin's units.
GOLDEN: Final = [
    ("19.99", 250_000_000_000, 8, 18, 7_996_000_000_000_000),  # 19.99 / 2500 = 0.007996 exactly
    ("19.99", 100_000_000, 8, 6, 19_990_000),  # a dollar is a dollar
    ("19.99", 99_990_000, 8, 6, 19_992_000),  # 19.991999199...: one unit more
    ("100", 300_000_000_000, 8, 18, 33_333_333_333_333_334),  # a thirtieth, rounded up
    ("1", 3, 0, 18, 333_333_333_333_333_334),  # a feed without decimals
    ("1", 3 * 10**18, 18, 18, 333_333_333_333_333_334),  # the same rate of a feed with 18
    ("0.000001", 250_000_000_000, 8, 6, 1),  # never nothing
    ("5", 200_000_000, 8, 0, 3),  # of a token that cannot be divided
    ("0.1", 100_000_000, 8, 1, 1),  # 0.1 is a tenth, which it is not as a float
    ("0.3", 10_000_000, 8, 1, 30),  # 0.3 / 0.1 is 3, as a float 2.999…
]


@pytest.mark.parametrize(("amount", "answer", "of_feed", "of_coin", "units"), GOLDEN)
def test_prices_that_were_converted_by_hand(
    amount: str, answer: int, of_feed: int, of_coin: int, units: int
) -> None:
    rate = rate_of(replace(GOOD, answer=answer, decimals=of_feed))
    assert convert(Price("USD", amount), rate, of_coin) == units


prices = st.builds(
    lambda whole, part: f"{whole}.{part:06}",
    st.integers(0, 10**15 - 1),
    st.integers(1, 10**6 - 1),
)
rates = st.builds(lambda answer, decimals: Fraction(answer, 10**decimals),
                  st.integers(1, 2**128), st.integers(0, 18))  # fmt: skip
decimal_places = st.integers(0, 18)


@given(prices, rates, decimal_places)
def test_an_amount_covers_the_price_and_less_than_one_unit_more(
    text: str, rate: Fraction, decimals: int
) -> None:
    amount = convert(Price("USD", text), rate, decimals)
    exact = Fraction(text) / rate * 10**decimals
    assert exact <= amount < exact + 1
    assert amount >= 1


@given(prices, prices, rates, decimal_places)
def test_who_pays_a_higher_price_pays_no_less(
    one: str, other: str, rate: Fraction, decimals: int
) -> None:
    low, high = sorted((one, other), key=Fraction)
    amounts = [convert(Price("USD", text), rate, decimals) for text in (low, high)]
    assert amounts == sorted(amounts)


@given(prices, rates, rates, decimal_places)
def test_of_a_coin_that_is_worth_more_no_more_is_paid(
    text: str, one: Fraction, other: Fraction, decimals: int
) -> None:
    cheap, dear = sorted((one, other))
    price = Price("USD", text)
    assert convert(price, dear, decimals) <= convert(price, cheap, decimals)


def test_an_amount_that_no_contract_could_hold_is_refused() -> None:
    tiny = rate_of(replace(GOOD, answer=1, decimals=36))
    with pytest.raises(BadPrice, match=r"2\^256-1"):
        convert(Price("USD", "999999999999999"), tiny, 77)
    assert convert(Price("USD", "1"), Fraction(1, AMOUNT_MAX), 0) == AMOUNT_MAX


def test_a_round_of_another_age_is_stale_in_whole_units() -> None:
    for updated_at, ago in ((1, "20577 d"), (SECOND - 7_199, "119 min"), (SECOND - 7_200, "2 h")):
        fault = fault_of(replace(GOOD, updated_at=updated_at), 60, NOW)
        assert fault == f"was last updated {ago} ago, and is due every 60 s"


def test_a_good_round_has_no_fault() -> None:
    assert fault_of(GOOD, HEARTBEAT, NOW) == ""


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (replace(GOOD, answer=0), "says zero"),
        (replace(GOOD, answer=-1), "says less than zero"),
        (replace(GOOD, updated_at=0), "has begun a round and not ended it"),
        (replace(GOOD, answered_in=GOOD.round_id - 1),
         "carries an answer over from an earlier round"),
        (replace(GOOD, updated_at=SECOND + 61), "was updated in the future"),
        (replace(GOOD, updated_at=2**256 - 1), "was updated in the future"),
        (replace(GOOD, updated_at=SECOND - 3_901),
         "was last updated 65 min ago, and is due every 60 min"),
        (replace(GOOD, block_time=NOW - timedelta(seconds=301)),
         "was read in a block of 5 min ago, the newest there is"),
        (NoRound("does not answer as a feed does"), "does not answer as a feed does"),
    ],
)  # fmt: skip
def test_a_round_that_may_not_be_used_says_why(read: Round | NoRound, fault: str) -> None:
    assert fault_of(read, HEARTBEAT, NOW) == fault
    assert f"`{fault}`" in PAGE


@pytest.mark.parametrize(
    "read",
    [
        replace(GOOD, updated_at=SECOND - 3_900),
        replace(GOOD, updated_at=SECOND + 60),
        replace(GOOD, block_time=NOW - timedelta(seconds=300)),
        replace(GOOD, block_time=NOW + timedelta(seconds=15)),
        replace(GOOD, answered_in=GOOD.round_id + 1),
        replace(GOOD, round_id=0, answered_in=0),  # feeds that count no rounds
        replace(GOOD, answer=1),
    ],
)
def test_a_round_may_be_at_its_limits(read: Round) -> None:
    assert fault_of(read, HEARTBEAT, NOW) == ""


def test_a_quote_is_all_that_one_needs_to_check_the_amount() -> None:
    quote = quote_of(Price("USD", "19.99"), GOOD, FEED, CHAIN, NOW)
    assert quote == Quote(
        currency="USD",
        amount="19.99",
        rate="2500",
        source=FEED,
        chain=CHAIN,
        round_id="129127208515966893596",
        updated_at=NOW - timedelta(seconds=60),
        read_at=NOW,
    )
    assert Fraction(quote.rate) == rate_of(GOOD)
    assert json.decode(json.encode(quote), type=Quote) == quote


def test_a_pinned_quote_names_no_round() -> None:
    quote = pinned(Price("USD", "19.99"), CHAIN, NOW)
    assert (quote.rate, quote.source, quote.round_id, quote.updated_at) == (
        "1",
        "pinned",
        None,
        None,
    )


@given(st.integers(1, 2**255 - 1), st.integers(0, 36))
def test_the_rate_that_is_kept_is_exact(answer: int, decimals: int) -> None:
    read = replace(GOOD, answer=answer, decimals=decimals)
    quote = quote_of(Price("USD", "1"), read, FEED, CHAIN, NOW)
    assert Fraction(quote.rate) == rate_of(read)
    assert "e" not in quote.rate.lower()
