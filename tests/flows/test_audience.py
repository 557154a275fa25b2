"""Listeners hear of their payment all there is, once and in order, whoever else listens."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from ctrip.core.ids import NOBODY, KeyId, PaymentId
from ctrip.dev.postgres import Cluster
from ctrip.flows import audience as flow
from ctrip.flows.audience import HELD_MAX, Audience, Listener
from ctrip.store import pool as store
from ctrip.store.pool import Conn, DatabaseOutage, Pool
from tests.support.builders import CREATED
from tests.support.changes import an_open_payment, change, open_payments, write_change
from tests.support.clock import FakeClock
from tests.support.one_database import one_database

KEY = KeyId(uuid4())
WRITERS = 4
CHANGES_EACH = 30


@pytest.fixture(scope="module")
async def pool(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """One database for all: no payment of one test is another's."""
    async with one_database("audience", cluster, template, admin) as pool:
        yield pool


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "GAP_SECONDS", 0.005)


@pytest.fixture
def audience(pool: Pool) -> Audience:
    return Audience(pool, FakeClock(CREATED), silence_seconds=5)


async def told(listener: Listener) -> list[int]:
    """Return the sequences of what was handed."""
    return [one.sequence for one in await listener.take()]


async def test_a_listener_is_handed_what_comes_after_its_place_in_order(
    audience: Audience, pool: Pool
) -> None:
    payment = await an_open_payment(pool)
    for _ in range(3):
        await change(pool, payment)
    with audience.listener(payment, NOBODY, after=2) as listener:
        await audience.run_once()
        assert await told(listener) == [3, 4]
        await change(pool, payment)
        await audience.run_once()
        assert await told(listener) == [5]


async def test_each_hears_of_its_own_payment_only(audience: Audience, pool: Pool) -> None:
    one, other = await open_payments(pool, 2)
    with (
        audience.listener(one, NOBODY, after=1) as ours,
        audience.listener(other, NOBODY, after=1) as theirs,
    ):
        await change(pool, one)
        await change(pool, other, one)
        await audience.run_once()
        assert [(one.payment_id, one.sequence) for one in await ours.take()] == [(one, 2), (one, 3)]
        assert [one.payment_id for one in await theirs.take()] == [other]


async def test_listeners_of_one_payment_are_each_at_a_place_of_their_own(
    audience: Audience, pool: Pool
) -> None:
    payment = await an_open_payment(pool)
    await change(pool, payment)
    with (
        audience.listener(payment, NOBODY, after=0) as behind,
        audience.listener(payment, NOBODY, after=2) as abreast,
    ):
        await change(pool, payment)
        await audience.run_once()
        assert await told(behind) == [1, 2, 3]
        assert await told(abreast) == [3]


async def test_what_commits_late_is_handed_all_the_same(audience: Audience, pool: Pool) -> None:
    slow, fast = await open_payments(pool, 2)
    with (
        audience.listener(slow, NOBODY, after=1) as patient,
        audience.listener(fast, NOBODY, after=1) as other,
    ):
        async with pool.acquire() as conn:
            began = conn.transaction()
            await began.start()
            await write_change(conn, [slow])
            await change(pool, fast)
            await audience.run_once()
            assert await told(other) == [2]
            assert patient.reached == 1
            await began.commit()
        await audience.run_once()
        assert await told(patient) == [2]


async def test_one_that_does_not_take_holds_a_bounded_number_and_nobody_up(
    audience: Audience, pool: Pool
) -> None:
    payment = await an_open_payment(pool)
    with (
        audience.listener(payment, NOBODY, after=1) as asleep,
        audience.listener(payment, NOBODY, after=1) as awake,
    ):
        heard: list[int] = []
        for _ in range(2 * HELD_MAX):
            await change(pool, payment)
            await audience.run_once()
            heard += await told(awake)
        assert heard == list(range(2, 2 + 2 * HELD_MAX))
        assert asleep.reached == 1 + HELD_MAX
        audience.wake.clear()
        slept = await told(asleep)
        assert audience.wake.is_set()  # for the rest
        await audience.run_once()
        assert slept + await told(asleep) == heard


