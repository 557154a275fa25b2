"""Reads what was announced, to whom, and what became of it. It writes nothing."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.endpoints import EndpointId
from ctrip.core.ids import EventId, KeyId, PaymentId
from ctrip.store.pool import Conn


class StreamedEvent(Struct, frozen=True, kw_only=True):
    """An event at its place in the stream."""

    position: int
    body: bytes


STREAM = """
SELECT position, body FROM events WHERE position > $1 AND position <= $2
AND ($4::text[] IS NULL OR $4 && ARRAY[type, split_part(type, '.', 1) || '.*', '*'])
AND ($5::uuid IS NULL OR (SELECT owner FROM payments WHERE id = payment_id) = $5)
ORDER BY position LIMIT $3
"""


async def stream(
    conn: Conn,
    after: int,
    *,
    until: int,
    count_max: int,
    event_types: Sequence[str] | None,
    owner: KeyId | None = None,
) -> list[StreamedEvent]:
    """Return events after one place and up to another, in the order of the stream."""
    types = None if event_types is None else list(event_types)
    rows = await conn.fetch(STREAM, after, until, count_max, types, owner)
    return [StreamedEvent(position=row["position"], body=row["body"]) for row in rows]


END_OF_STREAM = """
SELECT coalesce((SELECT position FROM events WHERE position IS NOT NULL
                 ORDER BY position DESC LIMIT 1), 0)
"""


async def end_of_stream(conn: Conn) -> int:
    """Return the last place that was given."""
    return int(await conn.fetchval(END_OF_STREAM))


ANY_UNPLACED = "SELECT EXISTS (SELECT 1 FROM events WHERE position IS NULL)"


async def any_unplaced(conn: Conn) -> bool:
    """Tell whether an event waits for its place in the stream."""
    return bool(await conn.fetchval(ANY_UNPLACED))


OWN_URLS = """
SELECT v.id, p.webhook_url FROM events v LEFT JOIN payments p ON p.id = v.payment_id
WHERE v.id = ANY($1)
"""


async def own_urls(conn: Conn, event_ids: Sequence[EventId]) -> dict[EventId, str | None]:
    """Return, of those of these events that exist, the URL that each one's payment named."""
    rows = await conn.fetch(OWN_URLS, list(event_ids))
    return {EventId(row["id"]): row["webhook_url"] for row in rows}


class KnownEvent(Struct, frozen=True, kw_only=True):
    """An event as it was announced."""

    id: EventId
    payment_id: PaymentId | None
    type: str
    body: bytes
    created_at: datetime


EVENT = """
SELECT id, payment_id, type, body, created_at FROM events WHERE id = $1
AND ($2::uuid IS NULL OR (SELECT owner FROM payments WHERE id = payment_id) = $2)
"""


async def event(conn: Conn, event_id: EventId, *, owner: KeyId | None = None) -> KnownEvent | None:
    """Return an event, if it is of a payment of this owner; None owns everything."""
    row = await conn.fetchrow(EVENT, event_id, owner)
    return None if row is None else convert({**row}, KnownEvent)


class Delivery(Struct, frozen=True, kw_only=True):
    """How far an event has come on its way to an endpoint."""

    event_id: EventId
    type: str
    payment_id: PaymentId | None
    endpoint_id: EndpointId
    state: str  # waiting, sending, delivered or dead
    attempts: int
    outcome: str | None  # of the last attempt
    due_at: datetime | None  # of the next attempt
    ended_at: datetime | None


WAITING = """
SELECT d.event_id, v.type, v.payment_id, d.endpoint_id, d.attempts, d.due_at, NULL AS ended_at,
    CASE WHEN d.claim_id IS NOT NULL AND d.due_at > $2 THEN 'sending' ELSE 'waiting' END AS state,
    (SELECT a.outcome FROM attempts a WHERE a.event_id = d.event_id
     AND a.endpoint_id = d.endpoint_id ORDER BY a.at DESC LIMIT 1) AS outcome
FROM deliveries d JOIN events v ON v.id = d.event_id
WHERE d.endpoint_id = $1 AND (d.due_at, d.event_id) > ($3::timestamptz, $4::text)
ORDER BY d.due_at, d.event_id LIMIT $5
"""


async def waiting(
    conn: Conn,
    endpoint: EndpointId,
    *,
    after: tuple[datetime, EventId],
    count_max: int,
    now: datetime,
) -> list[Delivery]:
    """Return what waits for an endpoint, the next first, from a row on."""
    rows = await conn.fetch(WAITING, endpoint, now, *after, count_max)
    return [convert({**row}, Delivery) for row in rows]


DONE = """
SELECT d.event_id, v.type, v.payment_id, d.endpoint_id, d.attempts, d.outcome, d.ended_at,
    NULL::timestamptz AS due_at, CASE WHEN d.delivered THEN 'delivered' ELSE 'dead' END AS state
FROM deliveries_done d JOIN events v ON v.id = d.event_id
WHERE d.endpoint_id = $1 AND ($2::bool IS NULL OR d.delivered = $2)
AND (d.ended_at, d.event_id) < ($3::timestamptz, $4::text)
ORDER BY d.ended_at DESC, d.event_id DESC LIMIT $5
"""


