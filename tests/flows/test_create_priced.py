"""A payment of so many dollars, from the order to what is shown of it."""

from typing import Any

import pytest

from ctrip.core.ids import raw
from ctrip.core.payment import Payment
from ctrip.core.view import show
from ctrip.flows.create import Order
from ctrip.flows.price import PriceNotOffered, PriceUnavailable
from ctrip.store.pool import Pool
from tests.flows.pricing import ETHER, FEED, STABLE, TWENTY, a_round
from tests.flows.world import World, a_world
from tests.support.builders import new
from tests.support.fake_chain import FakeChain


@pytest.fixture
async def world(pool: Pool) -> World:
    chain = FakeChain()
    chain.feeds[raw(FEED)] = a_round()
    return await a_world(pool, chain, coin_prices=ETHER.coin_prices, tokens=(STABLE,))


async def create(world: World, **asked: Any) -> Payment:
    order = Order(chain=world.served.name, price=TWENTY, **asked)
    return new(await world.creator.create(order))


async def test_what_is_to_be_paid_is_worth_the_price(world: World) -> None:
    payment = await create(world)
    assert payment.amount == 8 * 10**15  # 20 / 2500
    assert await world.now(payment) == payment, "the rate is kept with it"
    shown = show(payment).price
    assert shown
    assert (shown.currency, shown.amount, shown.rate, shown.source) == ("USD", "20", "2500", FEED)


async def test_a_stable_token_is_worth_what_the_operator_says(world: World) -> None:
    payment = await create(world, token_id=STABLE.id)
    assert (payment.amount, payment.quote and payment.quote.source) == (20_000_000, "pinned")


async def test_a_payment_of_an_amount_has_no_price(world: World) -> None:
    payment = await world.create(5)
    assert payment.quote is None
    assert show(payment).price is None


async def test_without_a_rate_there_is_no_payment(world: World) -> None:
    world.chain.feeds[raw(FEED)] = a_round(answer=-1)
    with pytest.raises(PriceUnavailable):
        await create(world)
    assert not await world.rows("SELECT FROM payments")


async def test_a_rate_that_nobody_configured_is_none(pool: Pool) -> None:
    world = await a_world(pool)
    with pytest.raises(PriceNotOffered):
        await create(world)
