"""Where blocks are slow, the probe looks at some of them, and at those that name us."""

import pytest

from ctrip.store.pool import Pool
from tests.flows.probing import a_probe, probe
from tests.flows.world import USD, a_world, address
from tests.support.fake_chain import FakeChain


@pytest.mark.parametrize(("block_seconds", "each"), [(12, 4), (25, 2), (90, 1), (5, 1)])
async def test_where_blocks_are_slow_some_are_not_looked_at(
    pool: Pool, block_seconds: float, each: int
) -> None:
    world = await a_world(pool, block_seconds=block_seconds)
    await world.create(100)
    looking = a_probe(world)
    await world.mine()
    await probe(world, looking)
    world.chain.asked.clear()
    for _ in range(8):
        await world.mine()
        await probe(world, looking)
    assert world.chain.asked["holdings"] == 8 / each


async def test_where_blocks_are_slow_one_that_names_an_address_of_ours_is_looked_at_at_once(
    pool: Pool,
) -> None:
    world = await a_world(pool, FakeChain(finality_lag=50), block_seconds=12)
    payment, other = await world.create(100), await world.create(100)
    looking = a_probe(world)
    await world.mine()
    await probe(world, looking)
    world.chain.forward((address(other), 100), silently=True)
    await world.mine()
    await probe(world, looking)
    assert await world.told(other) == ["created"]
    world.chain.forward((address(payment), 100))
    await world.mine()
    await probe(world, looking)
    for paid in (payment, other):
        assert (await world.told(paid))[:2] == ["created", "detected"]


async def test_where_a_log_shows_why_an_address_was_named_balances_can_wait(pool: Pool) -> None:
    world = await a_world(pool, FakeChain(finality_lag=50), block_seconds=12)
    await world.create(100)
    payment = await world.create_usd(7)
    looking = a_probe(world)
    await world.mine()
    await probe(world, looking)
    world.chain.asked.clear()
    world.chain.pay_token(USD, address(payment), 7)
    await world.mine()
    await probe(world, looking)
    assert (await world.told(payment))[:2] == ["created", "detected"]
    assert not world.chain.asked["holdings"]
