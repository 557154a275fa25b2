"""Prices become amounts at the rate of a feed, or the payment is refused."""

import asyncio
from datetime import timedelta
from typing import Final

import pytest
from msgspec.structs import replace

from ctrip.core.chains import Token
from ctrip.core.finality import Terms
from ctrip.core.ids import Amount, RawAddress, raw
from ctrip.core.price import BadPrice, NoRound, Price, Quote, Round
from ctrip.flows.price import PriceNotOffered, Pricer, PriceUnavailable
from tests.flows.pricing import (
    ETHER,
    FEED,
    FLOATING,
    HASTY,
    OTHER_FEED,
    STABLE,
    TWENTY,
    a_round,
)
from tests.support.builders import CHAIN, TOKEN
from tests.support.clock import START, FakeClock
from tests.support.fake_chain import FakeChain


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.feeds[raw(FEED)] = a_round()
    return chain


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pricer(chain: FakeChain, clock: FakeClock) -> Pricer:
    return Pricer({CHAIN: chain}, clock)


async def test_a_price_in_dollars_becomes_ether(pricer: Pricer) -> None:
    amount, quote = await pricer.convert(TWENTY, ETHER, None)
    assert amount == 8 * 10**15  # 20 / 2500
    assert quote == Quote(
        currency="USD",
        amount="20",
        rate="2500",
        source=FEED,
        chain=CHAIN,
        round_id=str(2**66 + 1),
        updated_at=START - timedelta(seconds=60),
        read_at=START,
    )


async def test_a_pinned_token_needs_no_feed(pricer: Pricer, chain: FakeChain) -> None:
    chain.is_down = True
    priced = await pricer.convert(Price("USD", "19.99"), ETHER, STABLE)
    assert priced.amount == 19_990_000
    assert (priced.quote.source, priced.quote.rate, priced.quote.read_at) == ("pinned", "1", START)
    assert chain.asked["round"] == 0


async def test_a_token_is_not_worth_what_its_coin_is(pricer: Pricer, chain: FakeChain) -> None:
    chain.feeds[raw(OTHER_FEED)] = a_round(answer=99_000_000)
    priced = await pricer.convert(Price("USD", "0.99"), ETHER, FLOATING)
    assert (priced.amount, priced.quote.source) == (1_000_000, OTHER_FEED)


@pytest.mark.parametrize(
    ("price", "token"),
    [(Price("EUR", "20"), None), (Price("EUR", "20"), STABLE), (TWENTY, TOKEN)],
    ids=["other currency", "other currency of a stable token", "token without prices"],
)
async def test_a_rate_that_is_not_configured_is_never_one_to_one(
    pricer: Pricer, price: Price, token: Token | None
) -> None:
    with pytest.raises(PriceNotOffered, match=r"^No price of (ETH|TEST) on anvil in (EUR|USD) "):
        await pricer.convert(price, ETHER, token)


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (a_round(answer=0), "says zero"),
        (a_round(answer=-1), "says less than zero"),
        (a_round(updated_at=0), "has begun a round and not ended it"),
        (a_round(answered_in=1), "carries an answer over"),
        (a_round(updated_at=int(START.timestamp()) - 3_901), "was last updated 65 min ago"),
        (a_round(updated_at=int(START.timestamp()) + 61), "was updated in the future"),
        (NoRound("does not answer as a feed does"), "does not answer as a feed does"),
    ],
)
async def test_a_round_that_may_not_be_used_refuses_and_says_why(
    pricer: Pricer, chain: FakeChain, read: Round | NoRound, why: str
) -> None:
    chain.feeds[raw(FEED)] = read
    with pytest.raises(
        PriceUnavailable, match=f"USD now: the feed {FEED} on anvil {why}"
    ) as caught:
        await pricer.convert(TWENTY, ETHER, None)
    assert (caught.value.code, caught.value.retry_after_seconds) == ("price_unavailable", 15)


async def test_endpoints_that_are_down_are_an_outage(pricer: Pricer, chain: FakeChain) -> None:
    chain.is_down = True
    with pytest.raises(PriceUnavailable, match="cannot be read now"):
        await pricer.convert(TWENTY, HASTY, None)
    chain.is_down = False
    assert (await pricer.convert(TWENTY, HASTY, None)).amount == 8 * 10**15


async def test_a_chain_that_stands_still_sells_nothing(pricer: Pricer, clock: FakeClock) -> None:
    clock.move(seconds=301)
    with pytest.raises(PriceUnavailable, match="was read in a block of 5 min ago"):
        await pricer.convert(TWENTY, ETHER, None)


async def test_a_price_beyond_all_money_is_the_callers_fault(
    pricer: Pricer, chain: FakeChain
) -> None:
    chain.feeds[raw(FEED)] = a_round(answer=1, decimals=36)
    with pytest.raises(BadPrice):
        await pricer.convert(
            Price("USD", "999999999999999"), replace(ETHER, coin_decimals=77), None
        )


