"""The only writer of the table payments; payment_sets.py asks which are meant.

Reads and writes are for many payments at once: a block can pay ten thousand. They travel
as one JSON text in either direction, which Postgres and msgspec read and write much faster
than asyncpg does rows and arrays, value by value. Numbers keep all their digits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, json
from msgspec.structs import asdict, replace

from ctrip.core.idempotency import IdempotencyKey
from ctrip.core.ids import Amount, BlockNumber, KeyId, PaymentId
from ctrip.core.payment import Flag, GivenBack, Payment, Status, Transfer
from ctrip.store import transfers
from ctrip.store.pool import Conn

# `said` are the keys of creates that may be repeated; $4 tells whether orders are unique.
# In the order of the keys, so that two who write the same ones do not wait for each other.
INSERT = """
INSERT INTO payments (
    id, owner, chain, chain_id, token_id, contract, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, confirmed_by, needs_vouching, accepts_late,
    created_at, expires_at, watched_until, order_id, description, metadata, redirect_url,
    webhook_url, quote, settles, sequence, idempotency_key, fingerprint, order_is_unique)
SELECT id, owner, chain, chain_id, token_id, contract, asset, currency, decimals, address, $2,
    derivation_index, amount, confirmations_required, confirmed_by, needs_vouching, accepts_late,
    created_at, expires_at, watched_until, order_id, description, metadata, redirect_url,
    webhook_url, quote, settles, sequence, key, fingerprint, $4 AND order_id IS NOT NULL
FROM json_to_recordset($1::json) AS new (
    id uuid, owner uuid, chain text, chain_id bigint, token_id uuid, contract text, asset text,
    currency text, decimals smallint, address text, derivation_index bigint,
    amount numeric, confirmations_required int, confirmed_by text, needs_vouching bool,
    accepts_late bool, created_at timestamptz, expires_at timestamptz,
    watched_until timestamptz, order_id text, description text, metadata jsonb,
    redirect_url text, webhook_url text, quote jsonb, settles text,
    sequence int)
LEFT JOIN json_to_recordset($3::json) AS said (id uuid, key text, fingerprint text) USING (id)
ORDER BY key, order_id
ON CONFLICT DO NOTHING
RETURNING id
"""


class Birth(Struct, frozen=True):
    """A payment to be written, and the key of the request if it had one."""

    payment: Payment
    key: IdempotencyKey | None = None


class KeyRow(Struct, frozen=True):
    """A key as INSERT reads it."""

    id: PaymentId
    key: str
    fingerprint: str


def insert_arguments(new: Sequence[Birth], *, wallet: str, orders_are_unique: bool) -> list[object]:
    """Return what INSERT is given; Postgres picks its columns out of the payments by name."""
    said = [KeyRow(b.payment.id, b.key.text, b.key.fingerprint) for b in new if b.key]
    payments = [birth.payment for birth in new]
    return [json.encode(payments).decode(), wallet, json.encode(said).decode(), orders_are_unique]


async def insert(conn: Conn, new: Sequence[Payment], *, wallet: str) -> None:
    """Write payments that do not exist yet; those that do are left as they are."""
    births = [Birth(payment) for payment in new]
    await conn.execute(INSERT, *insert_arguments(births, wallet=wallet, orders_are_unique=False))


# A payment `p` and how far its chain was read, by cursors `c`: the fields of core.Payment in its
# order, {} for its transfers. Postgres takes twice as long to write down their names as well.
OF_OTHERS: Final = {
    "transfers": "{}",
    "head": "coalesce(c.number, 0)",
    "finalized": "coalesce(c.finalized, 0)",
    "safe": "coalesce(c.safe, 0)",
}
VALUES: Final = [OF_OTHERS.get(name, f"p.{name}") for name in Payment.__struct_fields__]
IN_FULL = f"json_build_array({', '.join(VALUES)})"

FOUND = f"""
SELECT {IN_FULL.format("json '[]'")} AS found FROM payments p LEFT JOIN cursors c USING (chain)
WHERE p.id = ANY($1::uuid[]) ORDER BY p.id
"""  # noqa: S608  of our own texts

GET = f"SELECT json_agg(found) FROM ({FOUND}) AS p"  # noqa: S608


class Stored(Payment, frozen=True, kw_only=True, array_like=True, gc=False):
    """A payment as IN_FULL tells it."""


class Placed(Struct, frozen=True, gc=False):
    """A transfer, and whose it is."""

    payment_id: PaymentId
    transfer: Transfer


STORED: Final = json.Decoder(list[Stored])
PLACED: Final = json.Decoder(list[Placed])


def unpacked(text: str | None) -> list[Payment]:
    """Return what was read of payments in full."""
    return [Payment(**asdict(one)) for one in STORED.decode(text)] if text else []


async def find(conn: Conn, payment_id: PaymentId, *, owner: KeyId | None = None) -> Payment | None:
    """Read one payment as it is now, if it is this owner's; None owns everything."""
    found = await with_transfers(conn, unpacked(await conn.fetchval(GET, [payment_id])))
    return found[0] if found and owner in {None, found[0].owner} else None


