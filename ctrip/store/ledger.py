"""The only writer of ledger, ledger_entries, books and books_due: what is final, in double entry.

Whoever books holds the chain's row of `books` (hold), so that two never book the same. Booking is
a comparison, not an addition: of a transfer, what is booked is the difference between what it is
and what the books have of it. So nothing is booked twice, a balance that shrank once its
transaction was found is booked back, and a range of blocks may be booked as often as one likes.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.books import Booked, Role
from ctrip.core.ids import Amount, Asset, BlockNumber, ChainName
from ctrip.core.payment import Settles
from ctrip.store.pool import Conn


class Place(Struct, frozen=True, kw_only=True):
    """How far a chain is booked, and compared with the books again."""

    number: BlockNumber
    again: BlockNumber
    again_at: datetime


BEGIN_BOOKS = """
INSERT INTO books (chain, number, again, again_at) VALUES ($1, -1, -1, $2) ON CONFLICT DO NOTHING
"""
HOLD = "SELECT number, again, again_at FROM books WHERE chain = $1 FOR UPDATE"


async def hold(conn: Conn, chain: ChainName, *, now: datetime) -> Place:
    """Hold a chain's books until the transaction ends; return how far they have come."""
    await conn.execute(BEGIN_BOOKS, chain, now)
    row = await conn.fetchrow(HOLD, chain)
    assert row is not None, "it was written just now"  # noqa: S101
    return Place(number=row["number"], again=row["again"], again_at=row["again_at"])


NOTE = "UPDATE books SET number = $2, again = $3, again_at = $4 WHERE chain = $1"


async def note(conn: Conn, chain: ChainName, place: Place) -> None:
    """Write how far held books have come."""
    await conn.execute(NOTE, chain, place.number, place.again, place.again_at)


LAST_OF = """
SELECT block_number FROM transfers
WHERE chain = $1 AND block_number > $2 AND block_number <= $3 AND NOT orphaned
ORDER BY block_number OFFSET $4 LIMIT 1
"""


async def last_of(
    conn: Conn, chain: ChainName, *, above: BlockNumber, end: BlockNumber, count: int
) -> BlockNumber:
    """Return the block in which the next `count` transfers end, or `end` if there are fewer."""
    number = await conn.fetchval(LAST_OF, chain, above, end, count - 1)
    return end if number is None else BlockNumber(number)


# What is booked in these blocks and has left them, as after a reorg deeper than finality, is
# booked back, or was booked at its new place already.
BOOK_TRANSFERS = """
WITH concerned AS (
    SELECT chain, tx_hash, asset, recipient, ordinal FROM transfers
    WHERE chain = $1 AND block_number > $2 AND block_number <= $3 AND NOT orphaned
    UNION
    SELECT chain, tx_hash, asset, recipient, ordinal FROM ledger_entries
    WHERE chain = $1 AND block_number > $2 AND block_number <= $3 AND kind = 'deposit'
), due AS MATERIALIZED (
    SELECT nextval('ledger_entries_id_seq') AS id, t.chain, t.payment_id, t.tx_hash, t.asset,
        t.recipient, t.ordinal, t.block_number, t.source, is_now.amount - booked.amount AS amount
    FROM concerned
    JOIN transfers t USING (chain, tx_hash, asset, recipient, ordinal)
    CROSS JOIN LATERAL (SELECT CASE WHEN t.orphaned OR t.block_number > $4 THEN 0
        ELSE t.amount END AS amount) AS is_now
    CROSS JOIN LATERAL (SELECT coalesce(sum(e.amount), 0) AS amount FROM ledger_entries e
        WHERE e.kind = 'deposit' AND e.chain = t.chain AND e.tx_hash = t.tx_hash
        AND e.asset = t.asset AND e.recipient = t.recipient AND e.ordinal = t.ordinal) AS booked
    WHERE is_now.amount <> booked.amount
), entries AS (
    INSERT INTO ledger_entries (id, chain, kind, amount, payment_id, tx_hash, asset, recipient,
        ordinal, block_number, booked_at)
    SELECT id, chain, 'deposit', amount, payment_id, tx_hash, asset, recipient, ordinal,
        block_number, $5 FROM due
)
INSERT INTO ledger (entry_id, chain, account, asset, amount)
SELECT id, chain, 'deposit:' || recipient, asset, amount FROM due
UNION ALL
SELECT id, chain, CASE source WHEN 'balance' THEN 'unknown' ELSE 'payers' END, asset, -amount
FROM due
RETURNING entry_id
"""


async def book_transfers(
    conn: Conn,
    chain: ChainName,
    *,
    above: BlockNumber,
    to: BlockNumber,
    finalized: BlockNumber,
    now: datetime,
) -> int:
    """Book the transfers in some final blocks; return how many were not booked as they are."""
    return len(await conn.fetch(BOOK_TRANSFERS, chain, above, to, finalized, now)) // 2


