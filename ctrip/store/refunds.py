"""The only writer of the table refunds.

What a payment knows of its refunds is among its own facts (store/payments.py), so that whoever
locks it sees what of its money is promised. This is their way out.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from msgspec import Struct, convert

from ctrip.core.ids import Amount, Asset, ChainName, PaymentId, RefundId
from ctrip.core.refund import Refund
from ctrip.store.pool import Conn

LIMITS: Final = 7_461_238  # the advisory lock of those who ask how much of a day's limit is left
TAKE_TURN = "SELECT pg_advisory_xact_lock($1)"


async def take_turn(conn: Conn) -> None:
    """Let nobody else count what a day's limit leaves until the transaction ends."""
    await conn.execute(TAKE_TURN, LIMITS)


SINCE = """
SELECT coalesce(sum(amount), 0) FROM refunds
WHERE chain = $1 AND asset = $2 AND created_at > $3 AND state <> 'failed'
"""


async def asked_since(conn: Conn, chain: ChainName, asset: Asset, since: datetime) -> Amount:
    """Return how much of an asset was promised back since."""
    return Amount(int(await conn.fetchval(SINCE, chain, asset, since)))


INSERT = """
INSERT INTO refunds (id, chain, payment_id, asset, amount, recipient, asked_by, state, why, tries,
    due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11)
"""


async def insert(conn: Conn, new: Refund) -> None:
    """Write a new refund."""
    await conn.execute(
        INSERT,
        new.id,
        new.chain,
        new.payment_id,
        new.asset,
        new.amount,
        new.recipient,
        new.asked_by,
        new.state,
        new.why,
        new.due_at,
        new.created_at,
    )


SAVE = """
UPDATE refunds SET state = $2, why = $3, tries = $4, due_at = $5, ended_at = $6 WHERE id = $1
"""


async def save(conn: Conn, refund: Refund) -> None:
    """Write what may have changed of a refund."""
    await conn.execute(
        SAVE, refund.id, refund.state, refund.why, refund.tries, refund.due_at, refund.ended_at
    )


LOCK = "SELECT * FROM refunds WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"


async def lock(conn: Conn, ids: Collection[RefundId]) -> list[Refund]:
    """Read refunds and hold them until the transaction ends."""
    return read(await conn.fetch(LOCK, list(ids)))


# One that failed in a block which may be replaced yet has a sending still. Of one that was exported
# it is not known what took its nonce (core/refund.py).
DUE = """
SELECT * FROM refunds r WHERE chain = $1 AND ended_at IS NULL AND due_at <= $2
AND state IN ('queued', 'stuck') AND NOT EXISTS (
    SELECT FROM sendings s WHERE s.refund_id = r.id AND s.state <> 'void'
    AND (s.state <> 'taken' OR s.exported_max_fee IS NOT NULL))
ORDER BY due_at, id LIMIT $3
"""


async def due(conn: Conn, chain: ChainName, now: datetime, *, count_max: int) -> list[Refund]:
    """Return the refunds that wait for us to do something."""
    return read(await conn.fetch(DUE, chain, now, count_max))


LIST = """
SELECT * FROM refunds WHERE chain = $1 AND ended_at IS NULL ORDER BY created_at, id LIMIT $2
"""


async def list_open(conn: Conn, chain: ChainName, *, count_max: int) -> list[Refund]:
    """Return the refunds of a chain that have not ended, the oldest first."""
    return read(await conn.fetch(LIST, chain, count_max))


FIND = "SELECT * FROM refunds WHERE id = ANY($1::uuid[])"


async def find(conn: Conn, ids: Collection[RefundId]) -> list[Refund]:
    """Return the refunds that have these ids."""
    return read(await conn.fetch(FIND, list(ids)))


OF_PAYMENT = "SELECT * FROM refunds WHERE payment_id = $1"


async def of_payment(conn: Conn, payment_id: PaymentId) -> list[Refund]:
    """Return the refunds of a payment."""
    return read(await conn.fetch(OF_PAYMENT, payment_id))


def read(rows: Sequence[asyncpg.Record]) -> list[Refund]:
    """Return rows as refunds."""
    return [convert({**row}, Refund) for row in rows]


SAY = "UPDATE refunds SET why = $2 WHERE id = $1 AND ended_at IS NULL AND why <> $2"


async def say(conn: Conn, refund_id: RefundId, why: str) -> None:
    """Note why a refund does not go on, or that it does."""
    await conn.execute(SAY, refund_id, why)


class Summary(Struct, frozen=True, kw_only=True):
    """How many refunds have not ended, and why those that wait longest do."""

    open: int
    reasons: list[str]


COUNT = """
SELECT count(*) AS open, (
    SELECT coalesce(array_agg(format('refund %s on %s: %s', id, chain, why)), '{}') FROM (
        SELECT id, chain, why FROM refunds WHERE ended_at IS NULL AND why <> ''
        ORDER BY state <> 'stuck', created_at LIMIT $1) AS oldest) AS reasons
FROM refunds WHERE ended_at IS NULL
"""


async def summary(conn: Conn, *, reasons_max: int) -> Summary:
    """Return how refunds stand, for an operator."""
    row = await conn.fetchrow(COUNT, reasons_max)
    return convert({**(row or {})}, Summary)
