"""Replays as rows: where they begin and end, which comes next, and that they hold each other up."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from ctrip.core.endpoints import EndpointId
from ctrip.core.events import created
from ctrip.core.ids import EventId
from ctrip.store import outbox, payments, replays
from ctrip.store.pool import Conn, Pool, transaction
from ctrip.store.replays import Replay
from tests.store.rows import WALLET, fresh
from tests.support.builders import CREATED
from tests.support.receivers_on_record import an_endpoint, made

ONE = EndpointId("we_1")
HOUR = timedelta(hours=1)


async def an_hourly_history(conn: Conn, hours: int) -> list[EventId]:
    """Announce one event an hour, in order, and give each its place."""
    ids = []
    for hour in range(hours):
        event = created(fresh())
        await payments.insert(conn, [event.payment], wallet=WALLET)
        await outbox.append(conn, [event], now=CREATED + hour * HOUR)
        ids.append(event.id)
    await outbox.place(conn)
    return ids


async def ordered(
    conn: Conn, since: datetime, until: datetime, types: Sequence[str] = ("*",)
) -> Replay:
    return await replays.add(
        conn,
        uuid4(),
        ONE,
        since=since,
        until=until,
        event_types=types,
        delivered=False,
        now=CREATED,
    )


async def test_it_begins_at_the_first_that_is_meant_and_holds_those_of_its_time(conn: Conn) -> None:
    await made(conn, an_endpoint(event_types=("webhook.test",)))
    ids = await an_hourly_history(conn, 6)
    replay = await ordered(conn, CREATED + 2 * HOUR, CREATED + 5 * HOUR)
    assert (replay.after, replay.last) == (2, 6)
    step = await replays.missing(conn, replay)
    assert (step.after, step.events) == (6, ids[2:5])


async def test_a_time_without_events_is_over_at_once(conn: Conn) -> None:
    await made(conn, an_endpoint())
    replay = await ordered(conn, CREATED + HOUR, CREATED + 2 * HOUR)
    step = await replays.missing(conn, replay)
    assert (step.after, step.events) == (0, [])
    await replays.advance(conn, replay, after=step.after, queued=0, now=CREATED)
    assert await replays.hold(conn, waiting_max=1) is None


async def test_what_waits_already_is_not_queued_again(conn: Conn) -> None:
    await made(conn, an_endpoint())
    await an_hourly_history(conn, 3)
    replay = await ordered(conn, CREATED, CREATED + 9 * HOUR)
    assert (await replays.missing(conn, replay)).events == []


async def test_the_oldest_is_held_by_one_only(pool: Pool, conn: Conn) -> None:
    await made(conn, an_endpoint(event_types=("webhook.test",)))
    await an_hourly_history(conn, 1)
    first = await ordered(conn, CREATED, CREATED + HOUR)
    second = await replays.add(
        conn,
        uuid4(),
        ONE,
        since=CREATED,
        until=CREATED + HOUR,
        event_types=["*"],
        delivered=False,
        now=CREATED + HOUR,
    )
    assert [one.id for one in await replays.of_endpoint(conn, ONE)] == [second.id, first.id]
    async with transaction(pool) as one, transaction(pool) as other:
        mine, theirs = [await replays.hold(c, waiting_max=9) for c in (one, other)]
        assert mine is not None
        assert theirs is not None
        assert (mine.id, theirs.id) == (first.id, second.id)


async def test_how_far_it_came_is_written_down(conn: Conn) -> None:
    await made(conn, an_endpoint())
    await an_hourly_history(conn, 3)
    replay = await ordered(conn, CREATED, CREATED + 9 * HOUR)
    await replays.advance(conn, replay, after=2, queued=2, now=CREATED)
    half = await replays.find(conn, replay.id)
    assert half is not None
    assert (half.after, half.queued, half.ended_at) == (2, 2, None)
    await replays.advance(conn, half, after=3, queued=1, now=CREATED + HOUR)
    whole = await replays.find(conn, replay.id)
    assert whole is not None
    assert (whole.after, whole.queued, whole.ended_at) == (3, 3, CREATED + HOUR)
    assert await replays.find(conn, uuid4()) is None
