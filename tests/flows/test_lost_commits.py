"""Criterion 5: a commit whose answer is lost is read again, and not repeated."""

from collections.abc import AsyncIterator

import pytest

from ctrip.core.payment import Payment, Status
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.world import World, address
from tests.support.tcp_proxy import AFTER, BEFORE, Proxy, proxy_before

ROUNDS = 100


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    async with proxy_before(database) as proxy:
        yield proxy


@pytest.fixture
async def behind(proxy: Proxy) -> AsyncIterator[Pool]:
    """A pool that knows the database through the proxy only."""
    pool = await store.connect(Secret(proxy.url), size_max=4)
    yield pool
    pool.terminate()


async def test_payments_whose_commit_was_not_heard_exist_once(
    world: World, proxy: Proxy, behind: Pool
) -> None:
    world.creator = world.creator_on(behind)
    made: list[Payment] = []
    for number in range(ROUNDS):
        proxy.loses(AFTER)
        made.append(await world.create(100 + number))
    assert proxy.lost == proxy.commits == ROUNDS, "each was written once and read again"
    await each_exists_once(world, made)


async def test_payments_whose_commit_never_arrived_are_written_by_the_second_try(
    world: World, proxy: Proxy, behind: Pool
) -> None:
    world.creator = world.creator_on(behind)
    made: list[Payment] = []
    for number in range(20):
        proxy.loses(BEFORE)
        made.append(await world.create(100 + number))
    assert proxy.lost == 20
    await each_exists_once(world, made)


async def test_a_create_that_gives_up_has_written_nothing(
    world: World, proxy: Proxy, behind: Pool
) -> None:
    world.creator = world.creator_on(behind)
    proxy.loses(BEFORE, 2)
    with pytest.raises(DatabaseOutage):
        await world.create()
    assert not await world.rows("SELECT FROM payments")
    assert not await world.rows("SELECT FROM events")
    await each_exists_once(world, [await world.create()])


async def test_money_whose_commit_was_not_heard_is_credited_once(
    world: World, proxy: Proxy, behind: Pool
) -> None:
    payments = []
    for _ in range(20):
        payment = await world.create(100)
        payments.append(payment)
        world.chain.pay(address(payment), 100)
        world.chain.mine()
        proxy.loses(AFTER)
        with pytest.raises(DatabaseOutage):
            await world.watcher(behind).run_once()
        assert (await world.now(payment)).status is Status.DETECTED, "it had happened"
        await world.watcher(behind).run_once()
    await world.mine(3)
    for payment in payments:
        assert await world.told(payment) == ["created", "detected", "confirmed", "paid", "settled"]
        assert (await world.now(payment)).amount_received == 100


async def test_money_whose_commit_never_arrived_is_found_again(
    world: World, proxy: Proxy, behind: Pool
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    world.chain.mine()
    for _ in range(5):
        proxy.loses(BEFORE)
        with pytest.raises(DatabaseOutage):
            await world.watcher(behind).run_once()
        assert await world.told(payment) == ["created"]
    await world.watcher(behind).run_once()
    assert await world.told(payment) == ["created", "detected"]


async def each_exists_once(world: World, made: list[Payment]) -> None:
    rows = await world.rows("SELECT id, address, amount FROM payments")
    assert sorted((row["id"], row["address"], row["amount"]) for row in rows) == sorted(
        (payment.id, payment.address, payment.amount) for payment in made
    )
    for payment in made:
        assert await world.told(payment) == ["created"]
