"""The loop: what a failure means for a task, and for its entry in health."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ctrip.core.errors import InvariantError, OutageError
from ctrip.core.ids import BlockNumber, ChainName
from ctrip.flows import supervise
from ctrip.flows.health import OVERDUE_MAX, SILENCE_SECONDS_MAX, Health, Part
from ctrip.flows.supervise import backoff_seconds, every, then
from ctrip.store.pool import Pool
from tests.flows.world import ANVIL, World
from tests.support.builders import a_header
from tests.support.clock import FakeClock
from tests.support.flaky import FlakyPool

CHAIN = ChainName("anvil")
TASK = "watch anvil"
MORE, ENOUGH = True, False  # what a pass says at its end
LONG = 3_600.0  # seconds; a pause that only a nudge ends


class Script:
    """A pass that does what it is told, one step a time, and then asks to be left alone."""

    def __init__(self, *steps: bool | Exception) -> None:
        self.passes = 0
        self.done = asyncio.Event()
        self._steps = list(steps)

    async def run_once(self) -> bool:
        self.passes += 1
        step = self._steps.pop(0) if self._steps else False
        if not self._steps:
            self.done.set()
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def health() -> Health:
    health = Health(FakeClock(), [ANVIL])
    health.saw(CHAIN, head=a_header(1), read=BlockNumber(1))
    return health


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "WAIT_SECONDS_MAX", 0.0)


@asynccontextmanager
async def running(
    run_once: Callable[[], Awaitable[bool]], health: Health, nudge: asyncio.Event | None = None
) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(every(LONG, run_once, task=TASK, health=health, nudge=nudge))
    try:
        async with asyncio.timeout(5):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("fault", [OutageError("the node is down"), ZeroDivisionError("a bug")])
async def test_what_may_pass_is_tried_again_and_health_recovers(
    health: Health, fault: Exception
) -> None:
    script = Script(fault, fault, fault, ENOUGH)
    async with running(script.run_once, health):
        await script.done.wait()
        await settle()
    assert script.passes == 4
    assert health.chain(CHAIN).ok


async def test_an_outage_turns_health_red_while_it_lasts(health: Health) -> None:
    script = Script(MORE, OutageError("the node is down"))
    seen: list[Part] = []

    async def looks_first() -> bool:
        seen.append(health.chain(CHAIN))
        return await script.run_once()

    async with running(looks_first, health):
        await script.done.wait()
        await settle()
        await settle()
    assert [(part.ok, part.why) for part in seen[:3]] == [
        (True, ""),
        (True, ""),
        (False, "the node is down"),
    ]


async def test_broken_reasoning_stops_that_task_for_good(health: Health) -> None:
    script = Script(MORE, InvariantError("money came twice"), ENOUGH)
    other = Script(MORE, ENOUGH)
    async with (
        running(script.run_once, health) as task,
        running(other.run_once, Health(FakeClock(), ())),
    ):
        await task
        await other.done.wait()
    assert script.passes == 2
    part = health.chain(CHAIN)
    assert (part.ok, part.why) == (False, "stopped: money came twice")


async def test_a_bug_is_red_without_its_words(health: Health) -> None:
    script = Script(ZeroDivisionError("s3cret"))
    said: list[str] = []

    async def looks_first() -> bool:
        said.append(health.chain(CHAIN).why)
        return await script.run_once()

    async with running(looks_first, health):
        await script.done.wait()
        await settle()
        await settle()
    assert said[1] == "failed in a way it should not; the log has the details"


async def test_a_pass_that_asks_for_more_gets_it_at_once(health: Health) -> None:
    script = Script(MORE, MORE, MORE, ENOUGH)
    async with running(script.run_once, health):
        await script.done.wait()
    assert script.passes == 4


async def test_a_nudge_ends_the_pause(health: Health) -> None:
    nudge = asyncio.Event()
    first, second = asyncio.Event(), asyncio.Event()

    async def run_once() -> bool:
        (second if first.is_set() else first).set()
        return False

    async with running(run_once, health, nudge):
        await first.wait()
        nudge.set()
        await second.wait()


def test_waits_get_longer_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "WAIT_SECONDS_MAX", 30.0)
    for failures, longest in ((1, 1.0), (2, 2.0), (5, 16.0), (9, 30.0), (10_000, 30.0)):
        assert longest / 2 <= backoff_seconds(failures) <= longest


async def test_health_tells_every_part(world: World) -> None:
    await world.create()
    parts = await world.health.parts(world.pool)
    names = {"database", "chains", "outbox", "settlement", "books"}
    assert set(parts) == names
    well = {"database": True, "anvil": True, "outbox": True, "settlement": True, "books": True}
    assert flat(parts) == well
    world.clock.move(seconds=OVERDUE_MAX.total_seconds() + 1)
    parts = await world.health.parts(world.pool)
    assert flat(parts) == {**well, "anvil": False, "outbox": False}


async def test_a_silent_chain_and_a_dead_database_are_red(world: World) -> None:
    world.clock.move(seconds=SILENCE_SECONDS_MAX + world.served.idle_interval_seconds + 1)
    assert world.health.chain(CHAIN).why == "no news from its endpoints"
    parts = await world.health.parts(FlakyPool(world.pool, dies_at=1).as_pool())
    assert not flat(parts)["database"]


def test_a_chain_that_was_never_read_is_red() -> None:
    assert Health(FakeClock(), [ANVIL]).chain(CHAIN) == Part(ok=False, why="not read yet")


def flat(parts: object) -> dict[str, bool]:
    assert isinstance(parts, dict)
    chains = parts.pop("chains")
    return {name: part.ok for name, part in {**parts, **chains}.items()}


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_pool_is_what_flaky_stands_for(pool: Pool) -> None:
    calm = FlakyPool(pool)
    async with calm.acquire(timeout=1) as conn:
        assert await conn.fetchval("SELECT 1") == 1
    assert calm.statements == ["SELECT 1"]


async def test_after_each_pass_another_duty_looks_and_after_one_that_failed_none() -> None:
    script, woken = Script(MORE, OutageError("away"), ENOUGH), asyncio.Event()
    run_once = then(script.run_once, woken.set)
    assert await run_once() is MORE
    assert woken.is_set()
    woken.clear()
    with pytest.raises(OutageError):
        await run_once()
    assert not woken.is_set()
    assert await run_once() is ENOUGH
    assert woken.is_set()
