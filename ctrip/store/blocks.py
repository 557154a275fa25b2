"""The only writer of the tables cursors and blocks: how far each chain was read.

A cursor is held, at the block its reader started from, until what was read is written. Of
two watchers, or of one that was paused and the one that took over, the slower writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, convert

from ctrip.core.blocks import Head, Header
from ctrip.core.ids import BlockHash, BlockNumber, ChainName
from ctrip.core.scan import Cursor
from ctrip.store.pool import Conn

BLOCKS_FOR_A_PACE_MIN: Final = 16  # fewer say little


class Place(Struct, frozen=True, kw_only=True):
    """Where a chain's reading stands, for those who wait on it."""

    chain: ChainName
    number: BlockNumber  # of the block up to which all was read but gaps
    finalized: BlockNumber
    safe: BlockNumber
    time: datetime  # of the block up to which all was read, gaps below it included
    moved_at: datetime  # ours


START = """
INSERT INTO cursors (chain, number, hash, time, finalized, safe, logged, named, reread, moved_at)
VALUES ($1, $2, $3, $4, $5, $6, $2, 0, $2, $7) ON CONFLICT (chain) DO NOTHING
"""


async def start(conn: Conn, chain: ChainName, head: Head, *, now: datetime) -> bool:
    """Begin to watch a chain, at its head; return False if somebody else already did."""
    top = head.latest
    status = await conn.execute(
        START, chain, top.number, top.hash, top.time, head.finalized, head.safe, now
    )
    return status == "INSERT 0 1"


CURSOR = """
SELECT number, hash, finalized, safe, logged, named, time, moved_at FROM cursors WHERE chain = $1
"""


async def cursor(conn: Conn, chain: ChainName) -> Cursor | None:
    """Return how far a chain was read, or None if it never was."""
    row = await conn.fetchrow(CURSOR, chain)
    return None if row is None else convert({**row}, Cursor)


# Above the final block, below which no logs are owed, all blocks are held.
PLACES = """
SELECT chain, logged AS number, finalized, safe, moved_at, least(
    CASE WHEN logged = number THEN time ELSE (
        SELECT time FROM blocks b WHERE b.chain = c.chain AND b.number <= logged
        ORDER BY b.number DESC LIMIT 1) END,
    (SELECT min(read_until) FROM rescans r
     WHERE r.chain = c.chain AND cause = 'gap' AND ended_at IS NULL)) AS time
FROM cursors c
"""


async def places(conn: Conn) -> dict[ChainName, Place]:
    """Return where every chain's reading stands."""
    return {row["chain"]: convert({**row}, Place) for row in await conn.fetch(PLACES)}


WHOLE = """
SELECT number, hash, finalized, safe, logged, named, time, moved_at FROM cursors c
WHERE chain = $1 AND NOT EXISTS (
    SELECT FROM rescans r WHERE r.chain = c.chain AND cause = 'gap' AND ended_at IS NULL)
"""


async def whole(conn: Conn, chain: ChainName) -> Cursor | None:
    """Return how far a chain was read without a gap, or None while there is one."""
    row = await conn.fetchrow(WHOLE, chain)
    return None if row is None else convert({**row}, Cursor)


HELD = """
SELECT number, hash, finalized, safe, logged, named, time, moved_at FROM cursors
WHERE chain = $1 FOR UPDATE
"""


async def held(conn: Conn, chain: ChainName) -> Cursor | None:
    """Hold a cursor, wherever it is by now, until the transaction ends; return where it is."""
    row = await conn.fetchrow(HELD, chain)
    return None if row is None else convert({**row}, Cursor)


HOLD = "SELECT true FROM cursors WHERE chain = $1 AND hash = $2 FOR UPDATE"


async def hold(conn: Conn, chain: ChainName, *, at: BlockHash) -> bool:
    """Hold a cursor until the transaction ends; False if somebody has moved it from `at`."""
    return await conn.fetchval(HOLD, chain, at) is not None


MOVE = """
UPDATE cursors SET number = $2, hash = $3, time = $4, finalized = greatest(finalized, $5),
    safe = greatest(safe, $6), moved_at = CASE WHEN hash = $3 THEN moved_at ELSE $7 END,
    logged = $8, named = greatest(named, $9)
WHERE chain = $1
"""


async def move(
    conn: Conn,
    chain: ChainName,
    *,
    to: Header,
    finalized: BlockNumber,
    safe: BlockNumber,
    logged: BlockNumber,
    named: BlockNumber,
    now: datetime,
) -> None:
    """Move on a cursor that is held."""
    place = (to.number, to.hash, to.time)
    await conn.execute(MOVE, chain, *place, finalized, safe, now, logged, named)


NOTE_LOGGED = "UPDATE cursors SET logged = greatest(logged, $2) WHERE chain = $1"


async def note_logged(conn: Conn, chain: ChainName, to: BlockNumber) -> None:
    """Note, of a cursor that is held, that the logs of all blocks up to `to` were read."""
    await conn.execute(NOTE_LOGGED, chain, to)


REREAD = "SELECT reread FROM cursors WHERE chain = $1"


async def reread(conn: Conn, chain: ChainName) -> BlockNumber:
    """Return the last block whose logs were read a second time."""
    return BlockNumber(await conn.fetchval(REREAD, chain))


NOTE_REREAD = "UPDATE cursors SET reread = greatest(reread, $2) WHERE chain = $1"


async def note_reread(conn: Conn, chain: ChainName, to: BlockNumber) -> None:
    """Note that the logs of all blocks up to `to` were read a second time."""
    await conn.execute(NOTE_REREAD, chain, to)


PACES = """
SELECT chain, extract(epoch FROM max(time) - min(time))::float8 / (max(number) - min(number)) pace
FROM blocks GROUP BY chain HAVING max(number) - min(number) >= $1 AND max(time) > min(time)
"""


async def paces(conn: Conn) -> dict[ChainName, float]:
    """Return the seconds from block to block, lately, of those chains of which it is known."""
    rows = await conn.fetch(PACES, BLOCKS_FOR_A_PACE_MIN)
    return {row["chain"]: row["pace"] for row in rows}


NEWEST_AT = "SELECT max(number) FROM blocks WHERE chain = $1 AND time <= $2"


async def newest_at(conn: Conn, chain: ChainName, time: datetime) -> BlockNumber | None:
    """Return the newest block of a time that we hold, or None if all are later ones."""
    number = await conn.fetchval(NEWEST_AT, chain, time)
    return None if number is None else BlockNumber(number)


KNOWN = "SELECT number, hash FROM blocks WHERE chain = $1 ORDER BY number DESC LIMIT $2"


async def known(conn: Conn, chain: ChainName, *, count_max: int) -> dict[BlockNumber, BlockHash]:
    """Return the newest blocks we hold, newest first."""
    rows = await conn.fetch(KNOWN, chain, count_max)
    return {row["number"]: row["hash"] for row in rows}


CUT = "DELETE FROM blocks WHERE chain = $1 AND number > $2"
ADD = """
INSERT INTO blocks (chain, number, hash, time)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::timestamptz[])
"""
# One final block stays, or a chain that is read by ranges would have nothing to find a fork above.
PRUNE = """
DELETE FROM blocks WHERE chain = $1
AND number < (SELECT max(number) FROM blocks WHERE chain = $1 AND number <= $2)
"""


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
    await conn.execute(
        ADD, chain, [h.number for h in new], [h.hash for h in new], [h.time for h in new]
    )
    await conn.execute(PRUNE, chain, finalized)
