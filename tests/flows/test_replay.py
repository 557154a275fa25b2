"""A recovery is queued bit by bit, never floods the queue, and survives being broken off."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from ctrip.core.deliveries import Ended
from ctrip.core.endpoints import EndpointId
from ctrip.core.events import created
from ctrip.core.ids import EventId
from ctrip.flows import replay as flow
from ctrip.flows.replay import Replayer
from ctrip.flows.tidings import place_all
from ctrip.store import endpoints, outbox, payments, queue, replays
from ctrip.store.pool import Conn, Pool, connection
from ctrip.store.replays import Replay
from tests.store.rows import WALLET, fresh
from tests.support.builders import CREATED
from tests.support.clock import FakeClock
from tests.support.receivers_on_record import an_endpoint, made

ONE, TWO = EndpointId("we_1"), EndpointId("we_2")
HOUR = timedelta(hours=1)


@pytest.fixture
async def db(pool: Pool) -> Conn:
    """A connection beside those of the flow, with two endpoints that hear of nothing by itself."""
    conn = await pool.acquire()
    await made(conn, *(an_endpoint(one, event_types=("webhook.test",)) for one in (ONE, TWO)))
    return conn


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of five places, and an endpoint that is full with eight deliveries."""
    monkeypatch.setattr(replays, "STRETCH", 5)
    monkeypatch.setattr(flow, "WAITING_MAX", 8)


async def happened(conn: Conn, pool: Pool, count: int) -> list[EventId]:
    """Announce payments that nobody hears of, and return the ids of the events."""
    news = [created(fresh()) for _ in range(count)]
    await payments.insert(conn, [event.payment for event in news], wallet=WALLET)
    await outbox.append(conn, news, now=CREATED)
    await place_all(pool)
    return sorted(event.id for event in news)


async def ordered(
    conn: Conn,
    endpoint: EndpointId = ONE,
    *,
    event_types: Sequence[str] = ("*",),
    delivered: bool = False,
) -> Replay:
    return await replays.add(
        conn,
        uuid4(),
        endpoint,
        since=CREATED - HOUR,
        until=CREATED + HOUR,
        event_types=event_types,
        delivered=delivered,
        now=CREATED,
    )


async def ended(conn: Conn, *, delivered: bool = True) -> list[EventId]:
    """Let everything that waits end, and return the events."""
    claims = await queue.claim(
        conn,
        now=CREATED,
        count_max=1_000,
        lease_until=CREATED + HOUR,
        claim_id=uuid4(),
        allowed={},
        tried_after=5,
    )
    ends = [
        Ended(
            claim=claim, delivered=delivered, due_at=None, outcome="x", milliseconds=1,
            address=None, answer=b"",
        )
        for claim in claims
    ]  # fmt: skip
    await queue.complete(conn, ends, now=CREATED)
    return [claim.event_id for claim in claims]


async def waiting(conn: Conn, endpoint: EndpointId = ONE) -> int:
    return int(
        await conn.fetchval("SELECT count(*) FROM deliveries WHERE endpoint_id = $1", endpoint)
    )


def a_replayer(pool: Pool) -> Replayer:
    return Replayer(pool, FakeClock(CREATED), asyncio.Event())


async def through(pool: Pool, conn: Conn) -> list[EventId]:
    """Replay everything, delivering whenever the endpoint is full; return what it got."""
    got: list[EventId] = []
    for _ in range(100):
        if not await a_replayer(pool).run_once():
            if not (batch := await ended(conn)):
                return got
            got += batch
    raise AssertionError("a replay never comes to an end")


async def test_everything_that_was_missed_is_sent_once(pool: Pool, db: Conn) -> None:
    events = await happened(db, pool, 33)
    replay = await ordered(db)
    assert sorted(await through(pool, db)) == events
    found = await replays.find(db, replay.id)
    assert found is not None
    assert (found.queued, found.after, found.ended_at) == (33, 33, CREATED)


