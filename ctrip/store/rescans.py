"""The only writer of the table rescans: ranges of blocks to be read beside the newest ones.

A gap is what a watcher left out to be at the tip at once; an operator's range is read
again because somebody asked. Both are read by windows, and a window's money and the step
of `next` are one transaction, held at the place it was read from.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct, convert

from ctrip.core.ids import BlockHash, BlockNumber, ChainName
from ctrip.core.payment import TransferKey
from ctrip.store.pool import Conn

Cause = Literal["gap", "operator"]


class Recorded(Struct, frozen=True, kw_only=True):
    """A live transfer that is on record, as far as it matters to whoever reads its block again."""

    key: TransferKey
    block_number: BlockNumber
    block_hash: BlockHash
    log_index: int | None  # None: no log shows it


class Rescan(Struct, frozen=True, kw_only=True):
    """A range first..last, read up to `next`, which comes next."""

    id: int
    chain: ChainName
    first: BlockNumber
    last: BlockNumber
    next: BlockNumber
    cause: Cause
    ended_at: datetime | None


OPEN = """
INSERT INTO rescans (chain, first, last, next, cause, read_until, created_at)
VALUES ($1, $2, $3, $2, $4, $5, $6) RETURNING *
"""


async def begin(
    conn: Conn,
    chain: ChainName,
    first: BlockNumber,
    last: BlockNumber,
    *,
    cause: Cause,
    read_until: datetime | None,
    now: datetime,
) -> Rescan:
    """Ask for a range to be read; `read_until` is the time of the block below it, of a gap."""
    row = await conn.fetchrow(OPEN, chain, first, last, cause, read_until, now)
    return convert({**(row or {})}, Rescan)


SAME = """
SELECT * FROM rescans WHERE chain = $1 AND first = $2 AND last = $3 AND cause = 'operator'
AND ended_at IS NULL
"""


async def unfinished(
    conn: Conn, chain: ChainName, first: BlockNumber, last: BlockNumber
) -> Rescan | None:
    """Return an operator's rescan of exactly this range that was broken off, if there is one."""
    row = await conn.fetchrow(SAME, chain, first, last)
    return None if row is None else convert({**row}, Rescan)


NEXT = """
SELECT * FROM rescans WHERE chain = $1 AND ended_at IS NULL AND next <= $2
ORDER BY cause <> 'gap', id LIMIT 1
"""


async def following(conn: Conn, chain: ChainName, *, finalized: BlockNumber) -> Rescan | None:
    """Return the oldest range of which something final is not read yet; gaps hold up deadlines."""
    row = await conn.fetchrow(NEXT, chain, finalized)
    return None if row is None else convert({**row}, Rescan)


LOWEST_GAP = """
SELECT min(next) FROM rescans WHERE chain = $1 AND cause = 'gap' AND ended_at IS NULL
"""


async def lowest_gap(conn: Conn, chain: ChainName) -> BlockNumber | None:
    """Return the lowest block that was left out and is not read yet."""
    number = await conn.fetchval(LOWEST_GAP, chain)
    return None if number is None else BlockNumber(number)


FIND = "SELECT * FROM rescans WHERE id = $1"


async def find(conn: Conn, rescan_id: int) -> Rescan | None:
    """Return one."""
    row = await conn.fetchrow(FIND, rescan_id)
    return None if row is None else convert({**row}, Rescan)


HOLD = "SELECT true FROM rescans WHERE id = $1 AND next = $2 FOR UPDATE"


async def hold(conn: Conn, rescan_id: int, *, at: BlockNumber) -> bool:
    """Hold a rescan until the transaction ends; False if somebody has moved it from `at`."""
    return await conn.fetchval(HOLD, rescan_id, at) is not None


STEP = """
UPDATE rescans SET next = $2 + 1, read_until = $3,
    ended_at = CASE WHEN $2 = last THEN $4::timestamptz END
WHERE id = $1
"""


async def step(
    conn: Conn, rescan_id: int, *, read: BlockNumber, time: datetime, now: datetime
) -> None:
    """Note that a held rescan was read up to block `read`."""
    await conn.execute(STEP, rescan_id, read, time, now)


ON_RECORD = """
SELECT chain, tx_hash, asset, recipient, ordinal, block_number, block_hash, log_index
FROM transfers WHERE chain = $1 AND block_number BETWEEN $2 AND $3 AND NOT orphaned
"""


async def on_record(
    conn: Conn, chain: ChainName, first: BlockNumber, last: BlockNumber
) -> list[Recorded]:
    """Return the live transfers in blocks first..last."""
    rows = await conn.fetch(ON_RECORD, chain, first, last)
    return [convert({**row, "key": convert({**row}, TransferKey)}, Recorded) for row in rows]


COUNT = """
SELECT count(*) FROM transfers
WHERE chain = $1 AND block_number BETWEEN $2 AND $3 AND NOT orphaned
"""


async def count_on_record(
    conn: Conn, chain: ChainName, first: BlockNumber, last: BlockNumber
) -> int:
    """Count the live transfers in blocks first..last."""
    return int(await conn.fetchval(COUNT, chain, first, last))
