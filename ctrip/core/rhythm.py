"""When the next block is due: how long to wait before a chain is looked at again.

Looking three times for each block costs three times as much as looking when it has come. So
where blocks come like the beats of a clock (the shortest time between two of the last ones
is far longer than the poll interval), the next look waits until one block time after the
newest block, and as much longer as blocks take to be seen. That lag is learnt: a little less
each time a block was there at the first look, more when it was not, so that few looks are
in vain (measured: one in 25); and never more than the least of lately and the poll interval,
so that no block waits longer than it would without all this. It holds our clock's error too,
and needs no true time.

A block that is overdue is looked for again soon, and then at the poll interval. Where blocks
come at any moment, or as fast as we look, the poll interval is all there is. A chain that
begins to make blocks faster than ever lately may show the first of them late by less than
one of its former block times; one such block ends the waiting.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.blocks import Header

GAPS_MIN: Final = 16  # between blocks that were watched, before there is a rhythm
LATELY: Final = 64  # blocks, of which the shortest gap and the least lag count
STAMP_SECONDS: Final = 1.0  # what a block's time may be rounded by
LATE_GAP: Final = 1.5  # block times; longer means that the block that was due never came
# Parts of the poll interval.
SOON: Final = (
    1 / 4
)  # until the second look; and what is added to the lag when the first was in vain
SOONER: Final = SOON / 15  # what the lag loses when the first look found the block


class Rhythm(Struct, frozen=True, kw_only=True):
    """What was learnt of a chain's beat."""

    poll_seconds: float
    block_seconds_max: float  # as the chain's makers say
    tip: Header | None = None
    gaps: tuple[float, ...] = ()  # seconds from block to block
    lags: tuple[float, ...] = ()  # seconds from a block's own time to the look that should find it
    looks: int = 0  # in vain, since the next block was due

    @property
    def beat(self) -> float | None:
        """Return the least seconds between blocks, where that is worth waiting for."""
        if len(self.gaps) < GAPS_MIN:
            return None
        beat = min(self.block_seconds_max, *self.gaps)
        return beat if beat > self.poll_seconds + STAMP_SECONDS else None

    def due_seconds(self, now: datetime) -> float | None:
        """Return how long it is until the next block should be seen, if that can be told."""
        if self.beat is None or not self.lags or self.tip is None:
            return None
        return self.beat + self.lags[-1] - (now - self.tip.time).total_seconds()

    def pause_seconds(self, now: datetime) -> float:
        """Return how long to wait before the next look."""
        due = self.due_seconds(now)
        if self.beat is None or due is None or self.looks > 1:
            return self.poll_seconds
        return min(self.beat, max(due, SOON * self.poll_seconds))  # our clock may have been set


def heard(rhythm: Rhythm, tip: Header, now: datetime) -> Rhythm:
    """Learn from a look at the chain."""
    old = rhythm.tip
    if old is None or tip.number < old.number:
        return replace(rhythm, tip=tip, looks=0)
    if tip.number == old.number:
        due = rhythm.due_seconds(now)
        in_vain = due is not None and due <= SOONER * rhythm.poll_seconds
        return replace(rhythm, tip=tip, looks=rhythm.looks + in_vain)
    blocks = tip.number - old.number
    gap = (tip.time - old.time).total_seconds() / blocks
    # Of several blocks only the mean is known, which may hide that two came close together.
    tells = blocks == 1 or gap < min(rhythm.gaps, default=0)
    gaps = (*rhythm.gaps, gap)[-LATELY:] if tells else rhythm.gaps
    new = replace(rhythm, tip=tip, gaps=gaps, looks=0)
    if blocks > 1 or gap > LATE_GAP * min(rhythm.gaps, default=gap):
        return new
    seen = (now - tip.time).total_seconds()
    if rhythm.lags and not -rhythm.poll_seconds <= seen - rhythm.lags[-1] <= max(gaps):
        return replace(new, gaps=(), lags=())  # a clock was set
    return replace(new, lags=(*rhythm.lags, lag_after(rhythm, seen))[-LATELY:])


def lag_after(rhythm: Rhythm, seen: float) -> float:
    """Return the lag, after a block that came when it was due was seen so long after its time."""
    if not rhythm.lags or seen < rhythm.lags[-1]:
        return seen
    lag, step = rhythm.lags[-1], SOON * rhythm.poll_seconds
    if rhythm.looks:
        return min(lag + step, min(rhythm.lags) + rhythm.poll_seconds)
    return lag - SOONER * rhythm.poll_seconds if seen < lag + step else lag
