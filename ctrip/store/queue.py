"""Takes deliveries out of the queue: claims them, and writes down what became of them.

A delivery is claimed for the length of a lease; every later write carries the claim's id, so
a sender that comes back after its lease changes nothing. What has ended leaves the queue for
deliveries_done, so the queue is as large as what waits, however much was ever sent. Every
attempt is kept beside it. outbox.py puts deliveries in.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, convert

from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import EndpointId
from ctrip.store.pool import Conn

ENDED_AT_ONCE_MAX: Final = 1_000  # deliveries in one statement: some milliseconds
KEPT: Final = ("deliveries_done", "attempts")  # tables that have months
MONTHS_AHEAD: Final = 3  # a gateway that runs is never without its next month

# Each endpoint that has anything waiting is found by one step through the index, so the size
# of the queue does not matter. Of each, no more are taken than it has slots: leases that run
# count against them, those that ran out do not. What its own leases come to a sender knows better
# (lanes.py). A paused endpoint has no slot; one that failed has one, to try. A round is dealt
# before the next, so that none fills the sender.
#
# The UPDATE stands alone and by place, so that there is no other plan for it, whatever the
# queue's size was when it was planned; joined, its rows were once found by their endpoint, all
# that it had. The LIMIT keeps the leases to a scan of the index, which marks what it finds dead;
# a bitmap reads every lease there was since the last VACUUM.
CLAIM = """
WITH RECURSIVE waiting AS (
    (SELECT endpoint_id FROM deliveries ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.endpoint_id > w.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL
), free AS (
    SELECT e.id, least(pace.allowed, $2) AS allowed, coalesce(own.held, 0) AS held,
        CASE WHEN e.failures >= $6 THEN 1 ELSE e.concurrency_max END
        - (SELECT count(*) FROM (SELECT FROM deliveries l WHERE l.endpoint_id = e.id
           AND l.claim_id IS NOT NULL AND l.due_at > $1 AND l.claim_id <> ALL($8::uuid[])
           ORDER BY l.due_at LIMIT e.concurrency_max) AS lease) AS width,
        e.kind, e.format, e.revision, e.failures, e.url
    FROM waiting w JOIN endpoints e ON e.id = w.endpoint_id
    LEFT JOIN unnest($4::text[], $5::int[]) AS pace (id, allowed) ON pace.id = e.id
    LEFT JOIN unnest($9::text[], $10::int[]) AS own (id, held) ON own.id = e.id
    WHERE e.enabled AND (e.paused_until IS NULL OR e.paused_until <= $1)
), due AS (
    SELECT d.place, row_number() OVER (PARTITION BY free.id ORDER BY d.due_at) AS round
    FROM free CROSS JOIN LATERAL (
        SELECT ctid AS place, due_at FROM deliveries
        WHERE endpoint_id = free.id AND due_at <= $1
        ORDER BY due_at LIMIT greatest(least(free.allowed, free.width - free.held), 0)
        FOR UPDATE SKIP LOCKED) d
), taken AS (
    UPDATE deliveries SET attempts = attempts + 1, due_at = $3, claim_id = $7
    WHERE ctid = ANY(ARRAY(SELECT place FROM due ORDER BY round LIMIT $2))
    RETURNING event_id, endpoint_id, claim_id, attempts, faults, manual
)
SELECT t.event_id, t.endpoint_id, t.claim_id, t.attempts, t.faults, t.manual, v.payment_id,
    v.sequence, v.type, v.created_at, v.body, e.kind, e.format, e.revision, e.failures, e.width,
    least(e.allowed, e.width - e.held) AS slots, CASE e.kind WHEN 'site'
        THEN (SELECT webhook_url FROM payments WHERE id = v.payment_id) ELSE e.url END AS url
FROM taken t JOIN events v ON v.id = t.event_id JOIN free e ON e.id = t.endpoint_id
"""


class Leases(Struct, frozen=True, kw_only=True):
    """The leases of a sender that did not write their end yet."""

    ids: Collection[UUID]  # of the claims
    held: Mapping[EndpointId, int]  # slots; less than none if some are claimed ahead of them


NO_LEASES: Final = Leases(ids=(), held={})


async def claim(
    conn: Conn,
    *,
    now: datetime,
    count_max: int,
    lease_until: datetime,
    claim_id: UUID,
    allowed: Mapping[EndpointId, int],
    tried_after: int,
    own: Leases = NO_LEASES,
) -> list[Claim]:
    """Take due deliveries for ourselves until the lease ends.

    `allowed` holds how many those endpoints may take now that have a rate. One that failed
    `tried_after` times in a row is given one delivery at a time. `own` are the leases of
    the sender itself.
    """
    rows = await conn.fetch(
        CLAIM,
        now,
        count_max,
        lease_until,
        list(allowed),
        list(allowed.values()),
        tried_after,
        claim_id,
        list(own.ids),
        list(own.held),
        list(own.held.values()),
    )
    return [convert({**row}, Claim) for row in rows]


# As above, rows are looked up one by one and then written by place. IS NOT DISTINCT FROM keeps
# the planner off the index of leases, of which it would read all that an endpoint has.
# A sender that slept through a lease may end the same delivery twice in one batch: once for
# a claim that it lost, which has no place, and once for the one that it made since.
COMPLETE = """
WITH new AS MATERIALIZED (
    SELECT new.*, (SELECT d.ctid FROM deliveries d WHERE d.event_id = new.event_id
        AND d.endpoint_id = new.endpoint_id AND d.claim_id IS NOT DISTINCT FROM new.claim_id
    ) AS place
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bool[], $5::timestamptz[],
        $6::text[], $7::int[], $8::text[], $9::bytea[], $10::bool[])
    AS new (event_id, endpoint_id, claim_id, delivered, due_at, outcome, milliseconds, address,
        answer, ours)
), kept AS (
    UPDATE deliveries AS d SET due_at = new.due_at, claim_id = NULL,
        attempts = d.attempts - new.ours::int, faults = d.faults + new.ours::int
    FROM new WHERE d.ctid = ANY(ARRAY(SELECT place FROM new WHERE due_at IS NOT NULL))
        AND d.ctid = new.place AND d.claim_id IS NOT DISTINCT FROM new.claim_id
    RETURNING new.place, d.attempts + new.ours::int AS attempt, d.manual
), gone AS (
    DELETE FROM deliveries AS d USING new
    WHERE d.ctid = ANY(ARRAY(SELECT place FROM new WHERE due_at IS NULL))
        AND d.ctid = new.place AND d.claim_id IS NOT DISTINCT FROM new.claim_id
    RETURNING new.place, d.attempts AS attempt, d.manual
), done AS (
    INSERT INTO deliveries_done (event_id, endpoint_id, delivered, attempts, outcome, ended_at)
    SELECT event_id, endpoint_id, delivered, gone.attempt, outcome, $11
    FROM gone JOIN new USING (place)
)
INSERT INTO attempts (event_id, endpoint_id, attempt, manual, at, milliseconds, outcome, address,
    answer)
