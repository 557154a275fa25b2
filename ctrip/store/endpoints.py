"""The only writer of the table endpoints: who hears of events, and how they do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import UNSET, Struct, UnsetType, convert

from ctrip.core import endpoints as rules
from ctrip.core.endpoints import (
    ANY,
    CONCURRENCY_DEFAULT,
    CONFIG,
    EndpointId,
    Format,
    Kind,
    origin_of,
    site_of,
)
from ctrip.store.pool import Conn


class Endpoint(Struct, frozen=True, kw_only=True):
    """A receiver."""

    id: EndpointId
    kind: Kind
    url: str  # of a site, its origin
    description: str
    event_types: tuple[str, ...]
    format: Format
    headers: bytes | None  # sealed
    concurrency_max: int
    rate_max: float | None  # deliveries a second
    enabled: bool
    disabled_reason: str | None
    revision: int
    failures: int  # in a row
    failing_since: datetime | None
    paused_until: datetime | None
    created_at: datetime
    updated_at: datetime


FIND = "SELECT * FROM endpoints WHERE id = $1"


async def find(conn: Conn, endpoint_id: EndpointId) -> Endpoint | None:
    """Return an endpoint."""
    row = await conn.fetchrow(FIND, endpoint_id)
    return None if row is None else convert({**row}, Endpoint)


HOLD = "SELECT * FROM endpoints WHERE id = $1 FOR UPDATE"


async def hold(conn: Conn, endpoint_id: EndpointId) -> Endpoint | None:
    """Return an endpoint that nobody else changes until the transaction ends."""
    row = await conn.fetchrow(HOLD, endpoint_id)
    return None if row is None else convert({**row}, Endpoint)


LIST = "SELECT * FROM endpoints ORDER BY created_at, id"


async def all_known(conn: Conn) -> list[Endpoint]:
    """Return every endpoint, sites too."""
    return [convert({**row}, Endpoint) for row in await conn.fetch(LIST)]


PAGE = """
SELECT * FROM endpoints WHERE (created_at, id) > ($1::timestamptz, $2::text)
AND ($3::text IS NULL OR kind = $3) ORDER BY created_at, id LIMIT $4
"""


async def page(
    conn: Conn, *, after: tuple[datetime, EndpointId], kind: Kind | None, count_max: int
) -> list[Endpoint]:
    """Return endpoints in the order they were made, from one on."""
    rows = await conn.fetch(PAGE, *after, kind, count_max)
    return [convert({**row}, Endpoint) for row in rows]


class Wish(Struct, frozen=True, kw_only=True):
    """What is to be changed; what is not said stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    headers: bytes | UnsetType | None = UNSET
    concurrency_max: int | UnsetType = UNSET
    rate_max: float | UnsetType | None = UNSET


MAKERS: Final = 7_461_239  # the advisory lock of those who make endpoints
TAKE_TURN = "SELECT pg_advisory_xact_lock($1)"
COUNT_MADE = "SELECT count(*) FROM endpoints WHERE kind = 'api'"


async def count_made(conn: Conn) -> int:
    """Return how many were made over the API; none is by others until the transaction ends."""
    await conn.execute(TAKE_TURN, MAKERS)
    return int(await conn.fetchval(COUNT_MADE))


ADD = """
INSERT INTO endpoints (id, kind, url, description, event_types, format, headers, concurrency_max,
    rate_max, enabled, revision, created_at, updated_at)
VALUES ($1, 'api', $3, $4, $5, $6, $7, $8, $9, true, 1, $2, $2) RETURNING *
"""


async def add(conn: Conn, endpoint_id: EndpointId, new: Wish, *, now: datetime) -> Endpoint:
    """Write an endpoint that is made over the API, of which everything is said."""
    what = (new.url, new.description, new.event_types, new.format, new.headers)
    how_much = (new.concurrency_max, new.rate_max)
    row = await conn.fetchrow(ADD, endpoint_id, now, *map(said, what + how_much))
    return convert({**(row or {})}, Endpoint)


# Another URL is another receiver, which has not failed yet.
CHANGE = """
UPDATE endpoints SET url = coalesce($3, url), description = coalesce($4, description),
    event_types = coalesce($5, event_types), format = coalesce($6, format),
    headers = CASE WHEN $7 THEN $8 ELSE headers END,
    concurrency_max = coalesce($9, concurrency_max),
    rate_max = CASE WHEN $10 THEN $11 ELSE rate_max END,
    failures = CASE WHEN $3 <> url THEN 0 ELSE failures END,
    failing_since = CASE WHEN $3 <> url THEN NULL ELSE failing_since END,
    paused_until = CASE WHEN $3 <> url THEN NULL ELSE paused_until END,
    revision = revision + 1, updated_at = $2
WHERE id = $1 RETURNING *
"""


async def change(
    conn: Conn, endpoint_id: EndpointId, wish: Wish, *, now: datetime
) -> Endpoint | None:
    """Change an endpoint and return it, or None if there is none."""
    types = wish.event_types
    row = await conn.fetchrow(
        CHANGE,
        endpoint_id,
        now,
        said(wish.url),
        said(wish.description),
        None if types is UNSET else list(types),
        said(wish.format),
        wish.headers is not UNSET,
        said(wish.headers),
        said(wish.concurrency_max),
        wish.rate_max is not UNSET,
        said(wish.rate_max),
    )
    return None if row is None else convert({**row}, Endpoint)


def said(value: object) -> object:
    """Return a value as a statement takes it: NULL stands for what was not said."""
    return None if value is UNSET else value


ENABLE = """
UPDATE endpoints SET enabled = true, disabled_reason = NULL, failures = 0, failing_since = NULL,
    paused_until = NULL, revision = revision + 1, updated_at = $2
WHERE id = $1 RETURNING *
"""


