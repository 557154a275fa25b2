"""The only writer of api_keys and key_uses. A key itself is never here, only its SHA-256.

Each change of a key has a revision, and they become visible in their order: asking for what
changed since one misses nothing, however long a change takes to be committed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.ids import KeyId
from ctrip.core.keys import ApiKey
from ctrip.store.pool import Conn


class KnownKey(ApiKey, Struct, frozen=True, kw_only=True):
    """A key, and when it was used last, as far as that was written down."""

    last_used_at: datetime | None


class Changes(Struct, frozen=True):
    """The keys that changed since a revision, by their digests."""

    newest: int  # revision
    keys: Mapping[bytes, ApiKey]


ADD = """
INSERT INTO api_keys (id, name, prefix, digest, scopes, allowed_cidrs, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING
"""


async def add(conn: Conn, key: ApiKey, digest: bytes) -> bool:
    """Write a new key; return False if there is one of this id."""
    tag = await conn.execute(
        ADD,
        key.id,
        key.name,
        key.prefix,
        digest,
        sorted(key.scopes),
        list(key.allowed_cidrs),
        key.created_at,
        key.expires_at,
    )
    return tag == "INSERT 0 1"


REVOKE = """
UPDATE api_keys SET revoked_at = greatest($2, created_at) WHERE id = $1 AND revoked_at IS NULL
"""


async def revoke(conn: Conn, key_id: KeyId, *, now: datetime) -> bool:
    """End a key; return False if there is none of this id that was not revoked before."""
    return await conn.execute(REVOKE, key_id, now) == "UPDATE 1"


# Whoever begins, at revision 0, needs none that was revoked before.
SINCE = """
SELECT r.newest, k.digest, k.id, k.name, k.prefix, k.scopes, k.allowed_cidrs, k.created_at,
    k.expires_at, k.revoked_at
FROM key_revisions r LEFT JOIN api_keys k
    ON k.revision > $1::bigint AND ($1::bigint > 0 OR k.revoked_at IS NULL)
WHERE r.one
"""


async def since(conn: Conn, revision: int) -> Changes:
    """Return what changed after a revision; after 0, every key that was not revoked."""
    rows = await conn.fetch(SINCE, revision)
    newest = rows[0]["newest"] if rows else 0
    return Changes(
        newest, {row["digest"]: convert({**row}, ApiKey) for row in rows if row["digest"]}
    )


FIND = "SELECT * FROM api_keys WHERE digest = $1 AND revoked_at IS NULL"


async def find(conn: Conn, digest: bytes) -> ApiKey | None:
    """Return the key with this digest, unless it was revoked."""
    row = await conn.fetchrow(FIND, digest)
    return None if row is None else convert({**row}, ApiKey)


GET = """
SELECT k.*, u.used_at AS last_used_at FROM api_keys k LEFT JOIN key_uses u ON u.key_id = k.id
WHERE k.id = $1
"""


async def get(conn: Conn, key_id: KeyId) -> KnownKey | None:
    """Return a key, revoked or not."""
    row = await conn.fetchrow(GET, key_id)
    return None if row is None else convert({**row}, KnownKey)


PAGE = """
SELECT k.*, u.used_at AS last_used_at FROM api_keys k LEFT JOIN key_uses u ON u.key_id = k.id
WHERE (k.created_at, k.id) < ($1::timestamptz, $2::uuid)
ORDER BY k.created_at DESC, k.id DESC LIMIT $3
"""


async def page(conn: Conn, *, before: tuple[datetime, KeyId], count_max: int) -> list[KnownKey]:
    """Return keys, revoked ones too, newest first, from one on."""
    return [convert({**row}, KnownKey) for row in await conn.fetch(PAGE, *before, count_max)]


LIST = """
SELECT k.*, u.used_at AS last_used_at FROM api_keys k LEFT JOIN key_uses u ON u.key_id = k.id
ORDER BY k.created_at, k.id
"""


async def all_keys(conn: Conn) -> Sequence[KnownKey]:
    """Return every key ever made."""
    return [convert({**row}, KnownKey) for row in await conn.fetch(LIST)]


# In the order of ids, so that two processes never wait for each other.
USE = """
INSERT INTO key_uses AS known (key_id, used_at)
SELECT id, at FROM unnest($1::uuid[], $2::timestamptz[]) AS use (id, at) ORDER BY id
ON CONFLICT (key_id) DO UPDATE SET used_at = excluded.used_at
WHERE known.used_at < excluded.used_at
"""


async def use(conn: Conn, uses: Mapping[KeyId, datetime]) -> None:
    """Write down when keys were used last; an earlier time changes nothing."""
    await conn.execute(USE, list(uses), list(uses.values()))
