"""Where a chain left what was read: what is followed, and what another endpoint must show."""

from copy import deepcopy

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.finality import Depth
from ctrip.core.payment import Status
from ctrip.flows.forks import ReorgTooDeep
from ctrip.store.pool import Pool
from tests.flows.torn_chains import Forked
from tests.flows.world import World, a_world, address


@pytest.fixture
def chain() -> Forked:
    """A chain that is slow to be final, already some blocks long."""
    chain = Forked(finality_lag=20)
    chain.mine(30)
    return chain


@pytest.fixture
async def world(pool: Pool, chain: Forked) -> World:
    return await a_world(pool, chain, confirmations=Depth(3))


async def test_a_reorg_of_final_blocks_is_not_followed_and_writes_nothing(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(25)
    before = await everything(world)
    world.chain.reorg(29)
    with pytest.raises(ReorgTooDeep, match="blocks that were final were replaced"):
        await world.watch()
    assert await everything(world) == before


@pytest.mark.parametrize("depth", [3, 29])  # above and below what is final
async def test_one_of_two_that_leaves_what_they_agreed_on_is_not_followed(
    world: World, chain: Forked, depth: int
) -> None:
    payment = await world.create(100)
    chain.pay(address(payment), 100)
    await world.mine(25)
    before = await everything(world)
    chain.second = deepcopy(chain)
    chain.agreed = chain.tip.number
    true = chain.shorten(depth)
    chain.mine(depth + 1)
    with pytest.raises(InconsistentChain, match="shows other blocks up to 55 than were read"):
        await world.watch()
    assert await everything(world) == before
    chain.shorten(depth + 1)
    chain.lengthen(true)
    other = await world.create(50)
    chain.pay(address(other), 50)
    await world.mine()
    assert (await world.now(other)).status is Status.DETECTED


async def test_a_reorg_that_both_of_two_show_is_followed(world: World, chain: Forked) -> None:
    payment = await world.create(100)
    chain.pay(address(payment), 100)
    await world.mine(2)
    chain.agreed = chain.tip.number
    chain.reorg(2)
    chain.second = deepcopy(chain)
    await world.mine()
    assert await world.told(payment) == ["created", "detected", "reorged"]


async def everything(world: World) -> list[object]:
    tables = ("payments", "transfers", "events", "deliveries", "cursors", "blocks")
    return [
        [tuple(row) for row in await world.rows(f"SELECT * FROM {table} ORDER BY 1, 2")]
        for table in tables
    ]
