"""What must be true of the tables, whatever happened: each a query for what contradicts it.

A query is given a chain ($1) and returns rows of an asset, null if all are concerned, and a
sentence. None writes, and none relies on the statements that wrote. They are asked in one snapshot
after everything final was booked (flows/reconcile.py), so nothing is merely late; what became
final since is due (books_due), and left out.

What `holds` is true for is about money: while it is contradicted, nothing of that asset is moved.
Nothing that a stranger can bring about from outside holds money.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ctrip.core.ids import Asset, ChainName
from ctrip.store.pool import Conn

REPORT: Final = "a fault of ctrip or a change by hand: keep the database as it is, and report it"
BY_HAND: Final = "rows were changed by hand, or a backup was mixed with a newer state: restore one"
TWICE: Final = "look both transactions up with a block explorer before anything else is sent"
EARLIER: Final = "wait for the standing audit's next round, 6 hours, which records what came unseen"


class Invariant(Struct, frozen=True):
    """A sentence, and how to find what contradicts it."""

    name: str
    says: str
    remedy: str
    query: str
    holds: bool = True


# A query stands right below its sentence.
# fmt: off
INVARIANTS: Final = (
    Invariant("I01", "The lines of an entry of the ledger add up to 0 in each asset.", REPORT, """
SELECT asset, 'entry ' || entry_id || ' adds up to ' || sum(amount) FROM ledger
WHERE chain = $1 GROUP BY entry_id, asset HAVING sum(amount) <> 0
"""),
    Invariant("I02", "What came in a final block is booked, with its amount.", REPORT, """
SELECT t.asset, 'transaction ' || t.tx_hash || ' brought ' || t.amount || ' and the books have '
    || coalesce(sum(e.amount), 0)
FROM books b JOIN transfers t ON t.chain = b.chain AND t.block_number <= b.number
LEFT JOIN ledger_entries e ON e.kind = 'deposit' AND (e.chain, e.tx_hash, e.asset, e.recipient,
    e.ordinal) = (t.chain, t.tx_hash, t.asset, t.recipient, t.ordinal)
WHERE b.chain = $1 AND NOT t.orphaned
GROUP BY t.chain, t.tx_hash, t.asset, t.recipient, t.ordinal
HAVING coalesce(sum(e.amount), 0) <> t.amount
"""),
    Invariant("I03", "What is booked as a deposit is on its chain.", REPORT, """
SELECT e.asset, 'the books have ' || sum(e.amount) || ' of transaction ' || e.tx_hash
FROM ledger_entries e LEFT JOIN transfers t ON NOT t.orphaned AND (t.chain, t.tx_hash, t.asset,
    t.recipient, t.ordinal) = (e.chain, e.tx_hash, e.asset, e.recipient, e.ordinal)
WHERE e.chain = $1 AND e.kind = 'deposit' AND t.chain IS NULL
GROUP BY e.tx_hash, e.asset, e.recipient, e.ordinal HAVING sum(e.amount) <> 0
"""),
    Invariant("I04", "A deposit is booked to the address it reached, for that payment.", REPORT, """
SELECT e.asset, 'entry ' || e.id || ' is not of its transfer' FROM ledger_entries e
JOIN transfers t USING (chain, tx_hash, asset, recipient, ordinal)
LEFT JOIN ledger l ON l.entry_id = e.id AND (l.chain, l.account, l.asset, l.amount)
    = (e.chain, 'deposit:' || e.recipient, e.asset, e.amount)
WHERE e.chain = $1 AND e.kind = 'deposit'
AND (l.entry_id IS NULL OR e.payment_id IS DISTINCT FROM t.payment_id)
"""),
    Invariant("I05", "Money lies in blocks of the branch that was read.",
        "compare the endpoints of the chain; see docs/operations.md, a reorg deeper than finality",
        """
SELECT t.asset, 'transaction ' || t.tx_hash || ' is on record in another block ' || t.block_number
FROM transfers t JOIN blocks b ON b.chain = t.chain AND b.number = t.block_number
WHERE t.chain = $1 AND NOT t.orphaned AND b.hash <> t.block_hash
"""),
    Invariant("I06", "One log is one transfer.", REPORT, """
SELECT min(asset), 'log ' || log_index || ' of block ' || block_hash || ' is ' || count(*)
    || ' transfers'
