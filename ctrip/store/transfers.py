"""The only writer of the table transfers.

Whoever writes one holds its payment, and read after that which transfers it has: so what
is new is known to be new, and a key that is there already is a fault, not something to be
passed over.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from msgspec import Struct, json

from ctrip.core.ids import (
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    PaymentId,
    RawAddress,
    SweepId,
    TxHash,
)
from ctrip.core.payment import Payment, Settles, Source, Transfer
from ctrip.store.pool import Conn

INSERT = """
INSERT INTO transfers (
    chain, payment_id, tx_hash, asset, recipient, ordinal, sender, amount, block_number,
    block_hash, block_time, source, log_index, first_time, vouched, orphaned, swept_in,
    swept_by, movable)
SELECT * FROM json_to_recordset($1::json) AS new (
    chain text, payment_id uuid, tx_hash text, asset text, recipient text, ordinal int,
    sender text, amount numeric, block_number bigint, block_hash text, block_time timestamptz,
    source text, log_index int, first_time timestamptz, vouched bool, orphaned bool,
    swept_in bigint, swept_by text, movable bool)
"""
MOVE = f"""
{INSERT}
ON CONFLICT (chain, tx_hash, asset, recipient, ordinal) DO UPDATE SET
    block_number = excluded.block_number, block_hash = excluded.block_hash,
    block_time = excluded.block_time, log_index = excluded.log_index,
    amount = excluded.amount, first_time = excluded.first_time, vouched = excluded.vouched,
    orphaned = excluded.orphaned, swept_in = excluded.swept_in, swept_by = excluded.swept_by
"""


class Row(Struct, frozen=True, gc=False):
    """A transfer as INSERT and MOVE read it."""

    chain: ChainName
    payment_id: PaymentId
    tx_hash: TxHash
    asset: Asset
    recipient: RawAddress
    ordinal: int
    sender: RawAddress
    amount: Amount
    block_number: BlockNumber
    block_hash: BlockHash
    block_time: datetime
    source: Source
    log_index: int | None
    first_time: datetime | None
    vouched: bool
    orphaned: bool
    swept_in: BlockNumber | None
    swept_by: TxHash | None
    movable: bool  # never changes: what a payment's money is for is part of its order


def row(payment: Payment, transfer: Transfer) -> Row:
    """Return a transfer with the payment it is for."""
    key = transfer.key
    return Row(
        key.chain,
        payment.id,
        key.tx_hash,
        key.asset,
        key.recipient,
        key.ordinal,
        transfer.sender,
        transfer.amount,
        transfer.block_number,
        transfer.block_hash,
        transfer.block_time,
        transfer.source,
        transfer.log_index,
        transfer.first_time,
        transfer.vouched,
        transfer.orphaned,
        transfer.swept_in,
        transfer.swept_by,
        payment.settles is not Settles.HOLD or key.chain != payment.chain,
    )


def packed(rows: Sequence[Row]) -> str:
    """Return rows as they travel, by their key, whose index then grows page by page."""
    return json.encode(sorted(rows, key=attrgetter("tx_hash"))).decode()


async def insert(conn: Conn, rows: str) -> None:
    """Write transfers that are new."""
    await conn.execute(INSERT, rows)


async def move(conn: Conn, rows: str) -> None:
    """Write transfers that may be there: they are in other blocks now, in none, or swept."""
    await conn.execute(MOVE, rows)


PLAN = """
UPDATE transfers SET sweep_id = $1 WHERE chain = $2 AND recipient = $3 AND asset = $4
AND movable AND sweep_id IS NULL AND NOT orphaned
"""


async def plan_sweep(
    conn: Conn, sweep_id: SweepId, chain: ChainName, address: RawAddress, asset: Asset
) -> None:
    """Let a sweep take all transfers of an asset to an address that no other one takes."""
    await conn.execute(PLAN, sweep_id, chain, address, asset)
