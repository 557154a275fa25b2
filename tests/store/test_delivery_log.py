"""The log of deliveries: what is said of each, in which order, from which page on."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ctrip.core.deliveries import Ended
from ctrip.core.endpoints import CONFIG
from ctrip.core.events import created
from ctrip.core.ids import EventId
from ctrip.store import delivery_log, outbox, queue
from ctrip.store.pool import Conn
from tests.store.rows import written
from tests.support.builders import CREATED

NOBODY = EventId("evt_0")
FIRST = (datetime(1970, 1, 1, tzinfo=UTC), EventId(""))
LAST = (datetime(9999, 12, 31, tzinfo=UTC), EventId(""))
MINUTE = timedelta(minutes=1)


async def attempt(
    conn: Conn, outcome: str, at: datetime = CREATED, *, again: timedelta | None = None
) -> list[EventId]:
    """Let one attempt be made for everything that is due, all with this end."""
    claims = await queue.claim(
        conn,
        now=at,
        count_max=100,
        lease_until=at + MINUTE,
        claim_id=uuid4(),
        allowed={},
        tried_after=5,
    )
    ends = [
        Ended(
            claim=claim, delivered=outcome == "200", due_at=None if again is None else at + again,
            outcome=outcome, milliseconds=7, address="192.0.2.1", answer=b"x",
        )
        for claim in claims
    ]  # fmt: skip
    await queue.complete(conn, ends, now=at)
    return [claim.event_id for claim in claims]


async def test_what_waits_says_how_its_last_attempt_ended(conn: Conn) -> None:
    await written(conn)
    (event,) = await attempt(conn, "500", again=MINUTE)
    await attempt(conn, "timeout", CREATED + MINUTE, again=MINUTE)
    now = CREATED + MINUTE
    (waits,) = await delivery_log.waiting(conn, CONFIG, after=FIRST, count_max=9, now=now)
    assert (waits.event_id, waits.state, waits.attempts) == (event, "waiting", 2)
    assert (waits.outcome, waits.due_at) == ("timeout", CREATED + 2 * MINUTE)


async def test_what_has_ended_is_listed_newest_first_page_by_page(conn: Conn) -> None:
    ended: list[EventId] = []
    for minute, outcome in enumerate(["200", "410", "200"]):
        await written(conn)
        await written(conn)
        ended = (
            sorted(await attempt(conn, outcome, CREATED + minute * MINUTE), reverse=True) + ended
        )
    before, seen = LAST, []
    while page := await delivery_log.done(conn, CONFIG, before=before, count_max=1):
        seen += [one.event_id for one in page]
        before = (page[-1].ended_at or CREATED, page[-1].event_id)
    assert seen == ended
    for delivered, expected in [(True, ended[:2] + ended[4:]), (False, ended[2:4])]:
        only = await delivery_log.done(conn, CONFIG, before=LAST, count_max=9, delivered=delivered)
        assert [one.event_id for one in only] == expected
        assert {one.state for one in only} == {"delivered" if delivered else "dead"}


async def test_of_an_event_only_the_last_word_is_said(conn: Conn) -> None:
    await written(conn)
    (event,) = await attempt(conn, "410")
    await outbox.resend(conn, [event], CONFIG, now=CREATED + MINUTE)
    (waits,) = await delivery_log.of_event(conn, event, now=CREATED + MINUTE)
    assert (waits.state, waits.attempts) == ("waiting", 0)
    await attempt(conn, "200", CREATED + MINUTE)
    (done,) = await delivery_log.of_event(conn, event, now=CREATED + MINUTE)
    assert (done.state, done.outcome) == ("delivered", "200")
    attempts = await delivery_log.attempts(conn, event, CONFIG)
    assert [(one.attempt, one.manual, one.outcome) for one in attempts] == [
        (1, False, "410"), (1, True, "200"),
    ]  # fmt: skip
    assert (attempts[0].address, attempts[0].answer, attempts[0].milliseconds) == (
        "192.0.2.1", b"x", 7,
    )  # fmt: skip


async def test_the_stream_holds_what_lies_between_two_places(conn: Conn) -> None:
    payments = [await written(conn) for _ in range(4)]
    assert await delivery_log.any_unplaced(conn)
    assert await delivery_log.end_of_stream(conn) == 0
    await outbox.place(conn)
    assert not await delivery_log.any_unplaced(conn)
    assert await delivery_log.end_of_stream(conn) == 4
    part = await delivery_log.stream(conn, 1, until=3, count_max=9, event_types=None)
    assert [one.position for one in part] == [2, 3]
    none = await delivery_log.stream(conn, 0, until=4, count_max=9, event_types=["payment.paid"])
    assert none == []
    some = await delivery_log.stream(conn, 0, until=4, count_max=3, event_types=["payment.*"])
    assert len(some) == 3
    urls = await delivery_log.own_urls(conn, [created(payments[0]).id, NOBODY])
    assert urls == {created(payments[0]).id: None}


async def test_an_event_that_is_not_there_is_none(conn: Conn) -> None:
    assert await delivery_log.event(conn, NOBODY) is None
    assert await delivery_log.of_event(conn, NOBODY, now=CREATED) == []
    assert await delivery_log.attempts(conn, NOBODY) == []