FROM transfers WHERE chain = $1 AND NOT orphaned AND log_index IS NOT NULL
GROUP BY block_hash, log_index HAVING count(*) > 1
"""),
    Invariant("I07", "Blocks follow each other in time.",
        "compare the endpoints of the chain: one of them tells wrong times", """
SELECT NULL, 'block ' || number || ' is older than the one before' FROM (
    SELECT number, time, lag(time) OVER (ORDER BY number) AS before FROM blocks WHERE chain = $1
) AS line WHERE time < before
""", holds=False),
    Invariant("I08", "What a payment received is what is on record for it.", REPORT, """
SELECT p.asset, 'payment ' || p.id || ' received ' || p.amount_received || ', on record are '
    || coalesce(sum(t.amount), 0)
FROM payments p LEFT JOIN transfers t ON t.payment_id = p.id AND t.chain = p.chain
    AND t.asset = p.asset AND NOT t.orphaned
WHERE p.chain = $1 GROUP BY p.id HAVING p.amount_received <> coalesce(sum(t.amount), 0)
"""),
    Invariant("I09", "Nothing is paid with less than it asks for.", REPORT, """
SELECT asset, 'payment ' || id || ' is ' || status || ' with ' || amount_received FROM payments
WHERE chain = $1 AND status IN ('detected', 'confirmed', 'paid', 'settled')
AND amount_received < coalesce(accepted_amount, amount)
"""),
    Invariant("I10", "A transfer is of the payment whose address it reached.", REPORT, """
SELECT t.asset, 'transaction ' || t.tx_hash || ' is booked for payment ' || p.id
FROM transfers t JOIN payments p ON p.id = t.payment_id
WHERE t.chain = $1 AND t.recipient <> lower(p.address)
"""),
    Invariant("I11", "What we sent ourselves is no payer's money.", REPORT, """
SELECT t.asset, 'our own transaction ' || t.tx_hash || ' was taken for a payment'
FROM transfers t JOIN sending_versions v ON v.tx_hash = t.tx_hash
WHERE t.chain = $1 AND NOT t.orphaned
"""),
    Invariant("I12", "Where a payment stands was told.", REPORT, """
SELECT p.asset, 'payment ' || p.id || ' is ' || p.status || ', and no event says so'
FROM payments p WHERE p.chain = $1 AND p.status <> 'pending' AND NOT EXISTS (
    SELECT FROM events e WHERE e.payment_id = p.id AND e.type = 'payment.' || p.status)
""", holds=False),
    Invariant("I13", "The events of a payment are numbered without a hole.", REPORT, """
SELECT p.asset, 'payment ' || p.id || ' has ' || count(e.id) || ' events and counts ' || p.sequence
FROM payments p LEFT JOIN events e ON e.payment_id = p.id WHERE p.chain = $1 GROUP BY p.id
HAVING count(e.id) <> p.sequence OR max(e.sequence) <> p.sequence
""", holds=False),
    Invariant("I14", "What counts as delivered was answered with success.", REPORT, """
SELECT NULL, 'event ' || d.event_id || ' counts as delivered after ' || d.outcome
FROM deliveries_done d JOIN events e ON e.id = d.event_id JOIN payments p ON p.id = e.payment_id
WHERE d.delivered AND d.outcome !~ '^2\\d\\d$' AND p.chain = $1
""", holds=False),
    Invariant("I15", "A sender's transactions are mined in the order of their nonces.", REPORT, """
SELECT asset, 'transaction ' || tx_hash || ' of ' || sender || ' is in block ' || block_number
    || ', and the one before in ' || before
FROM (
    SELECT asset, tx_hash, sender, block_number,
        lag(block_number) OVER (PARTITION BY sender ORDER BY nonce) AS before
    FROM sendings WHERE chain = $1 AND block_number IS NOT NULL
) AS line WHERE block_number < before
"""),
    Invariant("I16", "A deposit address holds, by the books, what came less what we moved.", REPORT,
        """
SELECT asset, address || ' holds ' || sum(booked) || ' by the books, and ' || sum(happened)
    || ' by what happened'
