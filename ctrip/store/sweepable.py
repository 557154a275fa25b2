"""What is to be swept, and what sweeps took. Only reads; sweeps.py and transfers.py write."""

from collections.abc import Collection

from msgspec import Struct, convert

from ctrip.core.ids import (
    Amount,
    Asset,
    BlockNumber,
    ChainName,
    PaymentId,
    RawAddress,
    SweepId,
    TxHash,
)
from ctrip.core.payment import TransferKey
from ctrip.store.pool import Conn


class Candidate(Struct, frozen=True, kw_only=True):
    """Money on one address that nobody has planned to move, and that may be moved."""

    payment_id: PaymentId
    address: RawAddress
    derivation_index: int
    asset: Asset


# What a confirmed payment needed may go at once; the rest when it is final. A payment that may
# still be paid keeps what it has, as its address is compared with the record.
CANDIDATES = """
SELECT DISTINCT p.id AS payment_id, t.recipient AS address, p.derivation_index, t.asset
FROM transfers t JOIN payments p ON p.id = t.payment_id
WHERE t.chain = $1 AND t.movable AND t.sweep_id IS NULL AND NOT t.orphaned AND t.amount > 0
AND p.wallet = $2
AND p.status NOT IN ('pending', 'detected')
AND (t.block_number <= $3 OR (p.status IN ('confirmed', 'paid') AND p.chain = t.chain
    AND p.asset = t.asset AND t.block_number <= p.detected_in_block))
ORDER BY p.id, t.asset LIMIT $4
"""


async def candidates(
    conn: Conn, chain: ChainName, *, wallet: str, finalized: BlockNumber, count_max: int
) -> list[Candidate]:
    """Return what may be moved of the money on the addresses of an account."""
    rows = await conn.fetch(CANDIDATES, chain, wallet, finalized, count_max)
    return [convert({**row}, Candidate) for row in rows]


class Taken(Struct, frozen=True, kw_only=True):
    """A transfer that a sweep takes."""

    sweep_id: SweepId
    payment_id: PaymentId
    key: TransferKey
    amount: Amount
    orphaned: bool
    swept_in: BlockNumber | None
    swept_by: TxHash | None


TAKEN = """
SELECT sweep_id, payment_id, chain, tx_hash, asset, recipient, ordinal, amount, orphaned, swept_in,
    swept_by
FROM transfers WHERE sweep_id = ANY($1::uuid[]) ORDER BY block_number
"""


async def taken(conn: Conn, sweeps: Collection[SweepId]) -> list[Taken]:
    """Return the transfers that these sweeps take."""
    return [
        convert({**row, "key": convert({**row}, TransferKey)}, Taken)
        for row in await conn.fetch(TAKEN, list(sweeps))
    ]
