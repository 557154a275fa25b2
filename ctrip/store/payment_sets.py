"""Which payments something may concern: the questions that flows ask before they take the door.

Only reads. What they return may be stale by the time it is used; whoever changes a payment
locks it and looks again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.ids import (
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    KeyId,
    PaymentId,
    RawAddress,
    TxHash,
)
from ctrip.core.payment import Transfer, TransferKey
from ctrip.store.pool import Conn

OWNERS = "SELECT lower(address) AS address, id FROM payments WHERE lower(address) = ANY($1::text[])"


async def owners(conn: Conn, among: Sequence[RawAddress]) -> dict[RawAddress, PaymentId]:
    """Return those of the addresses that were ever shown to a payer, of whichever chain."""
    return {row["address"]: row["id"] for row in await conn.fetch(OWNERS, among)}


OF_OWNER = """
SELECT lower(address) AS address, id FROM payments WHERE lower(address) = ANY($1::text[])
AND ($2::uuid IS NULL OR owner = $2)
"""


async def of_owner(
    conn: Conn, among: Sequence[RawAddress], *, owner: KeyId | None
) -> dict[RawAddress, PaymentId]:
    """Return those of the addresses that are of payments of this owner; None owns everything."""
    return {row["address"]: row["id"] for row in await conn.fetch(OF_OWNER, among, owner)}


PAID_BY = """
SELECT DISTINCT t.payment_id FROM transfers t JOIN payments p ON p.id = t.payment_id
WHERE t.chain = ANY($1::text[]) AND t.tx_hash = $2 AND t.source <> 'balance'
AND ($3::uuid IS NULL OR p.owner = $3) ORDER BY t.payment_id LIMIT $4
"""


async def paid_by(
    conn: Conn, chains: Sequence[ChainName], tx_hash: TxHash, *, owner: KeyId | None, count_max: int
) -> list[PaymentId]:
    """Return the payments of this owner that a transaction is on record as having reached."""
    rows = await conn.fetch(PAID_BY, chains, tx_hash, owner, count_max)
    return [row["payment_id"] for row in rows]


ANY_OPEN = "SELECT EXISTS (SELECT FROM payments WHERE chain = $1 AND NOT closed)"


async def any_open(conn: Conn, chain: ChainName) -> bool:
    """Tell whether money may still be meant for a payment of this chain."""
    return bool(await conn.fetchval(ANY_OPEN, chain))


class Held(Struct, frozen=True, kw_only=True):
    """What a payment's address should hold of an asset on a chain, as far as is on record.

    Below 0 if we moved more away than is on record as having come: then money came unnoticed.
    """

    payment_id: PaymentId
    owner: RawAddress
    asset: Asset
    amount: int  # of the live transfers and of our own transactions, up to a block


FOR_COIN = """
SELECT p.id AS payment_id, lower(p.address) AS owner, 'native' AS asset,
    coalesce(sum(t.amount), 0) + coalesce((
        SELECT sum(m.amount) FROM own_moves($1, lower(p.address)) AS m
        WHERE m.asset = 'native' AND m.block_number <= $2), 0) AS amount
FROM payments p
LEFT JOIN transfers t ON t.payment_id = p.id AND t.chain = $1 AND t.asset = 'native'
    AND NOT t.orphaned AND t.block_number <= $2
