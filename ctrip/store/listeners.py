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
SELECT e.payment_id, e.sequence, e.type, e.body
FROM unnest($1::uuid[], $2::int[]) AS heard (payment_id, sequence)
CROSS JOIN LATERAL (
    SELECT * FROM events v
    WHERE v.payment_id = heard.payment_id AND v.sequence > heard.sequence
    ORDER BY v.sequence LIMIT $3
) AS e
LIMIT $4
"""


async def news(
    conn: Conn, heard: Mapping[PaymentId, int], *, each_max: int, count_max: int
) -> list[Told]:
    """Return events that come after the last one that was heard of each of these payments."""
    rows = await conn.fetch(NEWS, list(heard), list(heard.values()), each_max, count_max)
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
