"""Write down what a pass has read: money, cursor and news are one transaction.

The cursor moves only from the block it was read at, so a pass that was repeated, or
raced by another process, writes nothing twice. After a reorg, what was dropped and what
replaced it are written together: a transfer that only moved is never seen as lost.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from ctrip.core.blocks import Block, Head
from ctrip.core.chains import Chain
from ctrip.core.changes import ChainStood, Change, HeadMoved, TransferLost, TransferSeen
from ctrip.core.events import PaymentEvent
from ctrip.core.ids import BlockNumber, PaymentId
from ctrip.core.matching import Found
from ctrip.core.scan import Cursor
from ctrip.flows.apply import apply
from ctrip.store import blocks, payment_sets, rescans
from ctrip.store.pool import Conn, Pool, transaction


class Reading(Struct, frozen=True):
    """The blocks that follow block `above` now; of a range, those that matter and the last."""

    above: BlockNumber
    blocks: tuple[Block, ...] = ()
    skipped: bool = False  # what lies between is left to be read as a gap

    @property
    def last(self) -> BlockNumber:
        return self.blocks[-1].header.number if self.blocks else self.above

    @property
    def named(self) -> BlockNumber:
        """The last block that names an address of ours without showing why; 0 for none."""
        unexplained = (b for b in self.blocks if b.names_ours and not (b.calls or b.logs))
        return max((block.header.number for block in unexplained), default=BlockNumber(0))

    def logged(self, before: BlockNumber) -> BlockNumber:
        """Return up to where all logs were read with this, where they were up to `before`."""
        owes = any(block.owes_logs for block in self.blocks)
        return min(before, self.above) if owes or before < self.above else self.last


async def record(
    pool: Pool,
    chain: Chain,
    cursor: Cursor,
    head: Head,
    reading: Reading,
    found: Sequence[Found],
    *,
    patience_seconds: float,
    now: datetime,
) -> list[PaymentEvent]:
    """Write a reading together with its news, or nothing if another watcher was faster."""
    name = chain.name
    to = reading.blocks[-1].header if reading.blocks else head.latest
    final = BlockNumber(min(max(head.finalized, cursor.finalized), to.number))
    moved = HeadMoved(name, to.number, final, BlockNumber(min(head.safe, to.number)))
    async with transaction(pool) as conn:
        if not await blocks.hold(conn, name, at=cursor.hash):
            return []
        headers = [block.header for block in reading.blocks]
        await blocks.add(conn, name, headers, above=reading.above, finalized=final)
        if reading.skipped:
            first, last = BlockNumber(cursor.number + 1), BlockNumber(to.number)
            await rescans.begin(
                conn, name, first, last, cause="gap", read_until=cursor.time, now=now
            )
        changes = await taken_and_given(conn, chain, cursor, reading.above, found)
        for payment_id in await payment_sets.deepened(
            conn, name, head=to.number, finalized=final, safe=moved.safe
        ):
            changes.setdefault(payment_id, [])
        for of_payment in changes.values():
            of_payment.append(moved)
        if reading.blocks and now - cursor.moved_at > timedelta(seconds=patience_seconds):
            await give_time_back(conn, chain, cursor, changes, now)
        events = await apply(conn, changes, now=now)
        await blocks.move(
            conn,
            name,
            to=to,
            finalized=final,
            safe=moved.safe,
            logged=reading.logged(cursor.logged),
            named=reading.named,
            now=now,
        )
    return events


async def taken_and_given(
    conn: Conn, chain: Chain, cursor: Cursor, above: BlockNumber, found: Sequence[Found]
) -> dict[PaymentId, list[Change]]:
    """Return what went with the blocks above a fork and was not found again, and the finds.

    After a reorg the chain first falls back to the fork, so that no transfer in a new
    block is confirmed by the dropped ones; and what only moved comes before what is new,
    so that nothing is still known at an old place when the chain is said to go on.
    """
    back = HeadMoved(chain.name, above, cursor.finalized, cursor.finalized)
    fallen = [back] if above < cursor.number else []
    changes: dict[PaymentId, list[Change]] = defaultdict(lambda: [*fallen])
    again = {item.transfer.key for item in found}
    moved = set()
    for payment_id, key, block_hash in await payment_sets.above(conn, chain.name, above):
        if key in again:
            moved.add(key)
        else:
            changes[payment_id].append(TransferLost(key, block_hash))
    for item in sorted(found, key=lambda item: item.transfer.key not in moved):
        changes[item.payment_id].append(TransferSeen(item.transfer))
    return changes


async def give_time_back(
    conn: Conn,
    chain: Chain,
    cursor: Cursor,
    changes: dict[PaymentId, list[Change]],
    now: datetime,
) -> None:
    """Move deadlines by the time in which the chain stood still or could not be read.

    The change comes first for each payment: money in the new block is on time by the new
    deadline.
    """
    stood = ChainStood(chain.name, cursor.moved_at, now)
    for payment_id in await payment_sets.held_up(
        conn, chain.name, since=cursor.moved_at, until=now
    ):
        changes.setdefault(payment_id, []).insert(0, stood)
