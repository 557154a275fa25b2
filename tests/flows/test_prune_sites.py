"""Sites that nobody names any more are forgotten, and no news of an old payment is lost by that."""

import asyncio
from datetime import datetime, timedelta

import pytest

from ctrip.core.changes import ClockRead
from ctrip.core.endpoints import SITE_IDLE, SITE_SURE, site_of
from ctrip.core.payment import Payment
from ctrip.flows.apply import apply
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.enroll import SITES_KNOWN_FOR
from ctrip.flows.prune import Pruner
from ctrip.flows.stops import Stops
from ctrip.settings import Webhooks
from ctrip.store import endpoints
from ctrip.store.pool import Conn, Pool, transaction
from ctrip.webhooks.guard import Guard
from tests.flows.world import a_world
from tests.store.rows import written
from tests.support.builders import CREATED
from tests.support.clock import FakeClock

SHOP = "https://shop.example/order/7"
SITE = site_of(SHOP)
MOMENT = timedelta(seconds=1)
IDLE = CREATED + SITE_IDLE + MOMENT  # then it is
WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def pruned(pool: Pool, at: datetime, *, keep_days: int = 7) -> None:
    await Pruner(pool, FakeClock(at), Webhooks(keep_days=keep_days)).run_once()


@pytest.fixture
async def old(conn: Conn) -> Payment:
    """A payment that named a site, which was sent what there was."""
    payment = await written(conn, webhook_url=SHOP)
    await conn.execute("DELETE FROM deliveries")
    return payment


@pytest.mark.usefixtures("old")
async def test_a_site_is_forgotten_when_it_was_idle_for_long(pool: Pool) -> None:
    await pruned(pool, CREATED + SITE_IDLE)
    assert await is_there(pool)
    await pruned(pool, IDLE)
    assert not await is_there(pool)


@pytest.mark.usefixtures("old")
async def test_a_site_is_kept_as_long_as_what_was_sent_to_it(pool: Pool) -> None:
    await pruned(pool, IDLE, keep_days=100)
    assert await is_there(pool)
    await pruned(pool, CREATED + timedelta(days=100) + MOMENT, keep_days=100)
    assert not await is_there(pool)


async def test_a_site_that_something_waits_for_or_that_was_disabled_is_kept(
    pool: Pool, conn: Conn
) -> None:
    await written(conn, webhook_url=SHOP)
    await pruned(pool, IDLE)
    assert await is_there(pool)
    await conn.execute("DELETE FROM deliveries")
    await endpoints.disable(conn, SITE, "by hand", now=CREATED)
    await pruned(pool, IDLE)
    assert await is_there(pool), "or it would be enabled again by its next payment"


@pytest.mark.usefixtures("old")
async def test_other_endpoints_are_never_forgotten(pool: Pool, conn: Conn) -> None:
    await pruned(pool, IDLE)
    assert [one.id for one in await endpoints.all_known(conn)] == ["we_config"]


async def test_news_of_an_old_payment_brings_its_site_back(
    pool: Pool, conn: Conn, old: Payment
) -> None:
    await pruned(pool, IDLE)
    await expire(pool, old, IDLE)
    assert await is_there(pool)
    assert await conn.fetchval("SELECT count(*) FROM deliveries WHERE endpoint_id = $1", SITE) == 2


async def test_news_of_a_payment_names_its_site_before_that_may_be_idle(
    pool: Pool, old: Payment
) -> None:
    await expire(pool, old, CREATED + SITE_SURE + MOMENT)
    async with transaction(pool) as conn:
        await conn.execute("DELETE FROM deliveries")
    await pruned(pool, IDLE)
    assert await is_there(pool)


async def test_news_that_is_being_written_keeps_its_site(pool: Pool, old: Payment) -> None:
    async with transaction(pool) as conn:
        await apply(conn, {old.id: [ClockRead(IDLE)]}, now=IDLE)
        pruning = asyncio.create_task(pruned(pool, IDLE))
        while not pruning.done() and not await conn.fetchval(WAITS):
            pass
    await pruning
    assert await is_there(pool)


async def test_news_waits_for_who_forgets_its_site_and_brings_it_back(
    pool: Pool, old: Payment
) -> None:
    async with transaction(pool) as conn:
        assert await endpoints.forget_sites(conn, named_before=IDLE) == 1
        writing = asyncio.create_task(expire(pool, old, IDLE))
        while not writing.done() and not await conn.fetchval(WAITS):
            pass
    await writing
    assert await is_there(pool)


@pytest.mark.usefixtures("old")
async def test_an_event_that_is_sent_again_by_hand_names_its_site(pool: Pool, conn: Conn) -> None:
    flow = Endpoints(pool, Guard(), Webhooks(), FakeClock(IDLE), asyncio.Event(), Stops())
    event_id = await conn.fetchval("SELECT id FROM events")
    await flow.redeliver(SITE, [event_id])
    await conn.execute("DELETE FROM deliveries")
    await pruned(pool, IDLE)
    assert await is_there(pool)


async def test_a_gateway_that_runs_on_names_the_sites_of_new_payments_each_hour(pool: Pool) -> None:
    world = await a_world(pool)
    began = world.clock.now()
    for _ in range(2):
        await world.create(webhook_url=SHOP)
        world.clock.move(seconds=SITES_KNOWN_FOR.total_seconds())
    [site] = await world.rows("SELECT named_at FROM endpoints WHERE id = $1", SITE)
    assert site["named_at"] == began + SITES_KNOWN_FOR


async def expire(pool: Pool, payment: Payment, now: datetime) -> None:
    """Let a payment expire at last, which is news."""
    async with transaction(pool) as conn:
        assert await apply(conn, {payment.id: [ClockRead(now)]}, now=now)


async def is_there(pool: Pool) -> bool:
    async with transaction(pool) as conn:
        return await endpoints.find(conn, SITE) is not None