FROM (
    SELECT substr(account, 9) AS address, asset, amount AS booked, 0 AS happened FROM ledger
    WHERE chain = $1 AND account LIKE 'deposit:%'
    UNION ALL
    SELECT t.recipient, t.asset, 0, t.amount
    FROM books b JOIN transfers t ON t.chain = b.chain AND t.block_number <= b.number
    WHERE b.chain = $1 AND NOT t.orphaned
    UNION ALL
    SELECT m.address, m.asset, 0, m.amount
    FROM sending_moves m JOIN sendings s ON s.id = m.sending_id
    WHERE s.chain = $1 AND s.final AND s.id NOT IN (SELECT sending_id FROM books_due)
    UNION ALL
    SELECT sender, 'native', 0, -fee FROM sendings
    WHERE chain = $1 AND final AND fee IS NOT NULL
    AND id NOT IN (SELECT sending_id FROM books_due)
) AS either
GROUP BY address, asset HAVING sum(booked) <> sum(happened) AND bool_or(booked <> 0)
"""),
    Invariant("I17", "No more left a deposit address than is on record as having come.",
        EARLIER, """
SELECT asset, account || ' is at ' || sum(amount) FROM ledger
WHERE chain = $1 AND account LIKE 'deposit:%' GROUP BY account, asset HAVING sum(amount) < 0
""", holds=False),
    Invariant("I18", "All accounts together are at 0.", REPORT, """
SELECT asset, 'all accounts together are at ' || sum(amount) FROM ledger
WHERE chain = $1 GROUP BY asset HAVING sum(amount) <> 0
"""),
    Invariant("I19", "Payers were not given more back than they paid.", TWICE, """
SELECT asset, 'payers were given ' || sum(amount) || ' more than they paid' FROM ledger
WHERE chain = $1 AND account IN ('payers', 'unknown') GROUP BY asset
HAVING sum(amount) FILTER (WHERE account = 'payers') > 0 AND sum(amount) > 0
"""),
    Invariant("I20", "A transaction of ours that is final is booked: what it moved, and its fee.",
        REPORT, """
WITH booked AS (
    SELECT e.sending_id, e.kind = 'fee' AS fee, l.asset, sum(l.amount) AS amount
    FROM ledger_entries e JOIN ledger l ON l.entry_id = e.id
    WHERE e.chain = $1 AND e.sending_id IS NOT NULL AND l.amount > 0 GROUP BY 1, 2, 3
), happened AS (
    SELECT s.id AS sending_id, false AS fee, m.asset, m.amount
    FROM sendings s JOIN sending_moves m ON m.sending_id = s.id
    WHERE s.chain = $1 AND s.final AND m.amount > 0
    AND s.id NOT IN (SELECT sending_id FROM books_due)
    UNION ALL
    SELECT id, true, 'native', fee FROM sendings WHERE chain = $1 AND final AND fee > 0
    AND id NOT IN (SELECT sending_id FROM books_due)
)
SELECT coalesce(b.asset, h.asset), 'transaction ' || coalesce(s.tx_hash, s.id::text)
    || ' cost or moved ' || coalesce(h.amount, 0) || ', the books have ' || coalesce(b.amount, 0)
FROM booked b FULL JOIN happened h USING (sending_id, fee, asset)
JOIN sendings s ON s.id = sending_id WHERE b.amount IS DISTINCT FROM h.amount
"""),
    Invariant("I21", "An address was given to one payment only, and was taken from the line.",
        BY_HAND, """
SELECT NULL, 'index ' || p.derivation_index || ' is of ' || count(*) || ' payments, the next is '
    || coalesce(max(w.next_index), 0)
FROM payments p LEFT JOIN wallets w ON w.fingerprint = p.wallet
GROUP BY p.wallet, p.derivation_index HAVING bool_or(p.chain = $1)
AND (count(*) > 1 OR p.derivation_index >= coalesce(max(w.next_index), 0))
"""),
    Invariant("I22", "What counts as moved on left in a transaction that is in that block.",
        REPORT, """
SELECT t.asset, 'transaction ' || t.tx_hash || ' counts as moved on in block ' || t.swept_in
FROM transfers t WHERE t.chain = $1 AND t.swept_in IS NOT NULL AND NOT t.orphaned
AND NOT EXISTS (SELECT FROM sendings s WHERE s.sweep_id = t.sweep_id AND s.purpose = 'sweep'
    AND s.state = 'mined' AND s.block_number = t.swept_in AND s.tx_hash = t.swept_by)
AND NOT EXISTS (SELECT FROM batch_parts p JOIN sendings s ON s.id = p.sending_id
    WHERE p.sweep_id = t.sweep_id AND NOT p.kept
    AND s.state = 'mined' AND s.block_number = t.swept_in AND s.tx_hash = t.swept_by)
"""),
    Invariant("I23", "Nothing is moved, or given coin for its gas, twice.", TWICE, """
