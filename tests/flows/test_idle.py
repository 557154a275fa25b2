"""A chain on which nothing may be paid costs next to nothing, and loses nothing."""

import pytest

from ctrip.core.payment import Status
from ctrip.store.pool import Pool
from tests.flows.world import World, a_world, address


async def test_with_nothing_open_only_the_head_is_read(world: World) -> None:
    world.chain.mine(500)
    watcher = world.watcher()
    await watcher.run_once()
    assert world.chain.asked["blocks"] == world.chain.asked["span"] == 0
    assert watcher.pause_seconds() == world.served.idle_interval_seconds
    assert not await world.rows("SELECT FROM rescans")


async def test_a_payment_wakes_a_watcher_that_rests(world: World) -> None:
    watcher = world.watcher()
    await watcher.run_once()
    watcher.something_may_be_paid()
    assert watcher.wake.is_set()
    watcher.wake.clear()
    await world.create()
    await watcher.run_once()
    assert watcher.pause_seconds() == world.served.poll_interval_seconds
    watcher.something_may_be_paid()
    assert not watcher.wake.is_set(), "it is awake"


async def test_a_payment_made_while_a_chain_rests_is_seen(world: World) -> None:
    """It is made, and paid, after the head was asked for, and before the question what is open."""
    world.chain.mine(100)
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    await world.mine(5)
    assert (await world.now(payment)).status is Status.SETTLED


async def test_what_was_paid_before_a_chain_came_to_rest_stays_known(pool: Pool) -> None:
    """A reorg while the chain rests still takes back what it drops."""
    world = await a_world(pool)
    world.chain.finality_lag = 50
    payment = await world.create(expires_in_seconds=60)
    world.clock.set(payment.watched_until)
    world.chain.mine(at=payment.watched_until)
    await world.watch()
    await world.expire()
    assert (await world.now(payment)).closed
    late = world.chain.pay(address(payment), 100)
    another = await world.create()
    await world.mine(2)
    assert [t.key.tx_hash for t in (await world.now(payment)).live()] == [late]
    world.clock.set(another.watched_until)
    world.chain.mine(at=another.watched_until)
    await world.watch()
    await world.expire()
    world.chain.mine(3)
    await world.watch()
    world.chain.reorg(world.chain.tip.number - 1)
    await world.mine(1)
    assert not list((await world.now(payment)).live())


async def test_a_reorg_while_nothing_is_open_is_followed(world: World) -> None:
    world.chain.finality_lag = 50
    for _ in range(5):
        world.chain.mine(3)
        await world.watch()
    world.chain.reorg(7)
    await world.watch()
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    assert (await world.now(payment)).status is Status.PAID


@pytest.mark.parametrize("block_seconds", [86_400, 0.5])
async def test_a_fork_is_found_though_no_block_above_the_final_one_was_kept(
    pool: Pool, block_seconds: float
) -> None:
    """Between two looks ten blocks were made, of which only the last is known to us."""
    world = await a_world(pool, block_seconds=block_seconds)
    payment = await world.create() if block_seconds == 0.5 else None
    world.chain.mine(10)
    await world.watch()
    world.chain.reorg(1)
    world.chain.mine()
    await world.watch()
    payment = payment or await world.create()
    world.chain.pay(address(payment), 100)
    await world.mine(4)
    assert (await world.now(payment)).status is Status.SETTLED
