"""The only writer of the tables payments and transfers.

Reads and writes are for many payments at once: a block can pay ten thousand, in the
same number of statements as one. Columns become the fields of core.Payment by name.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import convert, json

from ctrip.core.ids import BlockHash, BlockNumber, ChainName, PaymentId, RawAddress
from ctrip.core.payment import Payment, Transfer, TransferKey
from ctrip.store.pool import Conn

# One JSON text instead of an array a column: asyncpg encodes arrays element by element in
# Python, which was a good part of what a create costs.
INSERT = """
INSERT INTO payments (
    id, chain, chain_id, token_id, contract, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, order_id, description, metadata, redirect_url, webhook_url, sequence)
SELECT id, chain, chain_id, token_id, contract, asset, currency, decimals, address, $2,
    derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, order_id, description, metadata, redirect_url, webhook_url, sequence
FROM json_to_recordset($1::json) AS new (
    id uuid, chain text, chain_id bigint, token_id uuid, contract text, asset text,
    currency text, decimals smallint, address text, derivation_index bigint,
    amount numeric, confirmations_required int, accepts_late bool, created_at timestamptz,
    expires_at timestamptz, watched_until timestamptz, order_id text, description text,
    metadata jsonb, redirect_url text, webhook_url text, sequence int)
ON CONFLICT (id) DO NOTHING
"""


def insert_arguments(new: Sequence[Payment], wallet: str) -> list[object]:
    """Return what INSERT is given; Postgres picks its columns out of the payments by name."""
    return [json.encode(new).decode(), wallet]


async def insert(conn: Conn, new: Sequence[Payment], *, wallet: str) -> None:
    """Write payments that do not exist yet; those that do are left as they are."""
    await conn.execute(INSERT, *insert_arguments(new, wallet))


EXISTING = "SELECT id FROM payments WHERE id = ANY($1::uuid[])"


async def existing(conn: Conn, ids: Sequence[PaymentId]) -> set[PaymentId]:
    """Return those of the ids that are payments."""
    return {row["id"] for row in await conn.fetch(EXISTING, ids)}


GET = """
SELECT p.*, coalesce(c.number, 0) AS head, coalesce(c.finalized, 0) AS finalized
FROM payments p LEFT JOIN cursors c USING (chain)
WHERE p.id = ANY($1::uuid[]) ORDER BY p.id
"""

LOCK = GET + "FOR UPDATE OF p"

TRANSFERS = "SELECT * FROM transfers WHERE payment_id = ANY($1::uuid[]) ORDER BY block_number"


async def find(conn: Conn, payment_id: PaymentId) -> Payment | None:
    """Read one payment as it is now."""
    found = await with_transfers(conn, await conn.fetch(GET, [payment_id]))
    return found[0] if found else None


async def lock(conn: Conn, ids: Sequence[PaymentId]) -> list[Payment]:
    """Read payments and hold them until the transaction ends. By id, so that nobody deadlocks."""
    return await with_transfers(conn, await conn.fetch(LOCK, ids))


async def with_transfers(conn: Conn, rows: Sequence[Any]) -> list[Payment]:
    """Put each payment together with its transfers."""
    found: dict[PaymentId, list[Transfer]] = {row["id"]: [] for row in rows}
    for row in await conn.fetch(TRANSFERS, list(found)):
        found[row["payment_id"]].append(
            convert({**row, "key": convert({**row}, TransferKey)}, Transfer)
        )
    return [convert({**row, "transfers": found[row["id"]]}, Payment) for row in rows]


UPDATE = """
UPDATE payments AS p SET
    status = new.status, flags = new.flags::text[], detected_in_block = new.detected_in_block,
    amount_received = new.amount_received, sequence = new.sequence, lapsed = new.lapsed,
    closed = new.closed, cancelled = new.cancelled, accepted_amount = new.accepted_amount
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::int[], $7::bool[],
    $8::bool[], $9::bool[], $10::numeric[])
AS new (id, status, flags, detected_in_block, amount_received, sequence, lapsed, closed,
    cancelled, accepted_amount)
WHERE p.id = new.id
"""

UPSERT_TRANSFERS = """
INSERT INTO transfers (
    chain, payment_id, tx_hash, asset, recipient, ordinal, sender, amount, block_number,
    block_hash, block_time, log_index, orphaned)
