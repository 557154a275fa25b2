"""Lists of payments, newest first, and of a payment's events, a page at a time. It only reads.

A page costs the same among a million payments as among a thousand, whatever it is asked to
leave out. Chains and statuses are few, so a list is put together from one list for each pair
of them, and each of those is a piece of an index, read in its order. Which chains there are
is read from the same index, by leaps. An order has few payments: what its list leaves out is
read and dropped.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from ctrip.core.ids import ChainName, KeyId, PaymentId
from ctrip.core.payment import Payment, Status
from ctrip.store.payments import IN_FULL, unpacked
from ctrip.store.pool import Conn

Place = tuple[datetime, PaymentId]  # of a payment in its list

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
FIRST_ID: Final = PaymentId(UUID(int=0))
ROWS_MAX: Final = 101  # a page, and one more that tells whether there is another
STATUSES: Final = ",".join(f"('{status}')" for status in Status)


class Filter(Struct, frozen=True, kw_only=True):
    """Which payments a list is of; what is None leaves nothing out."""

    owner: KeyId | None = None
    status: Status | None = None
    chain: ChainName | None = None
    order_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


# Those that a statement has found, with transfers of that moment: a page has few.
TRANSFERS = """
SELECT coalesce(json_agg(transfer), '[]') FROM (
    SELECT t.*, (SELECT key FROM (SELECT t.chain, t.tx_hash, t.asset, t.recipient,
        t.ordinal) AS key) AS key
    FROM transfers t WHERE t.payment_id = p.id ORDER BY t.block_number) AS transfer
"""
FOUND = f"""
SELECT json_agg({IN_FULL.format(f"({TRANSFERS})")} ORDER BY p.created_at DESC, p.id DESC)
FROM page JOIN payments p ON p.id = page.id LEFT JOIN cursors c ON c.chain = p.chain
"""  # noqa: S608  of our own texts

# No parameter changes what Postgres expects to read, or it would plan each page anew, which
# takes longer than to read it: so the inner limit is a constant, and an array is cut.
OF_ALL = f"""
WITH RECURSIVE chains AS (
    (SELECT p.chain FROM payments p WHERE true ORDER BY p.chain LIMIT 1)
    UNION ALL
    SELECT (SELECT p.chain FROM payments p WHERE true AND p.chain > chains.chain
        ORDER BY p.chain LIMIT 1)
    FROM chains WHERE chains.chain IS NOT NULL
), page AS (
    SELECT unnest((array_agg(one.id ORDER BY one.created_at DESC, one.id DESC))[:$6]) AS id
    FROM chains CROSS JOIN (VALUES {STATUSES}) AS wanted (status)
    CROSS JOIN LATERAL (
        SELECT p.id, p.created_at FROM payments p
        WHERE true AND p.chain = chains.chain AND p.status = wanted.status
        AND p.created_at > $1 AND (p.created_at, p.id) < ($2::timestamptz, $3::uuid)
        ORDER BY p.created_at DESC, p.id DESC LIMIT {ROWS_MAX}) AS one
    WHERE chains.chain = coalesce($5, chains.chain)
    AND wanted.status = coalesce($4, wanted.status)
) {FOUND}
"""  # noqa: S608  of our own texts

OWNED = OF_ALL.replace("WHERE true", "WHERE p.owner = $7")

# Of all owners, or of $8 if $9.
OF_ORDER = f"""
WITH RECURSIVE owners AS (
    (SELECT p.owner FROM payments p WHERE p.order_id = $7 AND p.owner >= $8
     ORDER BY p.owner LIMIT 1)
    UNION ALL
    SELECT (SELECT p.owner FROM payments p WHERE p.order_id = $7 AND p.owner > owners.owner
        ORDER BY p.owner LIMIT 1)
    FROM owners WHERE owners.owner IS NOT NULL AND NOT $9
), page AS (
    SELECT unnest((array_agg(one.id ORDER BY one.created_at DESC, one.id DESC))[:$6]) AS id
    FROM owners CROSS JOIN LATERAL (
        SELECT p.id, p.created_at FROM payments p
        WHERE p.order_id = $7 AND p.owner = owners.owner
        AND p.created_at > $1 AND (p.created_at, p.id) < ($2::timestamptz, $3::uuid)
        AND p.status = coalesce($4, p.status) AND p.chain = coalesce($5, p.chain)
        ORDER BY p.created_at DESC, p.id DESC LIMIT {ROWS_MAX}) AS one
    WHERE owners.owner = $8 OR NOT $9
) {FOUND}
"""  # noqa: S608  of our own texts


async def page(
    conn: Conn, wanted: Filter, *, before: Place | None = None, count_max: int
) -> list[Payment]:
    """Return payments with their transfers, the newest first, from a place in their list on."""
    end = (wanted.created_before or NEVER, FIRST_ID)
    arguments = [
        wanted.created_after or EVER,
        *(end if before is None else min(before, end)),
        wanted.status,
        wanted.chain,
        count_max,
    ]
    if wanted.order_id is not None:
        owner, is_one = wanted.owner or FIRST_ID, wanted.owner is not None
        text = await conn.fetchval(OF_ORDER, *arguments, wanted.order_id, owner, is_one)
    elif wanted.owner is not None:
        text = await conn.fetchval(OWNED, *arguments, wanted.owner)
    else:
        text = await conn.fetchval(OF_ALL, *arguments)
    return unpacked(text)


class Event(Struct, frozen=True):
    """What was announced of a payment."""

    sequence: int
    body: bytes
    created_at: datetime


EVENTS = """
SELECT sequence, body, created_at FROM events WHERE payment_id = $1 AND sequence > $2
ORDER BY sequence LIMIT $3
"""


async def events(conn: Conn, payment_id: PaymentId, *, after: int, count_max: int) -> list[Event]:
    """Return a payment's events in their order, from one sequence on."""
    return [Event(*row) for row in await conn.fetch(EVENTS, payment_id, after, count_max)]
