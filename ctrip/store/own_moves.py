"""What our own transactions did to addresses of ours: the questions of whoever looks for money.

Only reads. An amount is below 0 where more went than came; what was paid for gas has gone too.
"""

from collections.abc import Collection, Sequence

from ctrip.core.ids import Asset, BlockNumber, ChainName, PaymentId, TxHash
from ctrip.store.pool import Conn

OURS = "SELECT tx_hash FROM sending_versions WHERE tx_hash = ANY($1::text[])"


async def ours(conn: Conn, among: Collection[TxHash]) -> set[TxHash]:
    """Return those of the transactions that we signed. Each is written before it is broadcast."""
    return {row["tx_hash"] for row in await conn.fetch(OURS, list(among))}


# Above the blocks that are final a transaction may turn out to be in an earlier block than is
# written here: what it brought is never taken for a payer's money.
MOVED = """
SELECT asked.place, sum(m.amount) AS amount
FROM unnest($2::uuid[], $3::text[], $4::bigint[]) WITH ORDINALITY
    AS asked (payment_id, asset, block_number, place)
JOIN payments p ON p.id = asked.payment_id
CROSS JOIN LATERAL own_moves($1, lower(p.address)) AS m
WHERE m.asset = asked.asset
    AND (m.block_number <= asked.block_number OR m.amount > 0 AND NOT m.final)
GROUP BY asked.place
"""


async def moved(
    conn: Conn, chain: ChainName, asked: Sequence[tuple[PaymentId, Asset, BlockNumber]]
) -> list[int]:
    """Return what we moved to the addresses of payments, of an asset, in blocks up to a final one.

    Of what may be in those blocks or not, what came counts and what went does not.
    """
    rows = await conn.fetch(
        MOVED,
        chain,
        [one[0] for one in asked],
        [one[1] for one in asked],
        [one[2] for one in asked],
    )
    by_place = {row["place"]: row["amount"] for row in rows}
    return [by_place.get(place, 0) for place in range(1, len(asked) + 1)]


OF_COIN = """
SELECT p.id AS payment_id, m.block_number, m.amount
FROM payments p CROSS JOIN LATERAL own_moves($1, lower(p.address)) AS m
WHERE m.asset = 'native' AND p.id = ANY($2::uuid[])
"""


async def of_coin(
    conn: Conn, chain: ChainName, ids: Sequence[PaymentId]
) -> list[tuple[PaymentId, BlockNumber, int]]:
    """Return each move of native coin to or from the addresses of payments, with its block."""
    rows = await conn.fetch(OF_COIN, chain, ids)
    return [(row["payment_id"], row["block_number"], row["amount"]) for row in rows]
