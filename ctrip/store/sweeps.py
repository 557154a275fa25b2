"""The only writer of the table sweeps.

A sweep takes the transfers that were on record when it was planned: they name it
(store/transfers.py), so that no two sweeps count on the same money.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct, convert

from ctrip.core.batch import Company
from ctrip.core.ids import Asset, ChainName, SweepId
from ctrip.core.sweep import Sweep
from ctrip.store.pool import Conn

INSERT = """
INSERT INTO sweeps (id, chain, payment_id, address, derivation_index, asset, state, amount,
    why, tries, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, '', 0, $8, $9) ON CONFLICT DO NOTHING RETURNING id
"""


async def insert(conn: Conn, new: Sweep) -> bool:
    """Write a new sweep; False if one of the same asset and address is still under way."""
    written = await conn.fetchval(
        INSERT,
        new.id,
        new.chain,
        new.payment_id,
        new.address,
        new.derivation_index,
        new.asset,
        new.state,
        new.due_at,
        new.created_at,
    )
    return written is not None


SAVE = """
UPDATE sweeps SET state = $2, amount = $3, why = $4, tries = $5, due_at = $6, ended_at = $7,
    in_company = $8
WHERE id = $1
"""


async def save(conn: Conn, sweep: Sweep) -> None:
    """Write what may have changed of a sweep."""
    await conn.execute(
        SAVE,
        sweep.id,
        sweep.state,
        sweep.amount,
        sweep.why,
        sweep.tries,
        sweep.due_at,
        sweep.ended_at,
        sweep.in_company,
    )


LOCK = "SELECT * FROM sweeps WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"


async def lock(conn: Conn, ids: Collection[SweepId]) -> list[Sweep]:
    """Read sweeps and hold them until the transaction ends."""
    return read(await conn.fetch(LOCK, list(ids)))


# Two sweeps of one address would both count on its coin: while one has it, the others wait. A
# token comes before the coin, which may take all that is left.
DUE = """
SELECT * FROM sweeps s WHERE chain = $1 AND ended_at IS NULL AND due_at <= $2
AND state IN ('queued', 'fuelled', 'stuck') AND NOT EXISTS (
    SELECT FROM sweeps o JOIN sendings x ON x.sweep_id = o.id
    WHERE o.chain = s.chain AND o.address = s.address AND o.id <> s.id AND o.ended_at IS NULL
    AND (o.state = 'fuelled' OR x.state IN ('unsigned', 'signed', 'sent')))
AND NOT EXISTS (
    SELECT FROM batch_parts p JOIN sendings x ON x.id = p.sending_id
    WHERE p.address = s.address AND x.chain = s.chain AND x.state IN ('signed', 'sent'))
ORDER BY asset = 'native', due_at, id LIMIT $3
"""


async def due(conn: Conn, chain: ChainName, now: datetime, *, count_max: int) -> list[Sweep]:
    """Return the sweeps that wait for us to do something."""
    return read(await conn.fetch(DUE, chain, now, count_max))


COMPANIES = """
SELECT asset, count(*) AS count, min(created_at) AS since FROM sweeps
WHERE chain = $1 AND ended_at IS NULL AND in_company AND id <> ALL($2::uuid[]) GROUP BY asset
"""


async def companies(
    conn: Conn, chain: ChainName, *, beside: Collection[SweepId] = ()
) -> dict[Asset, Company]:
    """Return those that wait for others of their token, but for some."""
    rows = await conn.fetch(COMPANIES, chain, list(beside))
    return {row["asset"]: Company(row["count"], row["since"]) for row in rows}


CALL_UP = """
UPDATE sweeps SET due_at = $3
WHERE chain = $1 AND asset = $2 AND ended_at IS NULL AND in_company AND due_at > $3
"""


async def call_up(conn: Conn, chain: ChainName, asset: Asset, now: datetime) -> bool:
    """Let those of a token that wait for others be looked at now; False if all were due."""
    return await conn.execute(CALL_UP, chain, asset, now) != "UPDATE 0"


LIST = """
SELECT * FROM sweeps WHERE ($1::text IS NULL OR chain = $1) AND ended_at IS NULL
ORDER BY created_at, id LIMIT $2
"""


async def list_open(conn: Conn, chain: ChainName | None, *, count_max: int) -> list[Sweep]:
    """Return the sweeps that have not ended, the oldest first."""
    return read(await conn.fetch(LIST, chain, count_max))


def read(rows: Sequence[asyncpg.Record]) -> list[Sweep]:
    """Return rows as sweeps."""
    return [convert({**row}, Sweep) for row in rows]


SAY = "UPDATE sweeps SET why = $2 WHERE id = $1 AND ended_at IS NULL AND why <> $2"


async def say(conn: Conn, sweep_id: SweepId, why: str) -> None:
    """Note why a sweep does not go on, or that it does."""
    await conn.execute(SAY, sweep_id, why)


class Summary(Struct, frozen=True, kw_only=True):
    """How many sweeps have not ended, and why those that wait longest do."""

    open: int
    stuck: int
    reasons: list[str]


COUNT = """
SELECT count(*) AS open, count(*) FILTER (WHERE state = 'stuck') AS stuck, (
    SELECT coalesce(array_agg(format('sweep %s on %s: %s', id, chain, why)), '{}') FROM (
        SELECT id, chain, why FROM sweeps WHERE ended_at IS NULL AND why <> '' AND NOT in_company
        ORDER BY state <> 'stuck', created_at LIMIT $1) AS oldest) AS reasons
FROM sweeps WHERE ended_at IS NULL
"""


async def summary(conn: Conn, *, reasons_max: int) -> Summary:
    """Return how settlement stands, for an operator."""
    row = await conn.fetchrow(COUNT, reasons_max)
    return convert({**(row or {})}, Summary)
