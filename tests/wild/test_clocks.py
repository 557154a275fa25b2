"""Chains that stand still, and blocks whose time is odd. Nobody's deadline passes unheard.

A payment expires when our clock and the time of the newest block that was read are both
past its deadline; what counts for money is the time of its block.
"""

from datetime import timedelta
from typing import Final

import pytest

from ctrip.core.payment import Status
from ctrip.settings import Payments
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.rpc_proxy import proxy
from tests.wild.world import USD, WHOLE_WAY, WildWorld, a_wild_world, address

HALT: Final = timedelta(minutes=108)  # of Base, on 2026-06-25
PATIENCE: Final = {12.0: 60.0, 1.0: 60.0}  # five blocks, and a minute at least
LOOK_SECONDS: Final = 12.0  # that a look takes by the world's clock
HALF_AN_HOUR: Final = Payments(expires_in_seconds=1_800)


async def test_a_chain_halts_and_goes_on(pool: Pool, anvil: Anvil, block_seconds: float) -> None:
    """Base in 2025 and 2026: an alarm, no payment that expires, and the time given back."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds, terms=HALF_AN_HOUR) as world:
        payment = await world.create_usd(100)
        await world.mine_and_look()
        world.clock.move(seconds=HALT.total_seconds())
        await world.look()
        await world.expire()
        assert "no endpoint has shown a new block" in await world.complaint()
        await world.shows(payment, 0)
        await world.mine_and_look()
        await world.expire()
        assert not await world.complaint()
        now = await world.now(payment)
        assert now.extended_seconds >= HALT.total_seconds()
        assert now.expires_at == payment.expires_at + timedelta(seconds=now.extended_seconds)
        await anvil.mint(USD, address(payment), 100)
        await world.mine_and_look(4)
        await world.expire()
        await world.shows(payment, 100, *WHOLE_WAY)


async def test_all_tips_are_frozen_and_no_endpoint_says_so(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """eRPC in 2026: two endpoints served the same old block without a fault."""
    async with (
        proxy(anvil.url) as first,
        proxy(anvil.url) as second,
        a_wild_world(pool, anvil, [first.url, second.url], block_seconds=block_seconds) as world,
    ):
        payment = await world.create_usd(100)
        await world.mine_and_look()
        since = world.clock.now()
        for endpoint in (first, second):
            await endpoint.plays("frozen tip")
        await anvil.mint(USD, address(payment), 100)
        await until_alarmed(world)
        noticed = (world.clock.now() - since).total_seconds()
        patience = PATIENCE[block_seconds]
        assert patience - LOOK_SECONDS <= noticed <= patience + 3 * LOOK_SECONDS
        await world.expire()
        await world.shows(payment, 0)
        for endpoint in (first, second):
            endpoint.calms()
        await world.mine_and_look(4)
        assert not await world.complaint()
        await world.shows(payment, 100, *WHOLE_WAY)


async def until_alarmed(world: WildWorld) -> None:
    for _ in range(20):
        if "no endpoint has shown a new block" in await world.complaint():
            return
        await world.mine_and_look()
    raise AssertionError("nobody noticed")


async def test_blocks_have_the_same_time(pool: Pool, anvil: Anvil, block_seconds: float) -> None:
    """Chains faster than a second: the order is that of the heights."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        first, second = await world.create_usd(10), await world.create_usd(20)
        at = int(world.clock.now().timestamp()) + 1
        for payment in (first, second):
            await anvil.mint(USD, address(payment), payment.amount)
            await anvil.rpc("evm_setTime", at)
            await anvil.rpc("anvil_setBlockTimestampInterval", 0)
            await anvil.mine(2)
        top = await world.height()
        times = {(await world.block(number))["timestamp"] for number in range(top - 3, top + 1)}
        assert len(times) == 1, "all in one second"
        await anvil.rpc("anvil_removeBlockTimestampInterval")
        await world.look()
        await world.mine_and_look(3)
        await world.shows(first, 10, *WHOLE_WAY)
        await world.shows(second, 20, *WHOLE_WAY)


async def test_a_block_is_from_the_future(pool: Pool, anvil: Anvil) -> None:
    """The chain's clock alone lets nothing expire; ours must agree."""
    async with a_wild_world(pool, anvil, terms=HALF_AN_HOUR) as world:
        waiting = await world.create_usd(100)
        ahead = int(waiting.expires_at.timestamp()) + 600
        await anvil.rpc("evm_setNextBlockTimestamp", ahead)
        await anvil.mine()
        await world.look()
        await world.expire()
        await world.shows(waiting, 0)
        world.clock.set(waiting.expires_at + timedelta(seconds=1))
        await world.look()  # at logs that were owed
        await world.expire()
        await world.shows(waiting, 0, "expired")


async def test_an_hour_lies_between_two_blocks(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """The time without blocks is given back, so the money in the next one is in time."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds, terms=HALF_AN_HOUR) as world:
        payment = await world.create_usd(100)
        await world.mine_and_look()
        world.clock.move(hours=1)
        await world.expire()
        await anvil.mint(USD, address(payment), 100)
        await world.mine_and_look()
        await world.expire()
        now = await world.shows(payment, 100, "detected")
        assert now.status is Status.DETECTED
        await world.mine_and_look(3)
        await world.shows(payment, 100, *WHOLE_WAY)


@pytest.mark.parametrize(("seconds", "word"), [(-30, "detected"), (30, "late")])
async def test_money_comes_around_its_deadline_and_is_read_after_it(
    pool: Pool, anvil: Anvil, seconds: int, word: str
) -> None:
    """By the time of its block, whenever that is read."""
    terms = Payments(expires_in_seconds=600)
    async with a_wild_world(pool, anvil, terms=terms, block_seconds=60) as world:
        payment = await world.create_usd(100)
        block_time = payment.expires_at + timedelta(seconds=seconds)
        while world.clock.now() < block_time - timedelta(seconds=100):
            await world.mine_and_look()
        await anvil.mint(USD, address(payment), 100)
        await anvil.rpc("evm_setNextBlockTimestamp", int(block_time.timestamp()))
        await anvil.mine()
        world.clock.set(payment.expires_at + timedelta(seconds=40))
        await world.expire()
        await world.look()
        await world.expire()
        told = await world.told(payment)
        assert {"detected", "late"} & {*told} == {word}
        assert (await world.now(payment)).extended_seconds == 0
