"""News of one process wakes the sender of another, long before that would look by itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from ctrip.flows import supervise
from ctrip.flows.news import News
from ctrip.settings import Secret
from ctrip.store import bell
from ctrip.store import pool as store
from tests.flows.sending import Process, a_process, all_done, check
from tests.flows.world import World
from tests.support.receiver import Receiver

NEVER_SECONDS: Final = 3_600.0  # a poll that no test lives to see
SILENCE_SECONDS: Final = 0.3  # a ring on this machine takes a millisecond

CUT_OFF = """
SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "WAIT_SECONDS_MAX", 0.1)


@pytest.fixture
async def other(process: Process, database: str, shop: Receiver) -> AsyncIterator[Process]:
    """A second process on the same database, which hardly ever looks by itself."""
    here = process.world
    pool = await store.connect(Secret(database), size_max=4)
    world = World(pool, here.chain, here.clock, here.served)
    async with a_process(world, database, shop) as it, it.running(NEVER_SECONDS):
        yield it
    pool.terminate()


def test_whoever_sets_news_tells_everybody_each_time() -> None:
    told: list[str] = []
    news = News(lambda: told.append("our sender"), lambda: told.append("the bell"))
    news.set()
    news.set()
    assert told == ["our sender", "the bell"] * 2
    assert news.is_set()


async def test_news_of_one_process_wakes_the_sender_of_another(
    process: Process, other: Process, shop: Receiver
) -> None:
    async with process.running(sends=False):
        for number in range(1, 11):
            await process.world.create()
            await shop.wait_for(number)
            await all_done(process.world, number)
    await check(process.world, shop, 10)
    assert other.world.pool is not process.world.pool


async def test_deliveries_wait_while_the_listening_connection_is_cut_off(
    process: Process, other: Process, shop: Receiver
) -> None:
    world = process.world
    await other.world.create()
    await all_done(world, 1)
    await asyncio.sleep(SILENCE_SECONDS)  # until its sender has looked whether there is more
    await world.create()  # and nobody rings: this process runs no bell
    await asyncio.sleep(SILENCE_SECONDS)
    assert len(shop.received) == 1
    (cut,) = await world.rows(CUT_OFF, bell.NAME)
    assert cut["ended"]
    await all_done(world, 2)
    await process.bell.run_once()
    await world.create()
    await process.bell.run_once()  # rings, and is heard on the new connection
    await all_done(world, 3)
    await other.green()
    await check(world, shop, 3)
