"""Several processes on one database: each chain is watched by one, and always by somebody."""

import asyncio

import pytest
from msgspec.structs import replace

from ctrip.core.ids import ChainName
from ctrip.flows import leases as flow
from ctrip.flows.health import Health
from ctrip.flows.leases import Leases
from ctrip.flows.watch import Watcher
from tests.flows.world import ANVIL, World

NAMES = tuple(ChainName(f"chain-{number}") for number in range(24))  # nobody has none of so many


class Process:
    """What a process has of several chains, all of them played by one."""

    def __init__(self, world: World, names: tuple[ChainName, ...] = NAMES) -> None:
        chains = [replace(world.served, name=name) for name in names]
        self.health = Health(world.clock, chains)
        common = (world.pool, world.clock, self.health, world.news)
        self.watchers = {chain.name: Watcher(chain, world.chain, *common) for chain in chains}
        self.leases = Leases(world.pool, self.health, self.watchers, lambda: None)

    @property
    def held(self) -> set[ChainName]:
        return {name for name in self.watchers if self.leases.holds(name)}

    async def is_let(self, name: ChainName) -> bool:
        """Tell whether a duty of a chain is let through."""

        async def run_once() -> bool:
            return True

        try:
            async with asyncio.timeout(0.01):
                return await self.leases.in_turn(name, run_once)()
        except TimeoutError:
            return False


async def settle(*processes: Process) -> None:
    """Let everybody say and hear what there is."""
    for _ in range(3):
        for process in processes:
            await process.leases.run_once()


async def test_who_is_alone_watches_everything(world: World) -> None:
    one = Process(world)
    assert not await one.is_let(NAMES[0])
    await settle(one)
    assert one.held == {*NAMES}
    assert await one.is_let(NAMES[0])


async def test_chains_are_shared_and_each_has_one_watcher(world: World) -> None:
    one, two = Process(world), Process(world)
    await settle(one)
    await settle(one, two)
    assert one.held | two.held == {*NAMES}
    assert not one.held & two.held
    for name in NAMES:
        assert await one.is_let(name) != await two.is_let(name)


async def test_who_leaves_is_followed_at_the_next_pass(world: World) -> None:
    one, two = Process(world), Process(world)
    await settle(one, two)
    left = one.held
    await one.leases.close()
    assert one.held == set()
    for watcher in two.watchers.values():
        watcher.wake.clear()
    await two.leases.run_once()
    assert two.held == {*NAMES}
    assert {name for name, watcher in two.watchers.items() if watcher.wake.is_set()} == left


async def test_who_stands_still_stops_watching_and_is_followed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    still, other = Process(world), Process(world)
    await settle(other, still)
    monkeypatch.setattr(flow, "LEASE_SECONDS", 0.05)
    await still.leases.run_once()
    monkeypatch.undo()
    await asyncio.sleep(0.06)
    assert still.held == set()
    await other.leases.run_once()
    assert other.held == {*NAMES}
    await settle(still, other)  # it goes on, and takes back what is its own
    assert still.held | other.held == {*NAMES}
    assert not still.held & other.held


async def test_who_does_not_watch_a_chain_knows_how_it_is(world: World) -> None:
    one, two = Process(world), Process(world)
    await settle(one, two)
    for name in one.held:
        await one.watchers[name].run_once()
    for name in two.held:
        await two.watchers[name].run_once()
    await settle(one, two)
    assert one.health.all_seen.is_set()
    assert two.health.all_seen.is_set()
    for name in NAMES:
        ours, theirs = one.health.chain(name), two.health.chain(name)
        assert (ours.ok, theirs.ok, ours.head) == (True, True, theirs.head)
        assert ours.watched_elsewhere == (name in two.held)
    broken = min(one.held)
    one.health.fails(f"watch {broken}", "its endpoints are down")
    await settle(one, two)
    assert two.health.chain(broken).why == "its endpoints are down"
    one.health.works(f"watch {broken}")
    await settle(one, two)
    assert two.health.chain(broken).ok


async def test_a_chain_that_cannot_be_read_is_left_to_who_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "FAILING_SECONDS", 0.0)
    one, two = Process(world), Process(world)
    await settle(one, two)
    broken = min(one.held)
    one.health.fails(f"watch {broken}", "its endpoints are down")
    await settle(one, two)
    assert broken in two.held
    assert two.health.chain(broken).why == "not read yet"  # not what the other said of it
    two.health.fails(f"watch {broken}", "its endpoints are down")
    await settle(one, two)
    assert broken in one.held | two.held  # somebody goes on trying


async def test_who_is_alone_goes_on_trying(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "FAILING_SECONDS", 0.0)
    one = Process(world)
    await settle(one)
    one.health.fails(f"watch {NAMES[0]}", "its endpoints are down")
    await settle(one)
    assert one.held == {*NAMES}


async def test_a_chain_at_rest_is_woken_by_a_payment_of_another_process(
    world: World,
) -> None:
    one, two = Process(world, (ANVIL.name,)), Process(world, (ANVIL.name,))
    await settle(one, two)
    [watching] = [process for process in (one, two) if process.held]
    watcher = watching.watchers[ANVIL.name]
    await watcher.run_once()
    await watcher.run_once()
    assert watcher.rests
    watcher.wake.clear()
    await settle(one, two)
    assert not watcher.wake.is_set()
    await world.create()
    await settle(one, two)
    assert watcher.wake.is_set()


async def test_without_a_database_goodbye_is_said_in_silence(world: World) -> None:
    one = Process(world)
    await settle(one)
    await world.pool.close()
    await one.leases.close()
    assert one.held == set()