async def test_the_queue_stays_short_however_much_was_missed(pool: Pool, db: Conn) -> None:
    await happened(db, pool, 100)
    await ordered(db)
    for _ in range(10):
        while await a_replayer(pool).run_once():
            assert await waiting(db) <= flow.WAITING_MAX - 1 + replays.STRETCH
        assert await waiting(db) >= flow.WAITING_MAX
        await ended(db)


async def test_what_happens_later_is_no_part_of_it(pool: Pool, db: Conn) -> None:
    events = await happened(db, pool, 7)
    await ordered(db)
    await happened(db, pool, 7)
    assert sorted(await through(pool, db)) == events


async def test_what_was_delivered_is_left_out_unless_it_is_asked_for(pool: Pool, db: Conn) -> None:
    events = await happened(db, pool, 6)
    await outbox.resend(db, events[:2], ONE, now=CREATED)
    await ended(db)
    await outbox.resend(db, events[2:4], ONE, now=CREATED)
    await ended(db, delivered=False)
    await ordered(db)
    assert sorted(await through(pool, db)) == events[2:]
    await ordered(db, delivered=True)
    assert sorted(await through(pool, db)) == events


async def test_only_types_that_were_asked_for_are_sent(pool: Pool, db: Conn) -> None:
    await happened(db, pool, 6)
    await ordered(db, event_types=["payment.paid", "webhook.*"])
    assert await through(pool, db) == []


async def test_a_full_or_disabled_endpoint_holds_up_no_other(pool: Pool, db: Conn) -> None:
    await happened(db, pool, 12)
    await ordered(db, ONE)
    while await a_replayer(pool).run_once():
        pass
    full = await waiting(db)
    await ordered(db, TWO)
    assert await a_replayer(pool).run_once()
    assert (await waiting(db), await waiting(db, TWO)) == (full, 5)
    await endpoints.disable(db, TWO, "x", now=CREATED)
    assert not await a_replayer(pool).run_once()
    await endpoints.enable(db, TWO, now=CREATED)
    assert await a_replayer(pool).run_once()


async def test_two_processes_share_the_work_and_repeat_none(pool: Pool, db: Conn) -> None:
    await happened(db, pool, 8)
    one, two = await ordered(db, ONE), await ordered(db, TWO)
    replayers = [a_replayer(pool) for _ in range(4)]
    for _ in range(4):
        await asyncio.gather(*(replayer.run_once() for replayer in replayers))
    for replay in (one, two):
        found = await replays.find(db, replay.id)
        assert found is not None
        assert (found.queued, found.ended_at) == (8, CREATED)
        assert await waiting(db, replay.endpoint_id) == 8


@pytest.mark.parametrize("seed", range(3))
async def test_a_replay_that_is_broken_off_anywhere_goes_on(
    pool: Pool, db: Conn, seed: int
) -> None:
    """Half the passes lose their connection at some point, as if the process had been killed."""
    dice = random.Random(seed)
    events = await happened(db, pool, 60)
    replay = await ordered(db)
    got: list[EventId] = []
    for _ in range(2_000):
        task = asyncio.create_task(a_replayer(pool).run_once())
        if dice.random() < 0.5:
            for _ in range(dice.randrange(12)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and not task.result():
            batch = await ended(db)
            if not batch:
                break
            got += batch
    assert sorted(got) == events, f"seed {seed}"
    found = await replays.find(db, replay.id)
    assert found is not None
    assert (found.queued, found.ended_at) == (60, CREATED)


async def test_the_sender_is_woken_when_there_is_something_to_send(pool: Pool, db: Conn) -> None:
    news = asyncio.Event()
    replayer = Replayer(pool, FakeClock(CREATED), news)
    assert not await replayer.run_once()
    assert not news.is_set()
    await happened(db, pool, 1)
    await ordered(db)
    async with connection(pool):
        await replayer.run_once()
    assert news.is_set()
