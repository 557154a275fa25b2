"""The only writer of the table events, and the only one who puts deliveries into the queue.

An event and its deliveries are written in the transaction that caused them: one for each
endpoint whose filter lets it through, and one for the payment's own URL. queue.py takes them
out again.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from msgspec import Struct

from ctrip.core.endpoints import EndpointId, site_of
from ctrip.core.events import EventType, PaymentEvent
from ctrip.core.ids import EventId, PaymentId
from ctrip.core.notices import Notice
from ctrip.core.view import event_body, notice_body
from ctrip.store.pool import Conn

PLACED_AT_ONCE_MAX: Final = 1_000  # events in one statement: some milliseconds

# `endpoints` is small and read whole. What a filter lets through is told by
# core.endpoints.matches() in the same words.
EVENTS = """
INSERT INTO events (id, payment_id, sequence, type, body, created_at)
SELECT *, $6 FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::bytea[])
    AS new (id, payment_id, sequence, type, body)
"""
ONCE = "ON CONFLICT (id) DO NOTHING RETURNING id, type"
DELIVERIES = """
INSERT INTO deliveries (event_id, endpoint_id, due_at)
SELECT event.id, e.id, $6::timestamptz FROM event JOIN endpoints e ON e.enabled
    AND e.kind <> 'site'
    AND e.event_types && ARRAY[event.type, split_part(event.type, '.', 1) || '.*', '*']
UNION ALL
SELECT event.id, own.site, $6
FROM event JOIN unnest($7::text[], $8::text[]) AS own (id, site) ON own.id = event.id
"""
APPEND = f"WITH event AS ({EVENTS} {ONCE}) {DELIVERIES}"


class Row(Struct, frozen=True, gc=False):
    """An event as APPEND reads it."""

    id: EventId
    payment_id: PaymentId | None
    sequence: int
    type: EventType
    body: bytes
    webhook_url: str | None  # of a receiver that hears of this payment alone


def row(event: PaymentEvent, now: datetime) -> Row:
    """Return an event with the bytes that are sent."""
    payment = event.payment
    return Row(
        event.id,
        payment.id,
        payment.sequence,
        event.type,
        event_body(event, now),
        payment.webhook_url,
    )


def notice_row(notice: Notice, now: datetime) -> Row:
    """Return news of ctrip itself with the bytes that are sent."""
    return Row(notice.id, None, 0, notice.type, notice_body(notice, now), None)


def columns(rows: Sequence[Row], *, now: datetime) -> list[object]:
    """Return rows as APPEND reads them, in the order of the index, which grows page by page."""
    ordered = sorted(rows, key=attrgetter("id"))
    own = [row for row in ordered if row.webhook_url]
    return [
        [row.id for row in ordered],
        [row.payment_id for row in ordered],
        [row.sequence for row in ordered],
        [row.type for row in ordered],
        [row.body for row in ordered],
        now,
        [row.id for row in own],
        [site_of(row.webhook_url or "") for row in own],
    ]


async def append(conn: Conn, events: Sequence[PaymentEvent], *, now: datetime) -> None:
    """Promise these events to their receivers, in the transaction that caused them."""
    await write(conn, columns([row(event, now) for event in events], now=now))


async def write(conn: Conn, columns: Sequence[object]) -> None:
    """Append events that were encoded before."""
    await conn.execute(APPEND, *columns)


SEND_TO_ONE = """
WITH event AS (
    INSERT INTO events (id, payment_id, sequence, type, body, created_at)
    VALUES ($1, NULL, 0, $2, $3, $4) RETURNING id
)
INSERT INTO deliveries (event_id, endpoint_id, due_at, manual) SELECT id, $5, $4, true FROM event
"""


async def send_to_one(conn: Conn, notice: Notice, endpoint: EndpointId, *, now: datetime) -> None:
    """Promise news to one receiver, whatever its filter says."""
    body = notice_body(notice, now)
    await conn.execute(SEND_TO_ONE, notice.id, notice.type, body, now, endpoint)


# A lease that runs is left alone: the claim under way may not be fenced out by a wish.
RESEND = """
INSERT INTO deliveries AS d (event_id, endpoint_id, due_at, manual)
SELECT unnest($1::text[]), $2, $3, true
ON CONFLICT (event_id, endpoint_id) DO UPDATE SET due_at = least(d.due_at, $3), manual = true
WHERE d.claim_id IS NULL OR d.due_at <= $3
"""


async def resend(
    conn: Conn, events: Sequence[EventId], endpoint: EndpointId, *, now: datetime
) -> int:
    """Send events to an endpoint again, whatever became of them; return how many were queued."""
    tag = await conn.execute(RESEND, events, endpoint, now)
    return int(tag.rpartition(" ")[2])


PLACES: Final = 4_207_849_484  # the advisory lock of those who give places; any number of ours
TAKE_TURN = "SELECT pg_advisory_xact_lock($1)"

PLACE = """
WITH fresh AS (
    SELECT id, row_number() OVER (ORDER BY created_at, sequence, id) AS n FROM events
    WHERE position IS NULL ORDER BY created_at, sequence, id LIMIT $1
), last AS (
    SELECT coalesce((SELECT position FROM events WHERE position IS NOT NULL
                     ORDER BY position DESC LIMIT 1), 0) AS position
)
UPDATE events SET position = last.position + fresh.n FROM fresh, last
WHERE events.id = ANY(ARRAY(SELECT id FROM fresh)) AND events.id = fresh.id
"""


async def place(conn: Conn) -> bool:
    """Give committed events their place in the stream; return True if some may be left.

    In a transaction of its own. One gives places at a time, and sees all places that were
    given before, so whoever sees a place sees every one below it: an event that commits late
    comes later in the stream, and no reader that went on meanwhile has missed it.
    """
    await conn.execute(TAKE_TURN, PLACES)
    tag = await conn.execute(PLACE, PLACED_AT_ONCE_MAX)
    return int(tag.rpartition(" ")[2]) == PLACED_AT_ONCE_MAX