WHERE p.chain = $1 AND p.asset = 'native' AND NOT p.closed
GROUP BY p.id
"""

# Postgres takes what HAVING says of a payment as if WHERE had said it.
OPEN_NATIVE = f"{FOR_COIN} HAVING p.status IN ('pending', 'detected') ORDER BY p.id LIMIT $3"


async def open_native(
    conn: Conn, chain: ChainName, *, at: BlockNumber, count_max: int
) -> list[Held]:
    """Return the payments that wait for native coin, with what is on record up to a block."""
    rows = await conn.fetch(OPEN_NATIVE, chain, at, count_max)
    return [convert({**row}, Held) for row in rows]


LATELY_EXPIRED = (
    f"{FOR_COIN} HAVING p.status = 'expired' AND p.expires_at > $3 ORDER BY p.id LIMIT $4"
)


async def lately_expired(
    conn: Conn, chain: ChainName, *, at: BlockNumber, since: datetime, count_max: int
) -> list[Held]:
    """Return payments whose time for native coin has run out since, with what is on record."""
    rows = await conn.fetch(LATELY_EXPIRED, chain, at, since, count_max)
    return [convert({**row}, Held) for row in rows]


RECORDED = """
SELECT * FROM transfers WHERE chain = $1 AND tx_hash = ANY($2) AND NOT orphaned
"""


async def transfers_of(
    conn: Conn, chain: ChainName, tx_hashes: Collection[TxHash]
) -> list[Transfer]:
    """Return what is on record for some transactions."""
    rows = await conn.fetch(RECORDED, chain, list(tx_hashes))
    return [convert({**row, "key": convert({**row}, TransferKey)}, Transfer) for row in rows]


COINS = """
SELECT * FROM transfers
WHERE chain = $1 AND asset = 'native' AND NOT orphaned AND payment_id = ANY($2::uuid[])
"""


async def coins(
    conn: Conn, chain: ChainName, ids: Sequence[PaymentId]
) -> list[tuple[PaymentId, Transfer]]:
    """Return the native coin that is on record for these payments on a chain."""
    return [
        (row["payment_id"], convert({**row, "key": convert({**row}, TransferKey)}, Transfer))
        for row in await conn.fetch(COINS, chain, ids)
    ]


USED = """
SELECT id, lower(address) AS owner FROM payments WHERE id > $1 ORDER BY id LIMIT $2
"""


async def used(
    conn: Conn, *, after: PaymentId, count_max: int
) -> list[tuple[PaymentId, RawAddress]]:
    """Return a slice of all payments ever made, of whichever chain, with their addresses."""
    return [(row["id"], row["owner"]) for row in await conn.fetch(USED, after, count_max)]


ON_RECORD = """
SELECT payment_id, asset, sum(amount) AS amount FROM (
    SELECT payment_id, asset, amount FROM transfers
    WHERE chain = $1 AND block_number <= $2 AND NOT orphaned AND payment_id = ANY($3::uuid[])
    UNION ALL
    SELECT p.id, m.asset, m.amount FROM payments p
    CROSS JOIN LATERAL own_moves($1, lower(p.address)) AS m
    WHERE m.block_number <= $2 AND p.id = ANY($3::uuid[])
) AS either GROUP BY payment_id, asset
"""


async def on_record(
    conn: Conn, chain: ChainName, ids: Sequence[PaymentId], *, at: BlockNumber
) -> dict[tuple[PaymentId, Asset], int]:
    """Return what these payments' addresses should hold on a chain, by asset, after block `at`.

    That is what came to them, and what our own transactions moved.
    """
    rows = await conn.fetch(ON_RECORD, chain, at, ids)
    return {(row["payment_id"], row["asset"]): row["amount"] for row in rows}


DEEPENED = """
SELECT id FROM payments WHERE chain = $1 AND status IN ('detected', 'confirmed', 'paid')
AND detected_in_block <= $2
AND (settles = 'hold' OR status = 'detected') -- sweeps move the others on
AND (status <> 'detected' OR CASE confirmed_by
    WHEN 'finalized' THEN detected_in_block <= $3
    WHEN 'safe' THEN detected_in_block <= $4
    ELSE detected_in_block + confirmations_required - 1 <= $2 END)
AND (status <> 'paid' OR detected_in_block <= $3)
"""


async def deepened(
    conn: Conn, chain: ChainName, *, head: BlockNumber, finalized: BlockNumber, safe: BlockNumber
) -> list[PaymentId]:
    """Return the payments that a chain read up to `head` may have moved on."""
    rows = await conn.fetch(DEEPENED, chain, head, finalized, max(safe, finalized))
    return [row["id"] for row in rows]


UNVOUCHED = """
SELECT p.id FROM payments p WHERE p.chain = $1 AND p.status = 'detected' AND p.needs_vouching
AND EXISTS (SELECT FROM transfers t WHERE t.payment_id = p.id AND t.chain = p.chain
    AND NOT t.orphaned AND NOT t.vouched)
ORDER BY p.detected_in_block LIMIT $2
"""


async def unvouched(conn: Conn, chain: ChainName, *, count_max: int) -> list[PaymentId]:
    """Return the payments whose money only one endpoint has shown, and one is not enough."""
    return [row["id"] for row in await conn.fetch(UNVOUCHED, chain, count_max)]


ABOVE = """
SELECT payment_id, chain, tx_hash, asset, recipient, ordinal, block_hash
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


TRACED_ABOVE = """
SELECT EXISTS (SELECT FROM transfers
    WHERE chain = $1 AND block_number > $2 AND NOT orphaned AND source = 'trace')
"""


async def traced_above(conn: Conn, chain: ChainName, fork: BlockNumber) -> bool:
    """Tell whether money that only traces show lies above a fork."""
    return bool(await conn.fetchval(TRACED_ABOVE, chain, fork))


STANDING_STILL = """
SELECT id FROM payments WHERE chain = $1 AND status = 'pending' AND NOT lapsed AND expires_at > $2
AND created_at < $3
"""


async def held_up(
    conn: Conn, chain: ChainName, *, since: datetime, until: datetime
) -> list[PaymentId]:
    """Return the payments whose time ran while their chain stood still."""
    return [row["id"] for row in await conn.fetch(STANDING_STILL, chain, since, until)]


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
