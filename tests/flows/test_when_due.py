"""A watcher looks at a chain when its next block is due."""

from ctrip.core.rhythm import GAPS_MIN, SOON
from ctrip.store.pool import Pool
from tests.flows.world import World, a_world, address
from tests.support.fake_chain import FakeChain

BLOCK_SECONDS = 12
POLL_SECONDS = 4


async def a_steady_world(pool: Pool) -> World:
    """Return a chain with a payment open whose blocks come every twelve seconds."""
    chain = FakeChain(block_seconds=BLOCK_SECONDS)
    world = await a_world(
        pool, chain, block_seconds=BLOCK_SECONDS, poll_interval_seconds=POLL_SECONDS
    )
    await world.create()
    return world


async def test_where_blocks_come_like_clockwork_one_look_each_is_enough(pool: Pool) -> None:
    world = await a_steady_world(pool)
    watcher, looks, now, pause = world.watcher(), 0, 0.0, 0.0
    while (tip := world.chain.tip.number) < 4 * GAPS_MIN:
        while await watcher.run_once():
            pass
        looks += tip > 2 * GAPS_MIN
        pause = watcher.pause_seconds()
        now += pause
        world.clock.move(seconds=pause)
        while world.chain.tip.number < now // BLOCK_SECONDS:
            world.chain.mine()
    assert looks <= 2 * GAPS_MIN + 2
    assert pause > POLL_SECONDS


async def test_a_block_that_is_overdue_is_looked_for_at_the_interval(pool: Pool) -> None:
    world = await a_steady_world(pool)
    watcher = world.watcher()
    for _ in range(2 * GAPS_MIN):
        world.chain.mine()
        world.clock.move(seconds=BLOCK_SECONDS)
        await watcher.run_once()
    pauses = []
    for _ in range(4):
        pauses.append(watcher.pause_seconds())
        world.clock.move(seconds=pauses[-1])
        await watcher.run_once()
    assert pauses[0] > POLL_SECONDS
    assert pauses[1:] == [SOON * POLL_SECONDS, POLL_SECONDS, POLL_SECONDS]


async def test_a_reorg_that_is_no_longer_than_what_it_replaced_shows_with_the_next_look(
    pool: Pool,
) -> None:
    world = await a_steady_world(pool)
    payment = await world.create()
    watcher = world.watcher()
    for _ in range(2 * GAPS_MIN):
        world.chain.mine()
        world.clock.move(seconds=BLOCK_SECONDS)
        await watcher.run_once()
    world.chain.pay(address(payment), 100)
    world.chain.mine()
    await watcher.run_once()
    assert await world.told(payment) == ["created", "detected"]
    world.chain.reorg(1)
    assert watcher.pause_seconds() <= BLOCK_SECONDS
    await watcher.run_once()
    assert await world.told(payment) == ["created", "detected", "reorged"]