SELECT * FROM unnest(
    $1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[],
    $8::numeric[], $9::bigint[], $10::text[], $11::timestamptz[], $12::int[], $13::bool[])
ON CONFLICT (chain, tx_hash, asset, recipient, ordinal) DO UPDATE SET
    block_number = excluded.block_number, block_hash = excluded.block_hash,
    block_time = excluded.block_time, log_index = excluded.log_index,
    amount = excluded.amount, orphaned = excluded.orphaned
"""


async def save(
    conn: Conn, changed: Sequence[Payment], moved: Sequence[tuple[Payment, Transfer]]
) -> None:
    """Write back payments that the machine advanced, and those of their transfers that moved."""
    await conn.execute(
        UPDATE,
        [p.id for p in changed],
        [p.status for p in changed],
        ["{" + ",".join(sorted(p.flags)) + "}" for p in changed],
        [p.detected_in_block for p in changed],
        [p.amount_received for p in changed],
        [p.sequence for p in changed],
        [p.lapsed for p in changed],
        [p.closed for p in changed],
        [p.cancelled for p in changed],
        [p.accepted_amount for p in changed],
    )
    if moved:
        await save_transfers(conn, moved)


async def save_transfers(conn: Conn, moved: Sequence[tuple[Payment, Transfer]]) -> None:
    """Write transfers that are new, were mined again, or were orphaned."""
    await conn.execute(
        UPSERT_TRANSFERS,
        [p.chain for p, _ in moved],
        [p.id for p, _ in moved],
        [t.key.tx_hash for _, t in moved],
        [t.key.asset for _, t in moved],
        [t.key.recipient for _, t in moved],
        [t.key.ordinal for _, t in moved],
        [t.sender for _, t in moved],
        [t.amount for _, t in moved],
        [t.block_number for _, t in moved],
        [t.block_hash for _, t in moved],
        [t.block_time for _, t in moved],
        [t.log_index for _, t in moved],
        [t.orphaned for _, t in moved],
    )


WATCHED = """
SELECT lower(address) AS address, id FROM payments
WHERE lower(address) = ANY($2::text[]) AND chain = $1 AND NOT closed
"""


async def watched(
    conn: Conn, chain: ChainName, among: Sequence[RawAddress]
) -> dict[RawAddress, PaymentId]:
    """Return those of the addresses where a payment of this chain still waits for money."""
    return {row["address"]: row["id"] for row in await conn.fetch(WATCHED, chain, among)}


DEEPENED = """
SELECT id FROM payments WHERE chain = $1 AND status IN ('detected', 'confirmed', 'paid')
AND detected_in_block <= $2
AND (status <> 'detected' OR detected_in_block + confirmations_required - 1 <= $2)
AND (status <> 'paid' OR detected_in_block <= $3)
"""


async def deepened(
    conn: Conn, chain: ChainName, *, head: BlockNumber, finalized: BlockNumber
) -> list[PaymentId]:
    """Return the payments that a chain read up to `head` may have moved on."""
    return [row["id"] for row in await conn.fetch(DEEPENED, chain, head, finalized)]


ABOVE = """
SELECT payment_id, tx_hash, asset, recipient, ordinal, block_hash
FROM transfers WHERE chain = $1 AND block_number > $2 AND NOT orphaned
"""


async def above(
    conn: Conn, chain: ChainName, fork: BlockNumber
) -> list[tuple[PaymentId, TransferKey, BlockHash]]:
    """Return the live transfers in the blocks above a fork."""
    return [
        (row["payment_id"], convert({**row}, TransferKey), row["block_hash"])
        for row in await conn.fetch(ABOVE, chain, fork)
    ]


DUE = """
(SELECT id FROM payments WHERE chain = $1 AND status = 'pending' AND expires_at <= $2
 ORDER BY expires_at LIMIT $3)
UNION
(SELECT id FROM payments WHERE chain = $1 AND NOT closed AND watched_until <= $2
 AND status NOT IN ('detected', 'confirmed', 'paid') ORDER BY watched_until LIMIT $3)
"""


async def due(conn: Conn, chain: ChainName, now: datetime, *, count_max: int) -> list[PaymentId]:
    """Return payments whose deadline or late window has passed."""
    return [row["id"] for row in await conn.fetch(DUE, chain, now, count_max)]