LOCK = f"SELECT json_agg(found) FROM ({FOUND} FOR UPDATE OF p) AS p"  # noqa: S608


async def lock(conn: Conn, ids: Sequence[PaymentId]) -> list[Payment]:
    """Read payments and hold them until the transaction ends. By id, so that nobody deadlocks."""
    return await with_transfers(conn, unpacked(await conn.fetchval(LOCK, ids)))


TRANSFERS = """
SELECT json_agg(json_build_object('payment_id', payment_id, 'transfer', transfer)) FROM (
    SELECT *, (SELECT key FROM (SELECT chain, tx_hash, asset, recipient, ordinal) AS key) AS key
    FROM transfers WHERE payment_id = ANY($1::uuid[]) ORDER BY block_number) AS transfer
"""


async def with_transfers(conn: Conn, found: list[Payment]) -> list[Payment]:
    """Put each payment together with its transfers.

    They are read after the payments, not with them: a statement that waits for a lock sees
    the payment as the last holder left it, but all other tables as they were before.
    """
    placed = await conn.fetchval(TRANSFERS, [payment.id for payment in found])
    if not placed:
        return found
    of: dict[PaymentId, list[Transfer]] = {}
    for one in PLACED.decode(placed):
        of.setdefault(one.payment_id, []).append(one.transfer)
    return [replace(p, transfers=tuple(of[p.id])) if p.id in of else p for p in found]


UPDATE = """
UPDATE payments AS p SET
    status = new.status, flags = new.flags, detected_in_block = new.detected_in_block,
    amount_received = new.amount_received, sequence = new.sequence, lapsed = new.lapsed,
    closed = new.closed, cancelled = new.cancelled, accepted_amount = new.accepted_amount,
    expires_at = new.expires_at, watched_until = new.watched_until,
    stood_until = new.stood_until, extended_seconds = new.extended_seconds, refunds = new.refunds
FROM json_to_recordset($1::json) AS new (
    id uuid, status text, flags text[], detected_in_block bigint, amount_received numeric,
    sequence int, lapsed bool, closed bool, cancelled bool, accepted_amount numeric,
    expires_at timestamptz, watched_until timestamptz, stood_until timestamptz,
    extended_seconds int, refunds jsonb)
WHERE p.id = new.id
"""


class Row(Struct, frozen=True, gc=False):
    """A payment as UPDATE reads it."""

    id: PaymentId
    status: Status
    flags: list[Flag]
    detected_in_block: BlockNumber | None
    amount_received: Amount
    sequence: int
    lapsed: bool
    closed: bool
    cancelled: bool
    accepted_amount: Amount | None
    expires_at: datetime
    watched_until: datetime
    stood_until: datetime | None
    extended_seconds: int
    refunds: tuple[GivenBack, ...]


def row(payment: Payment) -> Row:
    """Return what may have changed of a payment."""
    return Row(
        payment.id,
        payment.status,
        sorted(payment.flags),
        payment.detected_in_block,
        payment.amount_received,
        payment.sequence,
        payment.lapsed,
        payment.closed,
        payment.cancelled,
        payment.accepted_amount,
        payment.expires_at,
        payment.watched_until,
        payment.stood_until,
        payment.extended_seconds,
        payment.refunds,
    )


def packed(changed: Sequence[Row]) -> str:
    """Return rows as they travel."""
    return json.encode(changed).decode()


async def write(conn: Conn, rows: str) -> None:
    """Write what was packed before."""
    await conn.execute(UPDATE, rows)


async def save(
    conn: Conn, changed: Sequence[Payment], moved: Sequence[tuple[Payment, Transfer]]
) -> None:
    """Write payments, and those of their transfers that are new, moved, or were orphaned."""
    await write(conn, packed([row(payment) for payment in changed]))
    if moved:
        rows = [transfers.row(payment, transfer) for payment, transfer in moved]
        await transfers.move(conn, transfers.packed(rows))
