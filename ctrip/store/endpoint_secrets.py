"""The only writer of the table endpoint_secrets. They are sealed before they get here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from ctrip.core.endpoints import EndpointId
from ctrip.store.pool import Conn


class SealedSecret(Struct, frozen=True, kw_only=True):
    """A secret that signs until it expires."""

    id: UUID
    endpoint_id: EndpointId
    sealed: bytes
    created_at: datetime
    expires_at: datetime | None


ADD = """
INSERT INTO endpoint_secrets (id, endpoint_id, sealed, created_at) VALUES ($1, $2, $3, $4)
"""


async def add(conn: Conn, new: SealedSecret) -> None:
    """Write a secret."""
    await conn.execute(ADD, new.id, new.endpoint_id, new.sealed, new.created_at)


FIND = "SELECT * FROM endpoint_secrets WHERE id = $1"


async def find(conn: Conn, secret: UUID) -> SealedSecret | None:
    """Return a secret, expired or not."""
    row = await conn.fetchrow(FIND, secret)
    return None if row is None else convert({**row}, SealedSecret)


EXPIRE = """
UPDATE endpoint_secrets SET expires_at = $2 WHERE endpoint_id = $1
AND (expires_at IS NULL OR expires_at > $2)
"""


async def expire(conn: Conn, endpoint_id: EndpointId, *, at: datetime) -> None:
    """Let the secrets that an endpoint has sign until then, and no longer."""
    await conn.execute(EXPIRE, endpoint_id, at)


LIVE = """
SELECT * FROM endpoint_secrets WHERE endpoint_id = $1 AND (expires_at IS NULL OR expires_at > $2)
ORDER BY expires_at DESC NULLS FIRST, created_at DESC, id
"""


async def live(conn: Conn, endpoint_id: EndpointId, *, now: datetime) -> list[SealedSecret]:
    """Return the secrets that sign, newest first."""
    rows = await conn.fetch(LIVE, endpoint_id, now)
    return [convert({**row}, SealedSecret) for row in rows]


LIVE_OF_ALL = """
SELECT * FROM endpoint_secrets WHERE endpoint_id = ANY($1)
AND (expires_at IS NULL OR expires_at > $2)
ORDER BY expires_at DESC NULLS FIRST, created_at DESC, id
"""


async def live_of_all(
    conn: Conn, endpoint_ids: Sequence[EndpointId], *, now: datetime
) -> dict[EndpointId, list[SealedSecret]]:
    """Return the secrets that sign for each of these, newest first."""
    found: dict[EndpointId, list[SealedSecret]] = {one: [] for one in endpoint_ids}
    for row in await conn.fetch(LIVE_OF_ALL, list(endpoint_ids), now):
        found[EndpointId(row["endpoint_id"])].append(convert({**row}, SealedSecret))
    return found


FORGET = "DELETE FROM endpoint_secrets WHERE expires_at <= $1"


async def forget_expired(conn: Conn, *, now: datetime) -> None:
    """Keep no secret that signs nothing any more."""
    await conn.execute(FORGET, now)


LIST = "SELECT * FROM endpoint_secrets ORDER BY id"


async def all_kept(conn: Conn) -> list[SealedSecret]:
    """Return every secret, to be sealed anew."""
    return [convert({**row}, SealedSecret) for row in await conn.fetch(LIST)]


RESEAL = "UPDATE endpoint_secrets SET sealed = $2 WHERE id = $1"


async def reseal(conn: Conn, secret: UUID, sealed: bytes) -> None:
    """Keep a secret under another key."""
    await conn.execute(RESEAL, secret, sealed)