async def test_who_asks_a_block_later_hears_the_new_rate(pricer: Pricer, chain: FakeChain) -> None:
    await pricer.convert(TWENTY, HASTY, None)
    chain.feeds[raw(FEED)] = a_round(answer=500_000_000_000)
    assert (await pricer.convert(TWENTY, HASTY, None)).amount == 4 * 10**15


async def test_a_reading_that_is_kept_is_judged_again(
    pricer: Pricer, chain: FakeChain, clock: FakeClock
) -> None:
    chain.feeds[raw(FEED)] = a_round(updated_at=int(START.timestamp()) - 3_890)
    await pricer.convert(TWENTY, ETHER, None)
    clock.move(seconds=11)
    with pytest.raises(PriceUnavailable, match="was last updated 65 min ago"):
        await pricer.convert(TWENTY, ETHER, None)
    assert chain.asked["round"] == 1


async def test_an_outage_is_news_for_all_who_wait(pricer: Pricer, chain: FakeChain) -> None:
    chain.is_down = True
    asked = [pricer.convert(TWENTY, ETHER, None) for _ in range(20)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in told} == {PriceUnavailable}
    assert chain.asked["round"] == 1


class SlowChain(FakeChain):
    """A chain whose answer about a round takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.feeds[raw(FEED)] = a_round()
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def rounds(self, feed: RawAddress, *, count: int = 2) -> list[Round | NoRound]:
        self.is_asked.set()
        await self.may_answer.wait()
        return await super().rounds(feed, count=count)


async def test_who_asks_within_a_block_shares_one_reading(clock: FakeClock) -> None:
    slow = SlowChain()
    pricer = Pricer({CHAIN: slow}, clock)
    prices = [Price("USD", str(n)) for n in range(1, 101)]
    asked = asyncio.gather(*(pricer.convert(price, ETHER, None) for price in prices))
    await slow.is_asked.wait()
    slow.may_answer.set()
    assert [priced.amount for priced in await asked] == [n * 4 * 10**14 for n in range(1, 101)]
    assert slow.asked["round"] == 1


async def test_who_gives_up_leaves_the_reading_to_the_next(clock: FakeClock) -> None:
    slow = SlowChain()
    pricer = Pricer({CHAIN: slow}, clock)
    first = asyncio.ensure_future(pricer.convert(TWENTY, ETHER, None))
    second = asyncio.ensure_future(pricer.convert(TWENTY, ETHER, None))
    await slow.is_asked.wait()
    first.cancel()
    slow.may_answer.set()
    assert (await second).amount == 8 * 10**15
    assert first.cancelled()
    assert slow.asked["round"] == 1


async def test_an_answer_that_does_not_come_is_not_waited_for(clock: FakeClock) -> None:
    pricer = Pricer({CHAIN: SlowChain()}, clock, read_seconds=0.01)
    asked = [pricer.convert(TWENTY, ETHER, None) for _ in range(50)]
    async with asyncio.timeout(2):
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in told} == {PriceUnavailable}


DOUBTED: Final = replace(ETHER, coin_terms=Terms(second_opinion_above=Amount(10**30)))


@pytest.mark.parametrize("answer", [250_000_000_000, 245_100_000_000, 255_000_000_000])
async def test_of_two_endpoints_a_round_apart_the_lower_rate_counts(
    pricer: Pricer, chain: FakeChain, answer: int
) -> None:
    chain.second_feeds[raw(FEED)] = a_round(answer=answer)
    lower = min(answer, 250_000_000_000)
    assert (await pricer.convert(TWENTY, DOUBTED, None)).amount == -(-20 * 10**26 // lower)


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (a_round(answer=245_000_000_000), "is told otherwise by a second endpoint"),
        (a_round(answer=2_500), "is told otherwise by a second endpoint"),
        (a_round(answer=-250_000_000_000), "is told otherwise by a second endpoint"),
        (a_round(answer=0), "is told otherwise by a second endpoint"),
        (a_round(decimals=18), "is told otherwise by a second endpoint"),
        (NoRound("does not answer"), "does not answer, says a second endpoint"),
        (None, "cannot be read now"),
    ],
)
async def test_a_rate_that_a_second_endpoint_does_not_know_is_not_sold_at(
    pricer: Pricer, chain: FakeChain, second: Round | NoRound | None, why: str
) -> None:
    if second:
        chain.second_feeds[raw(FEED)] = second
    with pytest.raises(PriceUnavailable, match=why):
        await pricer.convert(TWENTY, DOUBTED, None)
    assert (await pricer.convert(TWENTY, ETHER, None)).amount == 8 * 10**15