# Each moves what it moved, and its sender pays its fee; a role that an address has beside being a
# deposit address is read off what the transaction is for.
BOOK_SENDINGS = """
WITH due AS MATERIALIZED (
    DELETE FROM books_due WHERE sending_id = ANY(ARRAY(
        SELECT sending_id FROM books_due WHERE chain = $1 LIMIT $2))
    RETURNING sending_id
), sent AS MATERIALIZED (
    SELECT s.*, w.payment_id FROM due JOIN sendings s ON s.id = due.sending_id
    LEFT JOIN sweeps w ON w.id = s.sweep_id
), touched AS (
    SELECT s.id AS sending_id,
        CASE s.purpose WHEN 'fuel' THEN 'fuel' WHEN 'refund' THEN 'refund' ELSE 'swept' END AS kind,
        s.purpose, m.address, m.asset, m.amount
    FROM sent s JOIN sending_moves m ON m.sending_id = s.id WHERE m.amount <> 0
    UNION ALL
    SELECT id, 'fee', purpose, sender, 'native', -fee FROM sent WHERE fee > 0
), placed AS MATERIALIZED (
    SELECT t.sending_id, t.kind, t.asset, t.amount, CASE
        WHEN EXISTS (SELECT FROM payments p WHERE lower(p.address) = t.address)
            THEN 'deposit:' || t.address
        WHEN t.purpose = 'refund' AND t.amount > 0 THEN 'payers'
        WHEN t.purpose = 'refund' THEN 'payout:' || t.address
        WHEN t.purpose IN ('sweep', 'batch') AND t.amount > 0 THEN 'treasury:' || t.address
        WHEN t.amount < 0 THEN 'gas:' || t.address
        ELSE 'unknown' END AS account
    FROM touched t
), entries AS (
    INSERT INTO ledger_entries (id, chain, kind, amount, payment_id, sending_id, tx_hash, asset,
        block_number, booked_at)
    SELECT nextval('ledger_entries_id_seq'), s.chain, k.kind, k.amount, s.payment_id, s.id,
        s.tx_hash, k.asset, s.block_number, $3
    FROM sent s JOIN (
        SELECT sending_id, kind, min(asset) AS asset, max(abs(amount)) AS amount
        FROM placed GROUP BY sending_id, kind) AS k ON k.sending_id = s.id
    ON CONFLICT DO NOTHING
    RETURNING id, chain, sending_id, kind
), lines AS (
    SELECT e.id, e.chain, p.account, p.asset, p.amount
    FROM entries e JOIN placed p USING (sending_id, kind)
    UNION ALL
    SELECT e.id, e.chain, CASE kind WHEN 'fee' THEN 'fees' ELSE 'unknown' END, p.asset,
        -sum(p.amount)
    FROM entries e JOIN placed p USING (sending_id, kind)
    GROUP BY e.id, e.chain, e.kind, p.asset
), written AS (
    INSERT INTO ledger (entry_id, chain, account, asset, amount)
    SELECT id, chain, account, asset, sum(amount) FROM lines
    GROUP BY id, chain, account, asset HAVING sum(amount) <> 0
)
SELECT count(*) FROM due
"""


async def book_sendings(conn: Conn, chain: ChainName, *, count_max: int, now: datetime) -> int:
    """Book the next of our own transactions that are final; return how many they were."""
    return int(await conn.fetchval(BOOK_SENDINGS, chain, count_max, now))


# What is under way may be in the block or not, so its addresses are left for the next time. An
# address that is the treasury too is left out: its owner gives and takes.
BALANCES = """
WITH sums AS (
    SELECT min(split_part(l.account, ':', 1)) AS role, split_part(l.account, ':', 2) AS address,
        l.asset, sum(l.amount) AS amount
    FROM ledger l JOIN ledger_entries e ON e.id = l.entry_id
    WHERE l.chain = $1 AND e.block_number <= $2 AND l.account LIKE '%:%'
    GROUP BY 2, l.asset HAVING NOT bool_or(l.account LIKE 'treasury:%')
), busy AS (
    SELECT sender AS address FROM sendings WHERE chain = $1 AND NOT final AND state <> 'void'
    UNION
    SELECT beneficiary FROM sendings WHERE chain = $1 AND NOT final AND state <> 'void'
    UNION
    SELECT p.address FROM batch_parts p JOIN sendings s ON s.id = p.sending_id
    WHERE s.chain = $1 AND NOT s.final AND s.state <> 'void'
    UNION
    SELECT s.sender FROM books_due d JOIN sendings s ON s.id = d.sending_id WHERE d.chain = $1
    UNION
    SELECT m.address FROM books_due d JOIN sending_moves m USING (sending_id) WHERE d.chain = $1
)
SELECT s.role, s.address, s.asset, s.amount, p.settles, d.amount AS deviation,
    b.address IS NOT NULL AS busy
FROM sums s
LEFT JOIN deviations d ON d.chain = $1 AND d.address = s.address AND d.asset = s.asset
LEFT JOIN payments p ON s.role = 'deposit' AND lower(p.address) = s.address
LEFT JOIN busy b ON b.address = s.address
ORDER BY s.address, s.asset
"""


async def balances(conn: Conn, chain: ChainName, *, at: BlockNumber) -> tuple[list[Booked], int]:
    """Return what addresses should hold after a block, and how many more cannot be told yet."""
    rows = await conn.fetch(BALANCES, chain, at)
    known = [
        Booked(
            role=Role(row["role"]),
            address=row["address"],
            asset=row["asset"],
            amount=row["amount"],
            is_left_alone=row["settles"] == Settles.HOLD,
            deviation=row["deviation"],
        )
        for row in rows
        if not row["busy"]
    ]
    return known, len(rows) - len(known)


BOOKED_TO = "SELECT number FROM books WHERE chain = $1"


async def booked_to(conn: Conn, chain: ChainName) -> BlockNumber | None:
    """Return the block up to which a chain is booked, or None if it never was."""
    number = await conn.fetchval(BOOKED_TO, chain)
    return None if number is None else BlockNumber(number)


OF_ACCOUNT = """
SELECT coalesce(sum(amount), 0) FROM ledger WHERE account = $1 AND chain = $2 AND asset = $3
"""


async def of_account(conn: Conn, account: str, chain: ChainName, asset: Asset) -> Amount:
    """Return what an account holds."""
    return Amount(int(await conn.fetchval(OF_ACCOUNT, account, chain, asset)))