WITH all_of AS (
    SELECT sweep_id, purpose, asset, state, chain FROM sendings WHERE sweep_id IS NOT NULL
    UNION ALL
    SELECT p.sweep_id, 'sweep', s.asset, s.state, s.chain
    FROM batch_parts p JOIN sendings s ON s.id = p.sending_id WHERE NOT p.kept)
SELECT min(asset), 'sweep ' || sweep_id || ' has ' || count(*) || ' transactions: ' || purpose
FROM all_of WHERE chain = $1 AND state IN ('unsigned', 'signed', 'sent', 'mined')
GROUP BY sweep_id, purpose HAVING count(*) > 1
"""),
    Invariant("I24", "What is settled by sweeping was swept.", REPORT, """
SELECT p.asset, 'payment ' || p.id || ' is settled, and ' || coalesce(sum(t.amount), 0)
    || ' of it was moved on'
FROM payments p LEFT JOIN transfers t ON t.payment_id = p.id AND t.chain = p.chain
    AND t.asset = p.asset AND NOT t.orphaned AND t.swept_in IS NOT NULL
WHERE p.chain = $1 AND p.status = 'settled' AND p.settles <> 'hold'
GROUP BY p.id HAVING coalesce(sum(t.amount), 0) < coalesce(p.accepted_amount, p.amount)
"""),
    Invariant("I25", "What counts as final of ours lies in a final block.", REPORT, """
SELECT s.asset, 'transaction ' || s.tx_hash || ' counts as final in block ' || s.block_number
FROM sendings s JOIN cursors c ON c.chain = s.chain
WHERE s.chain = $1 AND s.final AND s.block_number > c.finalized
"""),
    Invariant("I26", "Of a transaction of ours, a version that we signed was mined.",
        "stop sweeps and move the keys' money by hand: somebody else may hold a key", """
SELECT s.asset, 'transaction ' || s.tx_hash || ' of ' || s.sender || ' was not signed here'
FROM sendings s WHERE s.chain = $1 AND s.tx_hash IS NOT NULL AND NOT EXISTS (
    SELECT FROM sending_versions v WHERE v.sending_id = s.id AND v.tx_hash = s.tx_hash)
"""),
    Invariant("I27", "What a transaction of ours takes from one address it gives to another.",
        REPORT, """
SELECT m.asset, 'transaction ' || s.tx_hash || ' moves ' || sum(m.amount) || ' from nowhere'
FROM sendings s JOIN sending_moves m ON m.sending_id = s.id
WHERE s.chain = $1 GROUP BY s.id, m.asset HAVING sum(m.amount) <> 0
"""),
    Invariant("I28", "Nothing is refunded twice.", TWICE, """
SELECT min(asset), 'refund ' || refund_id || ' has ' || count(*) || ' transactions'
FROM sendings WHERE chain = $1 AND refund_id IS NOT NULL
AND state IN ('unsigned', 'signed', 'sent', 'mined')
GROUP BY refund_id HAVING count(*) > 1
"""),
    Invariant("I29", "What a payment gives back is what its refunds are of.", REPORT, """
WITH said AS (
    SELECT p.id, p.asset, sum((back ->> 'amount')::numeric) AS amount
    FROM payments p CROSS JOIN LATERAL jsonb_array_elements(p.refunds) AS back
    WHERE p.chain = $1 AND NOT (back ->> 'failed')::boolean GROUP BY p.id
), asked AS (
    SELECT payment_id AS id, asset, sum(amount) AS amount FROM refunds
    WHERE chain = $1 AND state <> 'failed' GROUP BY payment_id, asset
)
SELECT asset, 'payment ' || id || ' gives back ' || coalesce(s.amount, 0)
    || ', its refunds are of ' || coalesce(a.amount, 0)
FROM said s FULL JOIN asked a USING (id, asset) WHERE s.amount IS DISTINCT FROM a.amount
"""),
)
# fmt: on


class Breach(Struct, frozen=True):
    """What contradicts an invariant."""

    invariant: Invariant
    asset: Asset | None  # None: all of the chain
    what: str


async def breaches(
    conn: Conn, chain: ChainName, *, count_max: int, only: Sequence[Invariant] = INVARIANTS
) -> list[Breach]:
    """Return what contradicts the invariants, so many of each at most."""
    found: list[Breach] = []
    for one in only:
        rows = await conn.fetch(f"{one.query} LIMIT {count_max}", chain)
        found += [Breach(one, row[0], row[1]) for row in rows]
    return found
