"""The probe among faults: nodes without old state or traces, reorgs, deaths, restarts."""

import pytest

from ctrip.core.finality import Depth
from ctrip.core.ids import BlockNumber
from ctrip.core.payment import Status
from ctrip.flows.probe import DEPTH_MAX
from ctrip.flows.trace_back import LOOKS_MAX, LOOKS_WITHOUT_STATE_MAX
from ctrip.store import rescans
from ctrip.store.pool import DatabaseOutage, Pool, transaction
from tests.flows.probing import ShyChain, a_probe, probe, seen
from tests.flows.world import World, a_world, address
from tests.support.flaky import FlakyPool

WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]
STATEMENTS_MAX = 60


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=8)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    return await a_world(pool, shy)


async def test_traces_that_are_out_of_reach_do_not_stop_the_money(
    world: World, shy: ShyChain
) -> None:
    shy.tracing_is_down = True
    payment = await world.create(100)
    shy.forward((address(payment), 100))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(8)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 1)]


@pytest.mark.parametrize("blocks_since", [0, 3])
async def test_where_old_state_is_missing_the_newest_blocks_are_read(
    world: World, shy: ShyChain, blocks_since: int
) -> None:
    payment, other = await world.create(100), await world.create(5)
    await world.mine(20)
    shy.state_depth = 0
    shy.forward((address(payment), 100), (address(other), 5))
    await world.mine(1 + blocks_since)
    shy.asked.clear()
    await probe(world)
    assert shy.asked["moves"] == LOOKS_WITHOUT_STATE_MAX
    assert shy.asked["holdings"] == 2, "a node that has no state is asked for it once"
    assert await seen(world, payment) == [("trace", 100, 21)]
    assert await seen(world, other) == [("trace", 5, 21)]


async def test_where_old_state_is_missing_older_money_counts_when_final(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create(100)
    shy.state_depth = 0
    shy.forward((address(payment), 100))
    await world.mine(20)
    looking = a_probe(world)
    await probe(world, looking)
    assert await world.told(payment) == ["created"]
    await world.mine(8)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 20)]


async def test_money_from_before_the_blocks_that_are_searched_counts_when_final(
    world: World,
) -> None:
    payment = await world.create(100)
    world.chain.forward((address(payment), 60))
    await world.mine(DEPTH_MAX + 20)
    world.chain.forward((address(payment), 40))
    await world.mine(1)
    tip = world.chain.tip.number
    looking = a_probe(world)
    await probe(world, looking)
    assert await seen(world, payment) == [("trace", 40, tip)]
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 60, tip - DEPTH_MAX), ("trace", 40, tip)]


async def test_a_gap_is_read_before_balances_are_compared(world: World) -> None:
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine(12)
    first, last = BlockNumber(3), BlockNumber(9)
    async with transaction(world.pool) as conn:
        gap = await rescans.begin(
            conn,
            world.served.name,
            first,
            last,
            cause="gap",
            read_until=payment.created_at,
            now=world.clock.now(),
        )
    world.chain.asked.clear()
    await probe(world)
    assert not world.chain.asked
    now = world.clock.now()
    async with transaction(world.pool) as conn:
        await rescans.step(conn, gap.id, read=last, time=now, now=now)
    await probe(world)
    assert await seen(world, payment) == [("trace", 100, 1)]


