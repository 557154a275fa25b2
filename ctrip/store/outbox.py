"""The only writer of the tables events and deliveries.

An event and its deliveries are written in the transaction that caused them. A delivery
is claimed for the length of a lease; every later write carries the claim's id, so a
sender that comes back after its lease changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from msgspec import Struct, convert

from ctrip.core.events import EventType, PaymentEvent
from ctrip.core.ids import EventId, PaymentId
from ctrip.core.view import event_body
from ctrip.store.pool import Conn

GLOBAL: Final = "global"  # the receiver of the configuration
PER_PAYMENT: Final = "payment"  # the payment's own webhook_url

APPEND = """
WITH event AS (
    INSERT INTO events (id, payment_id, sequence, type, body, created_at)
    SELECT *, $6 FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::bytea[])
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
INSERT INTO deliveries (event_id, target, due_at)
SELECT id, 'global', $6::timestamptz FROM event WHERE $7::bool
UNION ALL
SELECT id, 'payment', $6 FROM event WHERE id = ANY($8::text[])
"""


class Row(Struct, frozen=True, gc=False):
    """An event as APPEND reads it."""

    id: EventId
    payment_id: PaymentId
    sequence: int
    type: EventType
    body: bytes
    for_payment: bool  # it has a receiver of its own


def row(event: PaymentEvent, now: datetime) -> Row:
    """Return an event with the bytes that are sent."""
    payment = event.payment
    return Row(
        event.id,
        payment.id,
        payment.sequence,
        event.type,
        event_body(event, now),
        payment.webhook_url is not None,
    )


def append_arguments(
    events: Sequence[PaymentEvent], *, to_global: bool, now: datetime
) -> list[object]:
    """Return what APPEND is given."""
    return columns([row(event, now) for event in events], to_global=to_global, now=now)


def columns(rows: Sequence[Row], *, to_global: bool, now: datetime) -> list[object]:
    """Return rows as APPEND reads them, in the order of the index, which grows page by page."""
    ordered = sorted(rows, key=attrgetter("id"))
    return [
        [row.id for row in ordered],
        [row.payment_id for row in ordered],
        [row.sequence for row in ordered],
        [row.type for row in ordered],
        [row.body for row in ordered],
        now,
        to_global,
        [row.id for row in ordered if row.for_payment],
    ]


async def append(
    conn: Conn, events: Sequence[PaymentEvent], *, to_global: bool, now: datetime
) -> None:
    """Promise these events to their receivers, in the transaction that caused them."""
    await write(conn, [row(event, now) for event in events], to_global=to_global, now=now)


async def write(conn: Conn, rows: Sequence[Row], *, to_global: bool, now: datetime) -> None:
    """Append events that were encoded before."""
    await conn.execute(APPEND, *columns(rows, to_global=to_global, now=now))


class Claim(Struct, frozen=True, kw_only=True):
    """A delivery that is ours until its lease ends."""

    event_id: EventId
    target: str
    claim_id: UUID
    attempts: int  # this one included
    payment_id: PaymentId
    body: bytes
    webhook_url: str | None


# ANY(ARRAY(…)) keeps the planner on the partial index, whatever the queue's size was
# when the statement was first planned.
CLAIM = """
UPDATE deliveries AS d SET attempts = d.attempts + 1, due_at = $3, claim_id = $4
FROM events e JOIN payments p ON p.id = e.payment_id
WHERE d.ctid = ANY(ARRAY(
    SELECT ctid FROM deliveries WHERE state = 'waiting' AND due_at <= $1
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED))
AND e.id = d.event_id
RETURNING d.event_id, d.target, d.claim_id, d.attempts, e.payment_id, e.body, p.webhook_url
"""


async def claim(
    conn: Conn, *, now: datetime, count_max: int, lease_until: datetime, claim_id: UUID
) -> list[Claim]:
    """Take due deliveries for ourselves until the lease ends."""
    rows = await conn.fetch(CLAIM, now, count_max, lease_until, claim_id)
    return [convert({**row}, Claim) for row in rows]


class Ended(Struct, frozen=True, kw_only=True):
    """What became of an attempt."""

    claim: Claim
    state: str  # waiting, delivered, dead
    due_at: datetime  # of the next attempt, or now
    outcome: str


COMPLETE = """
UPDATE deliveries AS d SET state = new.state, due_at = new.due_at, outcome = new.outcome,
    claim_id = NULL, ended_at = CASE WHEN new.state = 'waiting' THEN NULL ELSE $7::timestamptz END
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
AS new (event_id, target, claim_id, state, due_at, outcome)
WHERE d.event_id = new.event_id AND d.target = new.target AND d.claim_id = new.claim_id
"""


async def complete(conn: Conn, ended: Sequence[Ended], *, now: datetime) -> None:
    """Write down how attempts ended, for those that are still ours."""
    await conn.execute(
        COMPLETE,
        [end.claim.event_id for end in ended],
        [end.claim.target for end in ended],
        [end.claim.claim_id for end in ended],
        [end.state for end in ended],
        [end.due_at for end in ended],
        [end.outcome for end in ended],
        now,
    )


RELEASE = """
UPDATE deliveries SET due_at = $2, attempts = attempts - 1, claim_id = NULL
WHERE claim_id = $1 AND state = 'waiting'
"""


async def release(conn: Conn, claim_id: UUID, *, now: datetime) -> None:
    """Give back what was claimed and not sent; it costs no attempt."""
    await conn.execute(RELEASE, claim_id, now)


BACKLOG = """
SELECT count(*) FILTER (WHERE due_at <= $1) AS due, count(*) AS waiting, min(due_at) AS next
FROM (SELECT due_at FROM deliveries WHERE state = 'waiting' ORDER BY due_at LIMIT $2) AS queue
"""


class Backlog(Struct, frozen=True, kw_only=True):
    """How much waits to be sent, counted up to a limit."""

    due: int
    waiting: int
    next: datetime | None


async def backlog(conn: Conn, *, now: datetime, count_max: int) -> Backlog:
    """Measure the queue without reading all of it."""
    row = await conn.fetchrow(BACKLOG, now, count_max)
    return convert({**(row or {})}, Backlog)
