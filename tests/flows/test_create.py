"""Making payments: alone, in crowds, and when it cannot be done."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from ctrip.core.errors import OutageError
from ctrip.core.ids import Amount, ChainName, TokenId
from ctrip.flows.create import (
    BadWebhookUrl,
    ChainNotWatched,
    Order,
    TokenNotFound,
    UnsupportedChain,
)
from ctrip.flows.enroll import BATCH_MAX
from ctrip.settings import Payments
from ctrip.store.pool import Pool
from tests.flows.world import ANVIL, WALLET, World
from tests.support.builders import TOKEN
from tests.support.clock import FakeClock
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool


async def test_a_payment_has_an_address_of_our_wallet(world: World) -> None:
    made = [await world.create(), await world.create_usd()]
    assert [p.address for p in made] == [WALLET.address(0), WALLET.address(1)]
    assert made[1].token_id == TOKEN.id
    for payment in made:
        assert await world.now(payment) == payment
        assert payment.expires_at - payment.created_at == timedelta(minutes=30)
        assert payment.watched_until - payment.expires_at == timedelta(hours=24)
    assert world.news.is_set()


async def test_a_crowd_is_served_in_few_transactions(world: World) -> None:
    counting = FlakyPool(world.pool)
    world.creator = world.creator_on(counting.as_pool())
    made = await asyncio.gather(*(world.create(1 + n) for n in range(BATCH_MAX * 2 + 40)))
    assert len({p.address for p in made}) == len(made)
    assert counting.statements.count("COMMIT") <= 6
    rows = await world.rows("SELECT id FROM payments")
    assert {row["id"] for row in rows} == {p.id for p in made}
    events = await world.rows("SELECT count(*) FROM events JOIN deliveries ON event_id = id")
    assert events[0][0] == len(made)


async def test_callers_that_went_away_hold_nobody_up(world: World) -> None:
    """More of them than one batch holds wait before the one who stays."""
    gone = [asyncio.create_task(world.create()) for _ in range(BATCH_MAX + 40)]
    await asyncio.sleep(0)
    stays = asyncio.create_task(world.create(7))
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    async with asyncio.timeout(10):
        payment = await stays
    assert await world.told(payment) == ["created"]
    await asyncio.gather(*gone, return_exceptions=True)


async def test_an_outage_is_told_to_everyone_in_the_batch(world: World) -> None:
    dying = FlakyPool(world.pool, dies_at=4)
    world.creator = world.creator_on(dying.as_pool())
    await world.creator.create(Order(chain=ANVIL.name, amount=Amount(1)))
    broken = FlakyPool(world.pool, dies_at=3)
    world.creator = world.creator_on(broken.as_pool())
    answers = await asyncio.gather(*(world.create() for _ in range(5)), return_exceptions=True)
    failed = [a for a in answers if isinstance(a, BaseException)]
    assert all(isinstance(a, OutageError) for a in failed)
    rows = await world.rows("SELECT count(*) FROM payments")
    assert rows[0][0] == 1 + len(answers) - len(failed)


async def test_what_cannot_be_is_refused_in_a_sentence(world: World) -> None:
    unknown = uuid4()
    with pytest.raises(UnsupportedChain, match=r"^Unsupported chain: nowhere$"):
        await world.creator.create(Order(chain=ChainName("nowhere"), amount=Amount(1)))
    with pytest.raises(TokenNotFound, match=rf"^Token {unknown} not found for chain anvil$"):
        await world.create(token_id=TokenId(unknown))
    for url in ("http://10.0.0.1/", "ftp://shop.example/", "https://user:pw@shop.example/"):
        with pytest.raises(BadWebhookUrl, match=r"^webhook_url"):
            await world.create(webhook_url=url)
    assert not await world.rows("SELECT FROM payments")


async def test_a_disabled_token_cannot_be_asked_for(pool: Pool) -> None:
    off = replace(ANVIL, tokens=(replace(TOKEN, enabled=False),))
    world = World(pool, FakeChain(), FakeClock(), off)
    with pytest.raises(TokenNotFound):
        await world.create_usd()


async def test_a_chain_that_was_never_read_is_not_served_yet(pool: Pool) -> None:
    world = World(pool, FakeChain(), FakeClock(), ANVIL)
    with pytest.raises(ChainNotWatched, match="try again in a moment"):
        await world.create()
    await world.watch()
    await world.create()


async def test_the_shop_may_say_how_long_it_waits(world: World) -> None:
    world.creator = world.creator_on(world.pool, Payments(late_window_seconds=0))
    payment = await world.create(expires_in_seconds=90)
    assert payment.expires_at - payment.created_at == timedelta(seconds=90)
    assert payment.watched_until == payment.expires_at
