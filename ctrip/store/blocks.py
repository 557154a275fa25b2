"""The only writer of the tables cursors and blocks: how far each chain was read.

A cursor is held, at the block its reader started from, until what was read is written. Of
two watchers, or of one that was paused and the one that took over, the slower writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.blocks import Header
from ctrip.core.ids import BlockHash, BlockNumber, ChainName
from ctrip.core.scan import Cursor
from ctrip.store.pool import Conn


class Place(Struct, frozen=True, kw_only=True):
    """Where a chain's reading stands, for those who wait on it."""

    chain: ChainName
    number: BlockNumber
    time: datetime  # the block's own
    moved_at: datetime  # ours


START = """
INSERT INTO cursors (chain, number, hash, time, finalized, moved_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain) DO NOTHING
"""


async def start(
    conn: Conn, chain: ChainName, head: Header, *, finalized: BlockNumber, now: datetime
) -> bool:
    """Begin to watch a chain, at its head; return False if somebody else already did."""
    status = await conn.execute(START, chain, head.number, head.hash, head.time, finalized, now)
    return status == "INSERT 0 1"


CURSOR = "SELECT number, hash, finalized FROM cursors WHERE chain = $1"


async def cursor(conn: Conn, chain: ChainName) -> Cursor | None:
    """Return how far a chain was read, or None if it never was."""
    row = await conn.fetchrow(CURSOR, chain)
    return None if row is None else convert({**row}, Cursor)


PLACES = "SELECT chain, number, time, moved_at FROM cursors"


async def places(conn: Conn) -> dict[ChainName, Place]:
    """Return where every chain's reading stands."""
    return {row["chain"]: convert({**row}, Place) for row in await conn.fetch(PLACES)}


HOLD = "SELECT true FROM cursors WHERE chain = $1 AND hash = $2 FOR UPDATE"


async def hold(conn: Conn, chain: ChainName, *, at: BlockHash) -> bool:
    """Hold a cursor until the transaction ends; False if somebody has moved it from `at`."""
    return await conn.fetchval(HOLD, chain, at) is not None


MOVE = """
UPDATE cursors SET number = $2, hash = $3, time = $4, finalized = greatest(finalized, $5),
    moved_at = $6
WHERE chain = $1
"""


async def move(
    conn: Conn, chain: ChainName, *, to: Header, finalized: BlockNumber, now: datetime
) -> None:
    """Move on a cursor that is held."""
    await conn.execute(MOVE, chain, to.number, to.hash, to.time, finalized, now)


KNOWN = "SELECT number, hash FROM blocks WHERE chain = $1 ORDER BY number DESC LIMIT $2"


async def known(conn: Conn, chain: ChainName, *, count_max: int) -> dict[BlockNumber, BlockHash]:
    """Return the newest blocks we hold, newest first."""
    rows = await conn.fetch(KNOWN, chain, count_max)
    return {row["number"]: row["hash"] for row in rows}


CUT = "DELETE FROM blocks WHERE chain = $1 AND number > $2"
ADD = """
INSERT INTO blocks (chain, number, hash)
SELECT $1, number, hash FROM unnest($2::bigint[], $3::text[]) AS new (number, hash)
"""
PRUNE = "DELETE FROM blocks WHERE chain = $1 AND number < $2"


async def add(
    conn: Conn,
    chain: ChainName,
    new: Sequence[Header],
    *,
    above: BlockNumber,
    finalized: BlockNumber,
) -> None:
    """Put `new` on top of block `above`, and forget what lies below the newest final block."""
    await conn.execute(CUT, chain, above)
    await conn.execute(ADD, chain, [h.number for h in new], [h.hash for h in new])
    await conn.execute(PRUNE, chain, finalized)