SELECT event_id, endpoint_id, attempt, manual, $11, milliseconds, outcome, address, answer
FROM (SELECT * FROM kept UNION ALL SELECT * FROM gone) AS mine JOIN new USING (place)
"""


async def complete(conn: Conn, ended: Sequence[Ended], *, now: datetime) -> int:
    """Write down how attempts ended, for those that are still ours; return how many were."""
    tag = await conn.execute(
        COMPLETE,
        [end.claim.event_id for end in ended],
        [end.claim.endpoint_id for end in ended],
        [end.claim.claim_id for end in ended],
        [end.delivered for end in ended],
        [end.due_at for end in ended],
        [end.outcome for end in ended],
        [end.milliseconds for end in ended],
        [end.address for end in ended],
        [end.answer for end in ended],
        [end.ours for end in ended],
        now,
    )
    return int(tag.rpartition(" ")[2])


RELEASE = """
UPDATE deliveries AS d SET due_at = $4, attempts = d.attempts - 1, claim_id = NULL
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS ours (event_id, endpoint_id, claim_id)
WHERE d.event_id = ours.event_id AND d.endpoint_id = ours.endpoint_id
AND d.claim_id = ours.claim_id
"""


async def release(conn: Conn, claims: Sequence[Claim], *, now: datetime) -> None:
    """Give back what was claimed and not sent; it costs no attempt."""
    await conn.execute(
        RELEASE,
        [claim.event_id for claim in claims],
        [claim.endpoint_id for claim in claims],
        [claim.claim_id for claim in claims],
        now,
    )


END = """
WITH stranded AS (
    SELECT d.event_id, d.endpoint_id FROM deliveries d
    LEFT JOIN endpoints e ON e.id = d.endpoint_id
    WHERE e.enabled IS NOT TRUE LIMIT $1 FOR UPDATE OF d SKIP LOCKED
), gone AS (
    DELETE FROM deliveries d USING stranded s
    WHERE d.event_id = s.event_id AND d.endpoint_id = s.endpoint_id
    RETURNING d.event_id, d.endpoint_id, d.attempts
)
INSERT INTO deliveries_done (event_id, endpoint_id, delivered, attempts, outcome, ended_at)
SELECT event_id, endpoint_id, false, attempts, 'disabled', $2 FROM gone
"""


async def end_stranded(conn: Conn, *, now: datetime) -> bool:
    """End what waits for endpoints that are disabled or gone; return True if there may be more."""
    tag = await conn.execute(END, ENDED_AT_ONCE_MAX, now)
    return tag == f"INSERT 0 {ENDED_AT_ONCE_MAX}"


BACKLOG = """
WITH RECURSIVE first AS (
    (SELECT endpoint_id, due_at FROM deliveries ORDER BY endpoint_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.endpoint_id, n.due_at FROM first f CROSS JOIN LATERAL (
        SELECT endpoint_id, due_at FROM deliveries WHERE endpoint_id > f.endpoint_id
        ORDER BY endpoint_id, due_at LIMIT 1) n
)
SELECT count(*) FILTER (WHERE due_at <= $1) AS due, count(*) AS waiting,
    (SELECT min(f.due_at) FROM first f JOIN endpoints e ON e.id = f.endpoint_id
     WHERE e.enabled AND e.failures = 0) AS next
FROM (SELECT due_at FROM deliveries ORDER BY endpoint_id, due_at LIMIT $2) AS queue
"""


class Backlog(Struct, frozen=True, kw_only=True):
    """How much waits to be sent, counted up to a limit."""

    due: int
    waiting: int
    next: datetime | None  # for receivers that answer; others are late by their own fault


async def backlog(conn: Conn, *, now: datetime, count_max: int) -> Backlog:
    """Measure the queue without reading all of it."""
    row = await conn.fetchrow(BACKLOG, now, count_max)
    return convert({**(row or {})}, Backlog)


KEEP_MONTHS = "SELECT keep_months($1, $2, $3, $4)"


async def keep_months(conn: Conn, *, now: datetime, kept_from: datetime) -> None:
    """Make room for the months to come, and forget those that ended before `kept_from`."""
    for table in KEPT:
        await conn.execute(KEEP_MONTHS, table, now.date(), MONTHS_AHEAD, kept_from.date())


FORGET_REST = """
WITH done AS (
    DELETE FROM deliveries_done_rest WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM deliveries_done_rest WHERE ended_at < $1 LIMIT $2)) RETURNING 1
), attempt AS (
    DELETE FROM attempts_rest WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM attempts_rest WHERE at < $1 LIMIT $2)) RETURNING 1
)
SELECT greatest((SELECT count(*) FROM done), (SELECT count(*) FROM attempt)) = $2
"""


async def forget_rest(conn: Conn, *, kept_from: datetime) -> bool:
    """Forget what is as old and in no month; return True if there may be more."""
    return bool(await conn.fetchval(FORGET_REST, kept_from, ENDED_AT_ONCE_MAX))
