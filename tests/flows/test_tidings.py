"""The stream's cursor: whoever follows it sees every event once, in order, whenever it commits."""

import asyncio
import random
from itertools import pairwise

import pytest
from msgspec import json

from ctrip.core.events import created
from ctrip.core.ids import EventId
from ctrip.flows import tidings
from ctrip.flows.tidings import Tidings, place_all, place_some
from ctrip.store import delivery_log, outbox, payments
from ctrip.store.pool import Conn, Pool, connection, transaction
from tests.store.rows import WALLET, fresh
from tests.support.builders import CREATED
from tests.support.waiting import until

WRITERS = 12
EVENTS_EACH = 25


async def follow(reader: Tidings, after: int = 0, **how: float) -> tuple[list[str], int]:
    """Return the ids of all that comes after a place, and the place behind it."""
    seen: list[str] = []
    more = True
    while more:
        stretch = await reader.read(after, count_max=7, wait_seconds=how.get("wait_seconds", 0))
        seen += [json.decode(body)["id"] for body in stretch.bodies]
        after, more = stretch.next_after, stretch.has_more
    return seen, after


async def test_an_event_that_commits_late_is_not_missed(pool: Pool) -> None:
    """Its transaction began first, and wrote first; a reader has passed later ones meanwhile."""
    reader = Tidings(pool)
    async with pool.acquire() as slow:
        began = slow.transaction()
        await began.start()
        late = await announced(slow)
        async with transaction(pool) as conn:
            early = await announced(conn)
        seen, after = await follow(reader)
        assert seen == [early]
        await began.commit()
    assert await follow(reader, after) == ([late], after + 1)
    assert await follow(reader) == ([early, late], 2)


async def test_an_event_that_is_rolled_back_leaves_no_trace(pool: Pool) -> None:
    reader = Tidings(pool)
    async with pool.acquire() as conn:
        began = conn.transaction()
        await began.start()
        await announced(conn)
        assert await follow(reader) == ([], 0)
        await began.rollback()
    await announced_now(pool)
    seen, after = await follow(reader)
    assert (len(seen), after) == (1, 1)


async def test_places_that_are_being_given_hold_up_others_and_are_never_skipped(
    pool: Pool,
) -> None:
    """A reader that looks while places are given waits, or it would pass those not yet seen."""
    reader = Tidings(pool)
    await announced_now(pool)
    async with pool.acquire() as slow:
        began = slow.transaction()
        await began.start()
        await outbox.place(slow)
        await announced_now(pool)
        reads = asyncio.create_task(follow(reader))
        await until("a reader waits for its turn", lambda: turns_waited_for(slow))
        await began.commit()
    seen, after = await asyncio.wait_for(reads, 5)
    assert (len(seen), after) == (2, 2)


@pytest.mark.parametrize("seed", range(3))
async def test_every_event_is_seen_once_and_in_order_however_commits_fall(
    pool: Pool, seed: int
) -> None:
    """Writers hold their transactions open as long as they like; readers follow meanwhile."""
    dice = random.Random(seed)
    told: list[str] = []
    writing = [
        asyncio.create_task(write_some(pool, random.Random(dice.random()), told))
        for _ in range(WRITERS)
    ]
    readers = [asyncio.create_task(follow_all(Tidings(pool))) for _ in range(3)]
    async with asyncio.timeout(60):
        await asyncio.gather(*writing)
        streams = await asyncio.gather(*readers)
    for seen in streams:
        assert len(seen) == len(set(seen)) == WRITERS * EVENTS_EACH, f"seed {seed}"
        assert set(seen) == set(told)
    assert streams[0] == streams[1] == streams[2]
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT id, position FROM events ORDER BY position")
    assert [row["id"] for row in rows] == streams[0]
    assert all(b["position"] - a["position"] == 1 for a, b in pairwise(rows))


async def test_who_waits_is_woken_and_who_is_not_woken_looks_all_the_same(pool: Pool) -> None:
    reader = Tidings(pool)
    loop = asyncio.get_running_loop()
    for wakes in (True, False):
        end = await reader.end()
        waits = asyncio.create_task(reader.read(end, count_max=9, wait_seconds=20))
        await asyncio.sleep(0.05)  # until it waits
        began = loop.time()
        await announced_now(pool)
        if wakes:
            reader.wake()
        assert len((await asyncio.wait_for(waits, 5)).bodies) == 1
        assert loop.time() - began < (tidings.POLL_SECONDS * 0.8 if wakes else 5)


async def test_a_reader_with_a_filter_comes_past_long_stretches(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidings, "STRETCH", 2)
    for _ in range(5):
        await announced_now(pool)
    reader, places, after = Tidings(pool), [], 0
    more = True
    while more:
        stretch = await reader.read(after, count_max=9, event_types=["webhook.*"])
        assert not stretch.bodies
        after, more = stretch.next_after, stretch.has_more
        places.append(after)
    assert places == [2, 4, 5]


async def test_a_long_line_is_given_its_places_bit_by_bit(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PLACED_AT_ONCE_MAX", 2)
    for _ in range(5):
        await announced_now(pool)
    assert await place_some(pool)
    async with connection(pool) as conn:
        assert await delivery_log.end_of_stream(conn) == 2
    await place_all(pool)
    assert not await place_some(pool)
    seen, after = await follow(Tidings(pool))
    assert (len(seen), after) == (5, 5)


async def announced(conn: Conn) -> EventId:
    """Write a payment and its first event; return the event's id."""
    event = created(fresh())
    await payments.insert(conn, [event.payment], wallet=WALLET)
    await outbox.append(conn, [event], now=CREATED)
    return event.id


async def announced_now(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await announced(conn)


async def turns_waited_for(conn: Conn) -> bool:
    return bool(
        await conn.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
    )


async def write_some(pool: Pool, dice: random.Random, told: list[str]) -> None:
    """Announce payments, one transaction after another, some of which take their time."""
    for _ in range(EVENTS_EACH):
        async with pool.acquire() as conn, conn.transaction():
            payment = fresh()
            await payments.insert(conn, [payment], wallet=WALLET)
            await asyncio.sleep(dice.random() * 0.01)
            await outbox.append(conn, [created(payment)], now=CREATED)
            told.append(created(payment).id)
            await asyncio.sleep(dice.choice([0, 0, dice.random() * 0.08]))


async def follow_all(reader: Tidings) -> list[str]:
    """Follow until everything was seen; a page holds a few events only."""
    seen: list[str] = []
    after = 0
    while len(seen) < WRITERS * EVENTS_EACH:
        more, after = await follow(reader, after, wait_seconds=0.02)
        seen += more
    return seen
