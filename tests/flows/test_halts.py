"""Chains that stand still, and endpoints that are out of reach: nobody's time runs meanwhile."""

from datetime import timedelta

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.core.payment import Status
from ctrip.store.pool import Pool
from tests.flows.world import World, a_world, address

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def world(pool: Pool) -> World:
    return await a_world(pool, block_seconds=2)


async def live(world: World, minutes: int) -> None:
    """Let time pass with a block, and a look at it, twice a minute."""
    for _ in range(minutes * 2):
        world.clock.move(seconds=30)
        world.chain.mine(at=world.clock.now())
        await world.watch()
        await world.expire()


async def test_time_that_passes_with_blocks_is_the_payers(world: World) -> None:
    payment = await world.create()
    await live(world, 31)
    now = await world.now(payment)
    assert (now.status, now.extended_seconds) == (Status.EXPIRED, 0)


async def test_a_deadline_moves_by_the_time_that_the_chain_stood_still(world: World) -> None:
    payment = await world.create()
    await live(world, 10)
    world.clock.move(minutes=108)  # as Base did on 2026-06-25, from 16:03 to 17:51
    await world.watch()
    await live(world, 1)
    now = await world.now(payment)
    assert now.extended_seconds == 108 * 60 + 30, "since the last block"
    assert now.expires_at == payment.expires_at + timedelta(seconds=now.extended_seconds)
    assert now.watched_until - now.expires_at == payment.watched_until - payment.expires_at
    world.chain.pay(address(payment), 100)
    await live(world, 15)
    assert (await world.now(payment)).status is Status.SETTLED
    assert "late" not in await world.told(payment)


async def test_a_deadline_moves_by_the_time_in_which_no_endpoint_answered(world: World) -> None:
    payment = await world.create()
    await live(world, 5)
    world.chain.is_down = True
    for _ in range(20):
        world.clock.move(minutes=1)
        world.chain.mine(at=world.clock.now())
        with pytest.raises(ChainOutage):
            await world.watch()
        await world.expire()
    world.chain.is_down = False
    await live(world, 1)
    assert (await world.now(payment)).extended_seconds == 20 * 60 + 30
    await live(world, 40)
    assert await world.told(payment) == ["created", "expired"]


async def test_a_payment_made_during_a_halt_gets_only_its_own_time_back(world: World) -> None:
    await live(world, 1)
    world.clock.move(minutes=10)
    payment = await world.create()
    world.clock.move(minutes=3)
    world.chain.mine(at=world.clock.now())
    await world.watch()
    assert (await world.now(payment)).extended_seconds == 3 * 60


async def test_two_halts_are_both_given_back_and_a_pass_that_is_repeated_is_not(
    world: World,
) -> None:
    payment = await world.create()
    for _ in range(2):
        await live(world, 1)
        world.clock.move(minutes=5)
        await world.watch()
        await world.watch()
    await live(world, 1)
    assert (await world.now(payment)).extended_seconds == 2 * (5 * 60 + 30)


async def test_a_tip_that_every_endpoint_holds_still_is_an_alarm_within_a_minute(
    world: World,
) -> None:
    """As with the served tips of 2026-06: no error anywhere, and no news."""
    await world.create()
    await live(world, 1)
    assert world.health.chain(world.served.name).ok
    for _ in range(7):
        world.clock.move(seconds=10)
        await world.watch()
    part = world.health.chain(world.served.name)
    assert not part.ok
    assert part.why == "no endpoint has shown a new block for 70 seconds"
    await live(world, 1)
    assert world.health.chain(world.served.name).ok


async def test_a_slow_chain_may_be_silent_for_five_of_its_blocks(pool: Pool) -> None:
    world = await a_world(pool, block_seconds=60)
    await world.create()
    await world.watch()
    for passed in range(0, 360, 30):
        assert world.health.chain(world.served.name).ok == (passed <= 300)
        world.clock.move(seconds=30)
        await world.watch()
