"""Which blocks to read next, and where two branches of a chain part.

A cursor is a block, number and hash: the last one whose money was written. Reading goes
on from there in windows. When the chain no longer contains the cursor's block, the
blocks since the fork are read again in one window that reaches at least as far as the
cursor did, so that what was dropped and what replaced it are written together: a
transfer that was only moved to another block is never seen as lost.

Near its tip a slow chain is read at a glance: logs are read with a block only if its
transactions name an address of ours. Those of other blocks are owed for a while, and then
read in one call for all of them. None is owed of a block that is final.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from ctrip.core.blocks import Block, Head, Header
from ctrip.core.chains import Chain, NativeSource
from ctrip.core.ids import BlockHash, BlockNumber

# Full blocks held in memory at once: 32 of Ethereum's are about 10 MB.
BLOCKS_PER_WINDOW_MAX: Final = 32
# Blocks whose logs are read in one pass, where the blocks themselves are not.
SPAN_BLOCKS_MAX: Final = 2_000
# A chain faster than this is read by ranges: one batch a pass, whatever came since.
RANGE_BELOW_SECONDS: Final = 2.0
# Behind by more than this, the newest blocks are read first and the gap beside them.
BEHIND_MAX: Final = 256
# Blocks kept to find a fork among; deeper than any chain's distance to finality in blocks.
BLOCKS_KNOWN_MAX: Final = 5_000
# What no transaction names is looked for after so many blocks, and a minute at most: it is rare,
# and people who pay wait no longer for it than for a few confirmations.
UNNAMED_BLOCKS_MAX: Final = 4
UNNAMED_SECONDS_MAX: Final = 60.0
# Without a new block for so long a chain stands still: five blocks, and a minute at least.
PATIENCE_BLOCKS: Final = 5
PATIENCE_SECONDS_MIN: Final = 60.0


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a chain was read and written."""

    number: BlockNumber
    hash: BlockHash
    finalized: BlockNumber  # never falls
    safe: BlockNumber  # nor does this
    logged: BlockNumber  # the logs of the blocks above it are owed
    named: BlockNumber  # the last block seen to name an address of ours without showing why
    time: datetime
    moved_at: datetime  # by our clock, when the newest of its blocks was read


class Window(Struct, frozen=True):
    """The blocks first..last, to be read after the block whose hash is `parent_hash`."""

    first: BlockNumber
    last: BlockNumber
    parent_hash: BlockHash


def plan(cursor: Cursor, head: Head, count_max: int = BLOCKS_PER_WINDOW_MAX) -> Window | None:
    """Return the next window, or None when there is nothing above the cursor."""
    if head.latest.number <= cursor.number:
        return None
    last = min(head.latest.number, cursor.number + count_max)
    return Window(BlockNumber(cursor.number + 1), BlockNumber(last), cursor.hash)


def plan_reorg(cursor: Cursor, head: Head, fork: Header) -> Window:
    """Return the window that replaces everything above the fork."""
    reach = max(cursor.number, fork.number + BLOCKS_PER_WINDOW_MAX)
    last = min(head.latest.number, reach)
    return Window(BlockNumber(fork.number + 1), BlockNumber(last), fork.hash)


def continues(window: Window, blocks: Sequence[Block]) -> bool:
    """Tell whether the blocks are exactly the window's, each the child of the one before."""
    numbers = [block.header.number for block in blocks]
    if numbers != list(range(window.first, window.last + 1)):
        return False
    parents = [window.parent_hash, *(block.header.hash for block in blocks)]
    return all(b.header.parent_hash == p for b, p in zip(blocks, parents, strict=False))


def is_far_behind(cursor: Cursor, head: Head) -> bool:
    """Tell whether so much that is final lies ahead that the newest blocks should come first."""
    return head.finalized - cursor.number > BEHIND_MAX


def is_read_by_ranges(chain: Chain) -> bool:
    """Tell whether a chain makes blocks faster than they are worth reading one by one."""
    return chain.block_seconds < RANGE_BELOW_SECONDS


def unnamed_blocks(chain: Chain) -> int:
    """Return for how many blocks what no transaction names may wait."""
    return min(UNNAMED_BLOCKS_MAX, max(1, int(UNNAMED_SECONDS_MAX / chain.block_seconds)))


def is_glanced_at(chain: Chain, cursor: Cursor, head: Head) -> bool:
    """Tell whether blocks may be read without their logs: nothing of them is final, and few came.

    Where coin moves by logs these are read with each block, for no transaction need name it.
    """
    few = head.latest.number - cursor.number <= unnamed_blocks(chain)
    seldom = chain.block_seconds > UNNAMED_SECONDS_MAX
    by_logs = chain.native is not NativeSource.TRANSACTIONS
    return few and not (seldom or by_logs) and head.finalized <= cursor.number


def is_due(chain: Chain, cursor: Cursor, head: Head, last: BlockNumber) -> bool:
    """Tell whether owed logs must be read before the blocks up to `last` owe theirs."""
    final = min(head.finalized, last)
    return last - cursor.logged > unnamed_blocks(chain) or final > cursor.logged


def is_overdue(cursor: Cursor, now: datetime) -> bool:
    """Tell whether logs are owed and no block has come for so long that none is waited for."""
    waited = now - cursor.moved_at >= timedelta(seconds=UNNAMED_SECONDS_MAX)
    return cursor.logged < cursor.number and waited


def patience(chain: Chain) -> float:
    """Return for how many seconds a chain may show no new block before it stands still."""
    return max(PATIENCE_SECONDS_MIN, PATIENCE_BLOCKS * chain.block_seconds)


def final_block_changed(
    ours: Mapping[BlockNumber, BlockHash], canonical: Sequence[Header], finalized: BlockNumber
) -> bool:
    """Tell whether a block that we hold as final is another one now."""
    final = (h for h in canonical if h.number <= finalized and h.number in ours)
    return any(ours[h.number] != h.hash for h in final)


def find_fork(ours: Mapping[BlockNumber, BlockHash], canonical: Sequence[Header]) -> Header | None:
    """Return the highest canonical block that we hold too, or None if there is none."""
    shared = (h for h in canonical if ours.get(h.number) == h.hash)
    return max(shared, key=lambda h: h.number, default=None)