async def done(
    conn: Conn,
    endpoint: EndpointId,
    *,
    before: tuple[datetime, EventId],
    count_max: int,
    delivered: bool | None = None,
) -> list[Delivery]:
    """Return what has ended for an endpoint, newest first, from a row on."""
    rows = await conn.fetch(DONE, endpoint, delivered, *before, count_max)
    return [convert({**row}, Delivery) for row in rows]


OF_EVENT = """
SELECT d.event_id, v.type, v.payment_id, d.endpoint_id, d.attempts, NULL AS outcome,
    d.due_at, NULL::timestamptz AS ended_at,
    CASE WHEN d.claim_id IS NOT NULL AND d.due_at > $2 THEN 'sending' ELSE 'waiting' END AS state
FROM deliveries d JOIN events v ON v.id = d.event_id WHERE d.event_id = $1
UNION ALL
SELECT * FROM (
    SELECT DISTINCT ON (d.endpoint_id) d.event_id, v.type, v.payment_id, d.endpoint_id, d.attempts,
        d.outcome, NULL::timestamptz, d.ended_at,
        CASE WHEN d.delivered THEN 'delivered' ELSE 'dead' END
    FROM deliveries_done d JOIN events v ON v.id = d.event_id
    WHERE d.event_id = $1
    AND NOT EXISTS (SELECT 1 FROM deliveries q
        WHERE q.event_id = d.event_id AND q.endpoint_id = d.endpoint_id)
    ORDER BY d.endpoint_id, d.ended_at DESC
) AS ended
ORDER BY endpoint_id
"""


async def of_event(conn: Conn, event_id: EventId, *, now: datetime) -> list[Delivery]:
    """Return how far an event has come with each endpoint."""
    return [convert({**row}, Delivery) for row in await conn.fetch(OF_EVENT, event_id, now)]


ANNOUNCED = """
SELECT type, created_at FROM events WHERE payment_id = $1 ORDER BY sequence LIMIT $2
"""


async def announced(
    conn: Conn, payment_id: PaymentId, *, count_max: int
) -> list[tuple[str, datetime]]:
    """Return what was announced of a payment, the first event first."""
    rows = await conn.fetch(ANNOUNCED, payment_id, count_max)
    return [(row["type"], row["created_at"]) for row in rows]


OF_PAYMENT = """
SELECT d.event_id, v.type, v.payment_id, d.endpoint_id, d.attempts, d.due_at,
    NULL::timestamptz AS ended_at, v.sequence,
    CASE WHEN d.claim_id IS NOT NULL AND d.due_at > $2 THEN 'sending' ELSE 'waiting' END AS state,
    (SELECT a.outcome FROM attempts a WHERE a.event_id = d.event_id
     AND a.endpoint_id = d.endpoint_id ORDER BY a.at DESC LIMIT 1) AS outcome
FROM events v JOIN deliveries d ON d.event_id = v.id WHERE v.payment_id = $1
UNION ALL
SELECT * FROM (
    SELECT DISTINCT ON (d.event_id, d.endpoint_id) d.event_id, v.type, v.payment_id, d.endpoint_id,
        d.attempts, NULL::timestamptz, d.ended_at, v.sequence,
        CASE WHEN d.delivered THEN 'delivered' ELSE 'dead' END, d.outcome
    FROM events v JOIN deliveries_done d ON d.event_id = v.id
    WHERE v.payment_id = $1
    AND NOT EXISTS (SELECT 1 FROM deliveries q
        WHERE q.event_id = d.event_id AND q.endpoint_id = d.endpoint_id)
    ORDER BY d.event_id, d.endpoint_id, d.ended_at DESC
) AS ended
ORDER BY sequence, endpoint_id LIMIT $3
"""


async def of_payment(
    conn: Conn, payment_id: PaymentId, *, now: datetime, count_max: int
) -> list[Delivery]:
    """Return how far each event of a payment has come with each endpoint."""
    rows = await conn.fetch(OF_PAYMENT, payment_id, now, count_max)
    return [convert({**row}, Delivery) for row in rows]


class Attempt(Struct, frozen=True, kw_only=True):
    """One request, and what became of it."""

    event_id: EventId
    endpoint_id: EndpointId
    attempt: int
    manual: bool
    at: datetime
    milliseconds: int
    outcome: str  # a status, or a kind of failure
    address: str | None
    answer: bytes | None


ATTEMPTS = """
SELECT * FROM attempts WHERE event_id = $1 AND ($2::text IS NULL OR endpoint_id = $2)
ORDER BY at, attempt LIMIT 1000
"""


async def attempts(
    conn: Conn, event_id: EventId, endpoint: EndpointId | None = None
) -> list[Attempt]:
    """Return every attempt on record for an event, the first one first."""
    rows = await conn.fetch(ATTEMPTS, event_id, endpoint)
    return [convert({**row}, Attempt) for row in rows]
