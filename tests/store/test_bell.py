"""The bell between processes: heard, not too often, and again after whatever cut it off."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import pytest

from ctrip.dev import postgres
from ctrip.settings import Secret
from ctrip.store import bell as store
from ctrip.store.bell import CHANNEL, NAME, Bell
from ctrip.store.pool import Conn, DatabaseOutage
from tests.support.memory import memory
from tests.support.waiting import until

PIDS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"
)
CUT_OFF = "SELECT pg_terminate_backend($1, 5000)"
SILENCE_SECONDS = 0.3  # a ring on a loopback address takes a millisecond


class Ears:
    """A bell whose rings are counted."""

    def __init__(self, url: str) -> None:
        self.rings = 0
        self.bell = Bell(Secret(url), self._hear)
        self._heard = asyncio.Event()

    def _hear(self) -> None:
        self.rings += 1
        self._heard.set()

    async def rung(self) -> None:
        """Wait for a ring, and forget it."""
        async with asyncio.timeout(5):
            await self._heard.wait()
        self._heard.clear()


@asynccontextmanager
async def hung(url: str) -> AsyncIterator[Ears]:
    """Hang up a bell; its first connection counts as a ring, which is forgotten."""
    ears = Ears(url)
    await ears.bell.run_once()
    await ears.rung()
    try:
        yield ears
    finally:
        await ears.bell.close()


@pytest.fixture
async def ours(database: str) -> AsyncIterator[Ears]:
    async with hung(database) as ears:
        yield ears


@pytest.fixture
async def theirs(database: str) -> AsyncIterator[Ears]:
    async with hung(database) as ears:
        yield ears


async def backend(conn: Conn) -> int:
    """Return the process that the only bell talks to."""
    (row,) = await conn.fetch(PIDS, NAME)
    return int(row["pid"])


async def test_others_hear_a_ring_and_we_do_not(ours: Ears, theirs: Ears) -> None:
    ours.bell.ring()
    await ours.bell.run_once()
    await theirs.rung()
    await asyncio.sleep(SILENCE_SECONDS)
    assert (ours.rings, theirs.rings) == (1, 2)


async def test_without_news_nothing_rings(ours: Ears, theirs: Ears) -> None:
    for _ in range(3):
        await ours.bell.run_once()
    await asyncio.sleep(SILENCE_SECONDS)
    assert theirs.rings == 1


async def test_a_burst_rings_twice_at_most(database: str, ours: Ears) -> None:
    times: list[float] = []
    loop = asyncio.get_running_loop()

    def note(*_: object) -> None:
        times.append(loop.time())

    other = await asyncpg.connect(database)
    await other.add_listener(CHANNEL, note)
    duty = asyncio.create_task(passes(ours.bell))
    began = loop.time()
    for n in range(1_000):
        ours.bell.ring()
        if n % 20 == 0:
            await asyncio.sleep(0)  # news comes while the bell rings
    burst = loop.time() - began
    await asyncio.sleep(SILENCE_SECONDS)
    assert 1 <= len(times) <= 2 + burst * store.RINGS_SECOND_MAX
    assert all(b - a > 0.5 / store.RINGS_SECOND_MAX for a, b in pairwise(times))
    told = len(times)
    ours.bell.ring()  # what comes after the last ring has one of its own

    async def once_more() -> bool:
        return len(times) == told + 1

    await until("one more", once_more)
    duty.cancel()
    await other.close()


async def passes(bell: Bell) -> None:
    """Do a pass whenever the bell asks for one."""
    while True:
        await bell.wake.wait()
        bell.wake.clear()
        await bell.run_once()


async def test_a_connection_that_is_cut_off_is_replaced_at_once(
    ours: Ears, database: str, conn: Conn
) -> None:
    assert not ours.bell.wake.is_set()
    assert await conn.fetchval(CUT_OFF, await backend(conn))
    async with asyncio.timeout(5):
        await ours.bell.wake.wait()
    await ours.bell.run_once()
    await ours.rung()  # something may have been missed
    async with hung(database) as theirs:
        theirs.bell.ring()
        await theirs.bell.run_once()
        await ours.rung()


async def test_a_connection_that_is_open_and_dead_is_replaced(
    ours: Ears, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ANSWER_SECONDS_MAX", 0.3)
    assert await conn.fetchval(CUT_OFF, await backend(conn))  # so that the next has that limit
    async with asyncio.timeout(5):
        await ours.bell.wake.wait()
    await ours.bell.run_once()
    await ours.rung()
    pid = await backend(conn)
    os.kill(pid, signal.SIGSTOP)  # the socket stays open, and nobody answers
    try:
        async with asyncio.timeout(5):
            with pytest.raises(DatabaseOutage, match="TimeoutError"):
                await ours.bell.run_once()
        await ours.bell.run_once()
        await ours.rung()
        assert pid != max(row["pid"] for row in await conn.fetch(PIDS, NAME))
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_what_could_not_be_told_is_told_later(ours: Ears, database: str, conn: Conn) -> None:
    pid = await backend(conn)
    async with hung(database) as theirs:
        os.kill(pid, signal.SIGSTOP)
        try:
            ours.bell.ring()
            ringing = asyncio.create_task(ours.bell.run_once())
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGTERM)
        finally:
            os.kill(pid, signal.SIGCONT)
        with pytest.raises(DatabaseOutage):
            await ringing
        assert theirs.rings == 1
        await ours.bell.run_once()
        await theirs.rung()


async def test_a_bell_outlives_its_postgres() -> None:
    with TemporaryDirectory(prefix="ctrip-test-", dir=memory()) as name:
        folder = Path(name)
        cluster = postgres.start(folder, durable=False)
        try:
            async with hung(cluster.url) as ours, hung(cluster.url) as theirs:
                os.kill(cluster.pid, signal.SIGKILL)
                async with asyncio.timeout(10):
                    await ours.bell.wake.wait()
                    await theirs.bell.wake.wait()
                with pytest.raises(DatabaseOutage):
                    await ours.bell.run_once()
                cluster.stop()
                cluster = postgres.start(folder, durable=False)
                ours.bell.ring()
                await theirs.bell.run_once()
                await theirs.rung()
                await ours.bell.run_once()
                await theirs.rung()
        finally:
            cluster.stop()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/x",
        "postgresql://me:s3cret@/x?host=/nowhere/at/all",
    ],
)
async def test_an_outage_is_said_without_the_address(url: str) -> None:
    with pytest.raises(DatabaseOutage) as caught:
        await Bell(Secret(url), lambda: None).run_once()
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_closed_bell_leaves_nothing_behind(database: str, conn: Conn) -> None:
    async with hung(database) as ears:
        assert await backend(conn)
        bell = ears.bell

    async def left() -> Any:
        return not await conn.fetch(PIDS, NAME)

    assert await until("the connection is gone", left)
    await bell.close()
    assert not bell.wake.is_set()