class Counting(asyncpg.Connection):
    """A connection that counts what it is asked for."""

    asked = 0

    async def fetch(self, *args: Any, **how: Any) -> Any:
        Counting.asked += 1
        return await super().fetch(*args, **how)


async def test_however_many_listen_a_pass_asks_once(pool: Pool, cluster: Cluster) -> None:
    ids = await open_payments(pool, 60)
    async with asyncpg.create_pool(
        cluster.url_of("audience"),
        min_size=1,
        max_size=1,
        connection_class=Counting,
        init=store.speak,
    ) as counted:
        audience = Audience(counted, FakeClock(CREATED))
        for count in (1, 60):
            with ExitStack() as stack:
                listeners = [
                    stack.enter_context(audience.listener(payment, NOBODY, after=0))
                    for payment in ids[:count]
                ]
                Counting.asked = 0
                await audience.run_once()
                assert Counting.asked == 1
                assert [await told(one) for one in listeners] == [[1]] * count


async def test_who_has_no_listeners_reads_nothing() -> None:
    audience = Audience(asyncpg.create_pool(), FakeClock(CREATED))  # that was never opened
    assert not await audience.run_once()
    with (
        audience.listener(PaymentId(uuid4()), NOBODY, after=0),
        pytest.raises(DatabaseOutage),
    ):
        await audience.run_once()
    assert not await audience.run_once()


async def test_passes_keep_a_distance_however_much_news_there_is(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "GAP_SECONDS", 0.05)
    loop = asyncio.get_running_loop()
    with audience.listener(await an_open_payment(pool), NOBODY, after=1):
        began = loop.time()
        for _ in range(4):
            await audience.run_once()
        assert loop.time() - began >= 3 * flow.GAP_SECONDS


async def test_who_joins_wakes_the_next_pass(audience: Audience, pool: Pool) -> None:
    """For what was committed between the look at the payment and the joining."""
    payment = await an_open_payment(pool)
    audience.wake.clear()
    with audience.listener(payment, NOBODY, after=1):
        assert audience.wake.is_set()
        await audience.run_once()
        assert not audience.wake.is_set()


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_missed_or_heard_twice_however_all_of_it_falls(
    pool: Pool, seed: int
) -> None:
    """Changes commit when they like, listeners come and go, passes run meanwhile."""
    dice = random.Random(seed)
    audience = Audience(pool, FakeClock(CREATED))
    ids = await open_payments(pool, 6)
    last = 1 + WRITERS * CHANGES_EACH // len(ids)

    async def write(orders: list[PaymentId], chance: random.Random) -> None:
        for payment in orders:
            async with pool.acquire() as conn, conn.transaction():
                await write_change(conn, [payment])
                await asyncio.sleep(chance.choice([0, 0, 0.01]))

    async def listen(payment: PaymentId, chance: random.Random) -> list[int]:
        heard: list[int] = []
        while not heard or heard[-1] < last:
            with audience.listener(payment, NOBODY, after=len(heard)) as listener:
                for _ in range(chance.randint(1, 3)):
                    heard += await told(listener)
                    if heard[-1] == last:
                        break
        return heard

    orders = ids * (last - 1)
    dice.shuffle(orders)
    writing = [
        asyncio.create_task(write(orders[n::WRITERS], random.Random(dice.random())))
        for n in range(WRITERS)
    ]
    listening = [
        asyncio.create_task(listen(payment, random.Random(dice.random()))) for payment in ids * 3
    ]
    async with asyncio.timeout(20):
        while not all(one.done() for one in listening):
            await audience.run_once()
            await asyncio.sleep(0)
    await asyncio.gather(*writing)
    for one in listening:
        assert await one == list(range(1, last + 1)), f"seed {seed}"
