"""The only writer of the table replays: what is to be sent again, bit by bit.

A replay walks the stream from one place to another and queues what an endpoint has not
taken. It remembers how far it came, so it goes on after a crash, and queues in small steps,
so that what happens now is not held up by what happened then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, convert

from ctrip.core.endpoints import EndpointId
from ctrip.core.ids import EventId
from ctrip.store.pool import Conn


class Replay(Struct, frozen=True, kw_only=True):
    """A stretch of the stream that one endpoint gets again."""

    id: UUID
    endpoint_id: EndpointId
    since: datetime
    until: datetime
    event_types: tuple[str, ...]
    delivered: bool  # also what was delivered
    after: int  # how far it has come
    last: int
    queued: int
    created_at: datetime
    ended_at: datetime | None


ADD = """
INSERT INTO replays (id, endpoint_id, since, until, event_types, delivered, after, last, created_at)
SELECT $1, $2, $3, $4, $5, $6,
    coalesce((SELECT min(position) FROM events WHERE created_at >= $3), 1) - 1,
    coalesce((SELECT position FROM events WHERE position IS NOT NULL
              ORDER BY position DESC LIMIT 1), 0), $7
RETURNING *
"""


async def add(
    conn: Conn,
    replay_id: UUID,
    endpoint: EndpointId,
    *,
    since: datetime,
    until: datetime,
    event_types: Sequence[str],
    delivered: bool,
    now: datetime,
) -> Replay:
    """Order a replay. Every event that is meant must have its place in the stream already."""
    row = await conn.fetchrow(
        ADD, replay_id, endpoint, since, until, list(event_types), delivered, now
    )
    return convert({**(row or {})}, Replay)


FIND = "SELECT * FROM replays WHERE id = $1"


async def find(conn: Conn, replay_id: UUID) -> Replay | None:
    """Return a replay."""
    row = await conn.fetchrow(FIND, replay_id)
    return None if row is None else convert({**row}, Replay)


OF_ENDPOINT = "SELECT * FROM replays WHERE endpoint_id = $1 ORDER BY created_at DESC, id LIMIT 100"


async def of_endpoint(conn: Conn, endpoint: EndpointId) -> list[Replay]:
    """Return an endpoint's newest replays."""
    return [convert({**row}, Replay) for row in await conn.fetch(OF_ENDPOINT, endpoint)]


# Of one that is full or disabled nothing is queued, and the others do not wait for it.
HOLD = """
SELECT r.* FROM replays r JOIN endpoints e ON e.id = r.endpoint_id AND e.enabled
WHERE r.ended_at IS NULL AND (SELECT count(*) FROM
    (SELECT FROM deliveries d WHERE d.endpoint_id = r.endpoint_id LIMIT $1) AS queue) < $1
ORDER BY r.created_at, r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""


async def hold(conn: Conn, *, waiting_max: int) -> Replay | None:
    """Return the oldest replay whose endpoint has room, held until the transaction ends."""
    row = await conn.fetchrow(HOLD, waiting_max)
    return None if row is None else convert({**row}, Replay)


class Step(Struct, frozen=True, kw_only=True):
    """Events of the next stretch that the endpoint is to get."""

    after: int  # where the stretch ends
    events: list[EventId]


STRETCH: Final = 1_000  # places looked at in one step
# What was queued since or is waiting needs no help; what was delivered, only if that was asked.
MISSING = """
SELECT v.id FROM events v
WHERE v.position > $1 AND v.position <= $2 AND v.created_at >= $3 AND v.created_at < $4
AND v.payment_id IS NOT NULL
AND $5::text[] && ARRAY[v.type, split_part(v.type, '.', 1) || '.*', '*']
AND ($7 OR NOT EXISTS (SELECT 1 FROM deliveries_done n
    WHERE n.event_id = v.id AND n.endpoint_id = $6 AND n.delivered))
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = v.id AND d.endpoint_id = $6)
ORDER BY v.position
"""


async def missing(conn: Conn, replay: Replay) -> Step:
    """Return what the next stretch holds for the endpoint."""
    end = min(replay.after + STRETCH, replay.last)
    rows = await conn.fetch(
        MISSING,
        replay.after,
        end,
        replay.since,
        replay.until,
        list(replay.event_types),
        replay.endpoint_id,
        replay.delivered,
    )
    return Step(after=end, events=[EventId(row["id"]) for row in rows])


ADVANCE = """
UPDATE replays SET after = $2, queued = queued + $3,
    ended_at = CASE WHEN $2 >= last THEN $4::timestamptz END
WHERE id = $1
"""


async def advance(conn: Conn, replay: Replay, *, after: int, queued: int, now: datetime) -> None:
    """Write down how far a replay has come; at its last place it has ended."""
    await conn.execute(ADVANCE, replay.id, after, queued, now)
