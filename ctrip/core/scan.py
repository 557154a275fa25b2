"""Which blocks to read next, and where two branches of a chain part.

A cursor is a block, number and hash: the last one whose money was written. Reading goes
on from there in windows. When the chain no longer contains the cursor's block, the
blocks since the fork are read again in one window that reaches at least as far as the
cursor did, so that what was dropped and what replaced it are written together: a
transfer that was only moved to another block is never seen as lost.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from ctrip.core.blocks import Block, Head, Header
from ctrip.core.chains import Chain
from ctrip.core.ids import BlockHash, BlockNumber

# Full blocks held in memory at once: 32 of Ethereum's are about 10 MB.
BLOCKS_PER_WINDOW_MAX: Final = 32
# Blocks whose logs are read in one pass, where the blocks themselves are not.
SPAN_BLOCKS_MAX: Final = 2_000
# A chain faster than this is read by ranges: one batch a pass, whatever came since.
RANGE_BELOW_SECONDS: Final = 2.0
# Behind by more than this, the newest blocks are read first and the gap beside them.
BEHIND_MAX: Final = 256
# Without a new block for so long a chain stands still: five blocks, and a minute at least.
PATIENCE_BLOCKS: Final = 5
PATIENCE_SECONDS_MIN: Final = 60.0


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a chain was read and written."""

    number: BlockNumber
    hash: BlockHash
    finalized: BlockNumber  # never falls
    safe: BlockNumber  # nor does this
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
