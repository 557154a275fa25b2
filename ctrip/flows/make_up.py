"""Read the logs that were left out when blocks were read at a glance, and credit what is in them.

Nearly every payment in tokens is made by a transaction that names the recipient, and is seen
with its block. What is left pays a recipient that a contract has in its storage, or a call
that packs addresses tightly: so the logs of all blocks are read, a few blocks later, and
what they bring is written as if it had been seen at once.

The watcher does this itself, before it writes the next blocks. So it is in order with all
that the watcher writes, holds the cursor at the same block, and a pass that cannot read the
logs reads nothing further: never is more owed than core/scan.py allows. How far the
logs were read is a column of the cursor, so that a process that is killed owes what it owed.
"""

from datetime import datetime

from ctrip import logs
from ctrip.chain.client import ChainClient, InconsistentChain
from ctrip.core import scan
from ctrip.core.blocks import Block, Head
from ctrip.core.chains import Chain
from ctrip.core.changes import HeadMoved
from ctrip.core.events import PaymentEvent
from ctrip.core.ids import BlockNumber
from ctrip.core.scan import BLOCKS_KNOWN_MAX, Cursor
from ctrip.flows.find import find, lookup, only_ours, tokens_of
from ctrip.flows.record import Reading
from ctrip.flows.rescan import credit, unrecorded
from ctrip.store import blocks, rescans
from ctrip.store.pool import Pool, connection, transaction

log = logs.get("ctrip.watch")


def is_due(chain: Chain, cursor: Cursor, head: Head, reading: Reading, now: datetime) -> bool:
    """Tell whether logs below a reading are owed, and must be read before it is written."""
    if reading.above <= cursor.logged:
        return False
    if reading.blocks:
        return scan.is_due(chain, cursor, head, reading.last)
    is_there = head.latest.hash == cursor.hash
    due = scan.is_overdue(cursor, now) or scan.is_due(chain, cursor, head, cursor.number)
    return is_there and due


async def make_up(
    chain: Chain,
    client: ChainClient,
    pool: Pool,
    cursor: Cursor,
    reading: Reading,
    *,
    now: datetime,
) -> list[PaymentEvent]:
    """Read and credit the logs that are owed below a reading."""
    name, first, to = chain.name, BlockNumber(cursor.logged + 1), reading.above
    is_reorg = to < cursor.number
    block = reading.blocks[0].header.parent_hash if is_reorg else cursor.hash
    tokens = tokens_of(chain)
    shown = await client.logs(cursor.logged, to, block, tokens=tokens)
    try:
        ours = await only_ours(chain, client, pool, shown)
    except InconsistentChain:  # whose logs are not of its blocks is not asked again
        shown = await client.logs(cursor.logged, to, block, tokens=tokens, ours=lookup(pool))
        ours = await only_ours(chain, client, pool, shown)
    await check_known(chain, pool, ours)
    found = await find(chain, client, pool, ours)
    async with transaction(pool) as conn:
        if not await blocks.hold(conn, name, at=cursor.hash):
            return []
        new = unrecorded(found, await rescans.on_record(conn, name, first, to)) if found else []
        moved = HeadMoved(name, to, cursor.finalized, cursor.safe)
        events = await credit(conn, moved, new, now=now)
        await blocks.note_logged(conn, name, to)
    for one in new:
        transfer = one.transfer
        log.info(
            "money that no transaction named",
            chain=name,
            block=transfer.block_number,
            tx=transfer.key.tx_hash,
        )
    return events


async def check_known(chain: Chain, pool: Pool, read: tuple[Block, ...]) -> None:
    """Check that blocks are those that were read before."""
    if not read:
        return
    async with connection(pool) as conn:
        known = await blocks.known(conn, chain.name, count_max=BLOCKS_KNOWN_MAX)
    for block in read:
        if known.get(block.header.number, block.header.hash) != block.header.hash:
            raise InconsistentChain(f"{chain.name}: a log is of another branch than its block")
