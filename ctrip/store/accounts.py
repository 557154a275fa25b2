"""The only writer of the table api_keys. A key itself is never here, only its SHA-256."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from ctrip.store.pool import Conn


class ApiKey(Struct, frozen=True, kw_only=True):
    """Who may do what."""

    id: UUID
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None = None


ADD = """
INSERT INTO api_keys (id, name, prefix, digest, scopes, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


async def add(conn: Conn, key: ApiKey, digest: bytes) -> None:
    """Write a new key."""
    await conn.execute(
        ADD, key.id, key.name, key.prefix, digest, sorted(key.scopes), key.created_at
    )


FIND = """
SELECT id, name, prefix, scopes, created_at, revoked_at
FROM api_keys WHERE digest = $1 AND revoked_at IS NULL
"""


async def find(conn: Conn, digest: bytes) -> ApiKey | None:
    """Return the live key with this digest."""
    row = await conn.fetchrow(FIND, digest)
    return None if row is None else convert({**row}, ApiKey)


LIST = "SELECT id, name, prefix, scopes, created_at, revoked_at FROM api_keys ORDER BY created_at"


async def all_keys(conn: Conn) -> Sequence[ApiKey]:
    """Return every key ever made."""
    return [convert({**row}, ApiKey) for row in await conn.fetch(LIST)]


REVOKE = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"


async def revoke(conn: Conn, key_id: UUID, *, now: datetime) -> bool:
    """End a key; return False if there is no live one with this id."""
    return await conn.execute(REVOKE, key_id, now) == "UPDATE 1"
