"""The only writer of the table idempotency_keys: requests that may be repeated, and their answers.

A key is claimed before the work and answered after it. A claim ends by itself, because who
had it may have died; until then everybody else is told that it is under way. The next claim is
of the same request, and knows since when the key is on record. A key that made a payment is on
record there, and claims nothing here.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from ctrip.core.idempotency import IdempotencyKey
from ctrip.core.ids import KeyId
from ctrip.store.pool import Conn


class Claimed(Struct, frozen=True):
    """A request that was taken on."""

    since: datetime  # the key is on record
    is_first: bool  # nobody took it on before, as far as is known


# Postgres leaves xmax 0 in a row that is new.
CLAIM = """
INSERT INTO idempotency_keys AS k (owner, key, fingerprint, claim_id, claimed_until, created_at)
SELECT $1::uuid, $2::text, $3::text, $4::uuid, $5::timestamptz, $6::timestamptz
WHERE NOT EXISTS (SELECT FROM payments WHERE owner = $1 AND idempotency_key = $2)
ON CONFLICT (owner, key) DO UPDATE SET claim_id = $4, claimed_until = $5
WHERE k.claim_id IS NOT NULL AND k.claimed_until <= $6 AND k.fingerprint = $3
RETURNING created_at AS since, xmax = 0 AS is_first
"""


async def claim(
    conn: Conn,
    owner: KeyId,
    key: IdempotencyKey,
    claim_id: UUID,
    *,
    until: datetime,
    now: datetime,
) -> Claimed | None:
    """Take a request on; return None if somebody did before."""
    row = await conn.fetchrow(CLAIM, owner, key.text, key.fingerprint, claim_id, until, now)
    return None if row is None else convert({**row}, Claimed)


class Kept(Struct, frozen=True):
    """What is on record of a key."""

    fingerprint: str
    status: int | None  # of the answer; None: it is under way
    answer: bytes | None
    claimed_until: datetime | None


FIND = """
SELECT fingerprint, status, answer, claimed_until FROM idempotency_keys
WHERE owner = $1 AND key = $2
UNION ALL
SELECT fingerprint, NULL, NULL, NULL FROM payments WHERE owner = $1 AND idempotency_key = $2
LIMIT 1
"""


async def find(conn: Conn, owner: KeyId, key: str) -> Kept | None:
    """Return what is on record of a key."""
    row = await conn.fetchrow(FIND, owner, key)
    return None if row is None else convert({**row}, Kept)


ANSWER = """
UPDATE idempotency_keys SET claim_id = NULL, status = $4, answer = $5
WHERE owner = $1 AND key = $2 AND claim_id = $3
"""


async def answer(
    conn: Conn, owner: KeyId, key: str, claim_id: UUID, status: int, body: bytes
) -> None:
    """Keep an answer, unless the claim was lost meanwhile."""
    await conn.execute(ANSWER, owner, key, claim_id, status, body)


RELEASE = "DELETE FROM idempotency_keys WHERE owner = $1 AND key = $2 AND claim_id = $3"


async def release(conn: Conn, owner: KeyId, key: str, claim_id: UUID) -> None:
    """Forget a request that came to nothing, so that it may be made again."""
    await conn.execute(RELEASE, owner, key, claim_id)


LAPSE = """
UPDATE idempotency_keys SET claimed_until = $4 WHERE owner = $1 AND key = $2 AND claim_id = $3
"""


async def lapse(conn: Conn, owner: KeyId, key: str, claim_id: UUID, *, now: datetime) -> None:
    """Let the same request be taken on again, whatever became of it."""
    await conn.execute(LAPSE, owner, key, claim_id, now)


FORGET = "DELETE FROM idempotency_keys WHERE created_at < $1 AND claimed_until < $2"


async def forget(conn: Conn, *, before: datetime, now: datetime) -> None:
    """Drop what is older than was promised."""
    await conn.execute(FORGET, before, now)
