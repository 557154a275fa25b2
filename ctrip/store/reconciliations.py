"""The only writer of reconciliations, deviations and holds: what came of comparing the books."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.books import Booked
from ctrip.core.ids import Asset, BlockNumber, ChainName
from ctrip.store.pool import Conn


class Reconciled(Struct, frozen=True, kw_only=True):
    """When a chain was compared last, and what came of it."""

    chain: ChainName
    number: BlockNumber
    ended_at: datetime
    differences: int
    summary: str


ALL = "SELECT chain, number, ended_at, differences, summary FROM reconciliations ORDER BY chain"


async def find_all(conn: Conn) -> dict[ChainName, Reconciled]:
    """Return the last comparison of each chain."""
    rows = [convert({**row}, Reconciled) for row in await conn.fetch(ALL)]
    return {one.chain: one for one in rows}


END = """
INSERT INTO reconciliations (chain, number, ended_at, differences, summary)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (chain) DO UPDATE SET number = excluded.number, ended_at = excluded.ended_at,
    differences = excluded.differences, summary = excluded.summary
"""


async def end(conn: Conn, done: Reconciled) -> None:
    """Write what came of a comparison."""
    await conn.execute(END, done.chain, done.number, done.ended_at, done.differences, done.summary)


DEVIATE = """
INSERT INTO deviations (chain, address, asset, amount)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::numeric[])
ON CONFLICT (chain, address, asset) DO UPDATE SET amount = excluded.amount
"""


async def deviate(conn: Conn, chain: ChainName, deviations: Sequence[tuple[Booked, int]]) -> None:
    """Remember what addresses hold beside what is booked."""
    await conn.execute(
        DEVIATE,
        chain,
        [one.address for one, _ in deviations],
        [one.asset for one, _ in deviations],
        [amount for _, amount in deviations],
    )


LIFT = "DELETE FROM holds WHERE chain = $1 AND asset <> ALL($2::text[])"
HOLD = """
INSERT INTO holds (chain, asset, why, since) SELECT $1, asset, why, $4
FROM unnest($2::text[], $3::text[]) AS new (asset, why)
ON CONFLICT (chain, asset) DO UPDATE SET why = excluded.why
"""


async def hold_assets(
    conn: Conn, chain: ChainName, why: Mapping[Asset, str], *, lift: bool, now: datetime
) -> None:
    """Hold these assets of a chain; and, if `lift`, no others."""
    if lift:
        await conn.execute(LIFT, chain, list(why))
    await conn.execute(HOLD, chain, list(why), list(why.values()), now)


HELD = "SELECT asset, why FROM holds WHERE chain = $1"


async def held_assets(conn: Conn, chain: ChainName) -> dict[Asset, str]:
    """Return the assets that no sweep and no payout may move, and why."""
    return {row["asset"]: row["why"] for row in await conn.fetch(HELD, chain)}


ASSETS = "SELECT DISTINCT asset FROM ledger WHERE chain = $1"


async def assets(conn: Conn, chain: ChainName) -> set[Asset]:
    """Return all assets that a chain's books have."""
    return {row["asset"] for row in await conn.fetch(ASSETS, chain)}