async def test_nothing_is_written_of_a_branch_that_was_left_meanwhile(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create(100)
    tx_hash = shy.forward((address(payment), 100))
    await world.mine(3)

    async def reorg() -> None:
        shy.reorg(3, keep=[tx_hash])
        shy.mine()
        await world.watch()

    shy.after_moves = reorg
    looking = a_probe(world)
    await probe(world, looking)
    assert await world.told(payment) == ["created"]
    await probe(world, looking)
    [transfer] = (await world.now(payment)).transfers
    [there] = await shy.headers([BlockNumber(1)])
    assert transfer.block_hash == there.hash


async def test_what_was_found_is_written_though_the_watcher_went_on(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create(100)
    shy.forward((address(payment), 100))
    await world.mine(3)

    async def go_on() -> None:
        await world.mine(shy.finality_lag + 3)  # so far that the block is final and forgotten

    shy.after_moves = go_on
    await probe(world)
    assert await seen(world, payment) == [("trace", 100, 1)]


async def test_a_reorg_takes_what_a_trace_named_and_gives_it_back(world: World) -> None:
    payment = await world.create(100)
    tx_hash = world.chain.forward((address(payment), 100))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.reorg(1)
    await world.watch()
    await probe(world, looking)
    assert (await world.now(payment)).status is Status.PENDING
    await world.mine()
    world.chain.resend(tx_hash)
    await world.mine()
    await probe(world, looking)
    assert await world.told(payment) == ["created", "detected", "reorged", "detected"]
    assert (await world.now(payment)).amount_received == 100


async def test_a_reorg_takes_a_balance_that_was_not_final(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.reorg(1)
    await world.mine(20)
    await probe(world, looking)
    assert await world.told(payment) == ["created"]


async def test_a_balance_that_moved_with_a_reorg_counts_where_it_is(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    tx_hash = world.chain.forward((address(payment), 100))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.reorg(1)
    world.chain.resend(tx_hash)
    await world.mine(2)
    await probe(world, looking)
    await world.mine(20)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 2)]


async def test_a_balance_that_moved_while_nobody_looked_is_looked_for_again(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    tx_hash = world.chain.forward((address(payment), 100))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.reorg(1)
    world.chain.resend(tx_hash)
    await world.mine(20)
    await probe(world, looking)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 2)]


async def test_a_restart_makes_the_same_observation_again(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine()
    for _ in range(12):
        await probe(world)  # each time another process, which knows nothing
        await world.mine()
    assert await world.told(payment) == ["created"], "nobody has waited for finality yet"
    looking = a_probe(world)
    await probe(world, looking)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 1)]


async def test_what_a_balance_showed_once_hides_nothing_that_comes_later(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create(100)
    shy.state_depth = 0
    shy.untraced.add(shy.forward((address(payment), 60)))
    await world.mine(20)
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(8)
    await probe(world, looking)
    shy.state_depth = None
    shy.forward((address(payment), 40))
    await world.mine(3)
    await probe(world)  # a process that knows nothing searches from before the first
    assert await seen(world, payment) == [("balance", 60, 20), ("trace", 40, 29)]


async def test_a_bounded_search_goes_on_in_the_next_pass(world: World) -> None:
    made = [await world.create(100) for _ in range(LOOKS_MAX + 3)]
    for payment in made:
        world.chain.forward((address(payment), 100))
        world.chain.mine()
    await world.watch()
    looking = a_probe(world)
    assert await looking.run_once(), "there is more to look into"
    assert world.chain.asked["moves"] == LOOKS_MAX
    await probe(world, looking)
    for number, payment in enumerate(made, start=1):
        assert await seen(world, payment) == [("trace", 100, number)]


async def test_a_death_at_any_statement_of_a_pass_changes_nothing(pool: Pool) -> None:
    chain = ShyChain(finality_lag=8)
    world = await a_world(pool, chain, confirmations=Depth(2))
    named, unnamed = await world.create(100), await world.create(100)
    chain.forward((address(named), 100))
    chain.untraced.add(chain.forward((address(unnamed), 100)))
    await world.mine()
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        looking = a_probe(world, dying.as_pool())
        try:
            await looking.run_once()
        except DatabaseOutage:
            assert await world.told(named) == ["created"], dying.statements[-1]
        else:
            break
    assert n > 10
    assert await world.told(named) == ["created", "detected"]
    await world.mine(8)
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        looking = a_probe(world, dying.as_pool())
        try:
            await looking.run_once()
            await looking.run_once()
        except DatabaseOutage:
            assert len(await world.told(unnamed)) in {1, 5}, dying.statements[-1]
        else:
            break
    assert await world.told(unnamed) == WHOLE_WAY
    assert (await world.now(unnamed)).amount_received == 100