async def enable(conn: Conn, endpoint_id: EndpointId, *, now: datetime) -> Endpoint | None:
    """Send to an endpoint again, as if it had never failed."""
    row = await conn.fetchrow(ENABLE, endpoint_id, now)
    return None if row is None else convert({**row}, Endpoint)


DISABLE = """
UPDATE endpoints SET enabled = false, disabled_reason = $3, revision = revision + 1,
    updated_at = $2
WHERE id = $1 AND enabled RETURNING *
"""


async def disable(
    conn: Conn, endpoint_id: EndpointId, reason: str, *, now: datetime
) -> Endpoint | None:
    """Send nothing to an endpoint any more; return None if that was so already."""
    row = await conn.fetchrow(DISABLE, endpoint_id, now, reason)
    return None if row is None else convert({**row}, Endpoint)


REMOVE = "DELETE FROM endpoints WHERE id = $1 AND kind = 'api'"


async def remove(conn: Conn, endpoint_id: EndpointId) -> bool:
    """Forget an endpoint that was made over the API, with its secrets."""
    return await conn.execute(REMOVE, endpoint_id) == "DELETE 1"


SYNC_CONFIG = """
INSERT INTO endpoints AS e (id, kind, url, description, event_types, format, concurrency_max,
    enabled, disabled_reason, revision, created_at, updated_at)
VALUES ($1, 'config', $2, 'the receiver of the configuration', $3, 'standard', $4, $5, $6, 1,
    $7, $7)
ON CONFLICT (id) DO UPDATE SET url = $2, enabled = $5, disabled_reason = $6, failures = 0,
    failing_since = NULL, paused_until = NULL, revision = e.revision + 1, updated_at = $7
"""


async def sync_config(conn: Conn, url: str, *, now: datetime) -> None:
    """Make the receiver of the configuration an endpoint like others, enabled anew."""
    reason = None if url else rules.NOT_CONFIGURED
    await conn.execute(SYNC_CONFIG, CONFIG, url, [ANY], CONCURRENCY_DEFAULT, bool(url), reason, now)


ADD_SITES = """
INSERT INTO endpoints (id, kind, url, description, event_types, format, concurrency_max, enabled,
    revision, created_at, updated_at, named_at)
SELECT id, 'site', origin, 'webhook_url of payments', '{*}', 'standard', $3, true, 1, $4, $4, $4
FROM unnest($1::text[], $2::text[]) AS site (id, origin)
ON CONFLICT (id) DO UPDATE SET named_at = greatest(endpoints.named_at, $4)
"""


async def add_sites(conn: Conn, urls: Sequence[str], *, now: datetime) -> None:
    """Make sure that the sites of these URLs exist, and still do when the transaction ends."""
    origins = dict(sorted({site_of(url): origin_of(url) for url in urls}.items()))
    await conn.execute(ADD_SITES, list(origins), list(origins.values()), CONCURRENCY_DEFAULT, now)


# A row that is named meanwhile is waited for and looked at again.
FORGET_SITES = """
DELETE FROM endpoints e WHERE kind = 'site' AND enabled AND named_at < $1
AND NOT EXISTS (SELECT FROM deliveries WHERE endpoint_id = e.id)
"""


async def forget_sites(conn: Conn, *, named_before: datetime) -> int:
    """Forget sites that nobody has named since and nothing waits for; return how many."""
    tag = await conn.execute(FORGET_SITES, named_before)
    return int(tag.rpartition(" ")[2])


class Tally(Struct, frozen=True, kw_only=True):
    """How an endpoint did, in one batch of attempts."""

    endpoint_id: EndpointId
    failures: int  # 0: one of them was a success


COUNT = """
UPDATE endpoints e SET
    failures = CASE WHEN t.failures = 0 THEN 0 ELSE e.failures + t.failures END,
    failing_since = CASE WHEN t.failures = 0 THEN NULL ELSE coalesce(e.failing_since, $3) END,
    paused_until = NULL
FROM unnest($1::text[], $2::int[]) AS t (id, failures)
WHERE e.id = t.id AND (t.failures > 0 OR e.failures > 0)
RETURNING e.*
"""


async def count(conn: Conn, tallies: Sequence[Tally], *, now: datetime) -> list[Endpoint]:
    """Add failures up, which a success clears; return the endpoints whose count moved."""
    ordered = sorted(tallies, key=lambda tally: tally.endpoint_id)  # two senders never deadlock
    rows = await conn.fetch(
        COUNT, [t.endpoint_id for t in ordered], [t.failures for t in ordered], now
    )
    return [convert({**row}, Endpoint) for row in rows]


PAUSE = """
UPDATE endpoints SET paused_until = $2, revision = revision + 1 WHERE id = $1 RETURNING *
"""


async def pause(conn: Conn, endpoint_id: EndpointId, *, until: datetime) -> Endpoint | None:
    """Ask nothing of an endpoint until then."""
    row = await conn.fetchrow(PAUSE, endpoint_id, until)
    return None if row is None else convert({**row}, Endpoint)


DISABLED = "SELECT * FROM endpoints WHERE NOT enabled AND disabled_reason = ANY($1) ORDER BY id"


async def disabled_for(conn: Conn, reasons: Sequence[str]) -> list[Endpoint]:
    """Return the endpoints that are disabled for one of these reasons."""
    return [convert({**row}, Endpoint) for row in await conn.fetch(DISABLED, list(reasons))]


RATES = "SELECT id, rate_max FROM endpoints WHERE enabled AND rate_max IS NOT NULL"


async def rates(conn: Conn) -> dict[EndpointId, float]:
    """Return how many deliveries a second each endpoint takes that has a limit."""
    return {EndpointId(row["id"]): row["rate_max"] for row in await conn.fetch(RATES)}
