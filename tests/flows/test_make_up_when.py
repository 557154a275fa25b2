"""When the logs that are owed are read, and what waits for them."""

import pytest

from ctrip.core.chains import NativeSource
from ctrip.core.payment import Status
from ctrip.core.scan import UNNAMED_BLOCKS_MAX, UNNAMED_SECONDS_MAX
from ctrip.store.pool import Pool
from tests.flows.glancing import BLOCK_SECONDS, a_slow_world, mine, owed, pay_silently
from tests.flows.torn_chains import Polygon
from tests.flows.world import address
from tests.support.fake_chain import FakeChain


async def test_a_payment_does_not_expire_while_logs_before_its_deadline_are_owed(
    pool: Pool,
) -> None:
    world = await a_slow_world(pool)
    await world.create_usd(100)  # or the chain would rest
    await mine(world)
    minute = 5 * BLOCK_SECONDS
    payment, unpaid = [await world.create_usd(7, expires_in_seconds=minute) for _ in range(2)]
    await mine(world, 3)
    pay_silently(world, payment)
    await mine(world, 2)
    assert world.chain.tip.time == world.clock.now() == payment.expires_at
    await world.expire()
    assert await world.told(payment) == ["created"]
    assert await world.told(unpaid) == ["created"]
    await mine(world, 4)
    await world.expire()
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.PAID, frozenset())
    assert await world.told(unpaid) == ["created", "expired"]


async def test_where_no_block_follows_the_logs_are_read_a_minute_later(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world)
    world.clock.move(seconds=UNNAMED_SECONDS_MAX - 1)
    await world.watch()
    assert await world.told(payment) == ["created"]
    world.clock.move(seconds=1)
    await world.watch()
    assert await world.told(payment) == ["created", "detected"]
    assert not await owed(world)


async def test_nothing_owed_is_final(pool: Pool) -> None:
    chain = FakeChain(finality_lag=2, block_seconds=BLOCK_SECONDS)
    world = await a_slow_world(pool, chain)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    for _ in range(4):
        await mine(world)
        assert await owed(world) <= 2
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid", "settled"]


async def test_where_a_block_is_final_at_once_it_is_read_with_its_logs(pool: Pool) -> None:
    chain = FakeChain(finality_lag=0, block_seconds=BLOCK_SECONDS)
    world = await a_slow_world(pool, chain)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world)
    assert not await owed(world)
    assert (await world.told(payment))[:2] == ["created", "detected"]


@pytest.mark.parametrize("blocks", [UNNAMED_BLOCKS_MAX + 1, 40, 400])
async def test_what_is_owed_is_read_before_what_came_during_downtime(
    pool: Pool, blocks: int
) -> None:
    world = await a_slow_world(pool)
    before, during = await world.create_usd(7), await world.create_usd(7)
    pay_silently(world, before)
    await mine(world)
    world.chain.mine(blocks - 1)
    pay_silently(world, during)
    world.chain.mine()
    await world.watch()
    assert (await world.now(before)).amount_received == 7
    await mine(world, UNNAMED_BLOCKS_MAX)
    assert (await world.now(during)).amount_received == 7
    assert (await world.now(during)).transfers[0].block_number == 1 + blocks


async def test_what_is_owed_is_read_when_the_chain_begins_to_rest(pool: Pool) -> None:
    """Money for a closed payment is an unexpected transfer, as if it had been seen at once."""
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    await mine(world)
    pay_silently(world, payment)
    await mine(world)
    await world.rows("UPDATE payments SET closed = true, status = 'failed'")
    world.chain.mine()
    await world.watch()
    world.clock.move(seconds=UNNAMED_SECONDS_MAX)
    await world.watch()
    assert not await owed(world)
    assert (await world.told(payment))[-1] == "unexpected_transfer"


async def test_where_coin_moves_by_logs_these_are_read_with_each_block(pool: Pool) -> None:
    chain = Polygon()
    chain.finality_lag = 50
    world = await a_slow_world(pool, chain, native=NativeSource.POLYGON)
    payment = await world.create(100)
    chain.forward((address(payment), 100), silently=True)
    await mine(world)
    assert await world.told(payment) == ["created", "detected"]
    assert not await owed(world)


async def test_where_no_token_is_listed_nothing_is_owed(pool: Pool) -> None:
    world = await a_slow_world(pool, tokens=())
    await world.create(100)
    await mine(world, 6)
    assert not await owed(world)
    assert not world.chain.asked["logs"]
