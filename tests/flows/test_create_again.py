"""A create that is asked again when it has become impossible: it was made, and that is said."""

from typing import Any, NoReturn
from uuid import uuid4

import pytest
from msgspec.structs import replace

from ctrip.core.idempotency import IdempotencyKey, IdempotencyKeyReused, key_of
from ctrip.core.ids import KeyId, raw
from ctrip.core.view import payment_body
from ctrip.flows.create import Order, TokenNotFound, UnsupportedChain
from ctrip.flows.enroll import Replay
from ctrip.flows.price import PriceUnavailable
from ctrip.flows.stage import NoStage
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.pricing import ETHER, FEED, STABLE, TWENTY, a_round
from tests.flows.world import ANVIL, World, a_world
from tests.support.builders import TOKEN, new
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

OWNER = KeyId(uuid4())


def said(text: str, body: bytes = b"{}") -> IdempotencyKey:
    return key_of(text, "POST", "/api/v1/payments", body)


def an_order(**asked: Any) -> Order:
    given: dict[str, Any] = {"chain": ANVIL.name, "amount": 100, "owner": OWNER} | asked
    return Order(**given)


async def test_it_is_answered_though_there_is_no_rate_any_more(pool: Pool) -> None:
    chain = FakeChain()
    chain.feeds[raw(FEED)] = a_round()
    terms: dict[str, Any] = {"coin_prices": ETHER.coin_prices, "tokens": (STABLE,)}
    world = await a_world(pool, chain, block_seconds=1e-9, **terms)
    order = an_order(amount=None, price=TWENTY, key=said("k"))
    first = new(await world.creator.create(order))
    chain.feeds[raw(FEED)] = a_round(answer=-1)
    assert await world.creator.create(order) == Replay(payment_body(first))
    with pytest.raises(PriceUnavailable):
        await world.creator.create(replace(order, key=said("another")))


async def test_it_is_answered_though_the_token_and_the_chain_are_gone(world: World) -> None:
    order = an_order(token_id=TOKEN.id, key=said("k"))
    first = new(await world.creator.create(order))
    for served, refusal in (
        (replace(ANVIL, tokens=()), TokenNotFound),
        (replace(ANVIL, name="renamed"), UnsupportedChain),
    ):
        world.served = served
        maker = world.creator_on(world.pool)
        assert await maker.create(order) == Replay(payment_body(first))
        for other in (None, said("another"), said("k", b'{"amount": 2}')):
            asked = replace(order, key=other)
            reused = other is not None and other.text == "k"
            with pytest.raises(IdempotencyKeyReused if reused else refusal):
                await maker.create(asked)
        with pytest.raises(refusal):
            await maker.create(replace(order, owner=KeyId(uuid4())))


async def test_it_is_answered_though_no_case_can_be_played_any_more(world: World) -> None:
    def require() -> NoReturn:
        raise NoStage("test_case: 100 cases are being played")

    order = an_order(key=said("k"))
    with pytest.raises(NoStage):
        await world.creator.create(order, require=require)
    first = new(await world.creator.create(order))
    assert await world.creator.create(order, require=require) == Replay(payment_body(first))


async def test_nothing_is_refused_while_nobody_can_look(world: World) -> None:
    """Whether it was made is unknown, so the answer may not be that it was not."""
    world.served = replace(ANVIL, name="renamed")
    maker = world.creator_on(FlakyPool(world.pool, dies_at=1).as_pool())
    with pytest.raises(DatabaseOutage):
        await maker.create(an_order(key=said("k")))
