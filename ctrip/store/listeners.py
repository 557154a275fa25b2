"""Reads what those need who follow payments: what is new, and who may still hear it.

However many they are, each is one statement. Nothing is written here.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from msgspec import Struct

from ctrip.core.ids import NOBODY, KeyId, PaymentId
from ctrip.store.pool import Conn


class Told(Struct, frozen=True, gc=False):
    """An event of a payment, as it is told."""

    payment_id: PaymentId
    sequence: int
    type: str
    body: bytes


# Events of a payment commit in the order of their sequence, because whoever writes one holds
# the payment. So whoever was told one has missed none below it, however late a commit comes.
NEWS = """
SELECT payment_id, sequence, type, body FROM (
    SELECT taken.*, sum(size) OVER (ORDER BY place, sequence) - size AS before_all FROM (
        SELECT heard.place, e.* FROM unnest($1::uuid[], $2::int[])
            WITH ORDINALITY AS heard (payment_id, sequence, place)
        CROSS JOIN LATERAL (
            SELECT coming.*, sum(size) OVER (ORDER BY sequence) - size AS before_own FROM (
                SELECT v.payment_id, v.sequence, v.type, v.body, octet_length(v.body) AS size
                FROM events v
                WHERE v.payment_id = heard.payment_id AND v.sequence > heard.sequence
                ORDER BY v.sequence LIMIT $3
            ) AS coming
        ) AS e
        WHERE before_own < $4
        LIMIT $5
    ) AS taken
) AS counted
WHERE before_all < $6
"""


class Share(Struct, frozen=True):
    """How much is read at once; an event that begins below a limit of bytes is read whole."""

    count_max: int
    bytes_max: int


async def news(
    conn: Conn, heard: Mapping[PaymentId, int], *, each: Share, whole: Share
) -> list[Told]:
    """Return events that come after the last one that was heard of each of these payments.

    Those named first are read first, each for its share, until the whole is used up.
    """
    rows = await conn.fetch(
        NEWS,
        list(heard),
        list(heard.values()),
        each.count_max,
        each.bytes_max,
        whole.count_max,
        whole.bytes_max,
    )
    found = [Told(row[0], row[1], row[2], row[3]) for row in rows]
    return sorted(found, key=lambda told: told.sequence)


LIVE = """
SELECT id FROM api_keys
WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""


async def ended(conn: Conn, keys: Collection[KeyId], *, now: datetime) -> set[KeyId]:
    """Return which of these keys are no longer good; nobody's never ends."""
    asked = set(keys) - {NOBODY}
    if not asked:
        return set()
    return asked - {KeyId(row["id"]) for row in await conn.fetch(LIVE, list(asked), now)}
