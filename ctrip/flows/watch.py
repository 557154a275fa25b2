"""Follow one chain: find money for payments, and take it back when a reorg does.

The order is what makes it safe: first the head, then the blocks up to it, then the
question which of the addresses in them are ours. So the payments looked among are never
older than the blocks, and an address that was shown to anyone before a block was made is
found in it.

How a pass reads depends on what there is to read. Slow chains block by block, logs by
block hash; near the tip at a glance, so that the logs of most blocks are owed for a while
(flows/make_up.py). Fast ones by ranges: the logs of all blocks since the last pass in one batch,
and the blocks themselves only where native coin has come, which balances tell. With
nothing open, only the head. Far behind, as after hours of downtime, the newest blocks
come first, and what lies between is left as a gap for flows/rescan.py.

When to look is core/rhythm.py's: where blocks come like clockwork, when the next is due.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.chain.client import ChainClient, ChainOutage, InconsistentChain, Ours
from ctrip.clock import Clock
from ctrip.core import scan
from ctrip.core.blocks import Block, Head, Header, Span
from ctrip.core.chains import Chain, NativeSource
from ctrip.core.ids import Amount, BlockNumber, PaymentId
from ctrip.core.matching import Found
from ctrip.core.rhythm import Rhythm, heard
from ctrip.core.scan import BLOCKS_KNOWN_MAX, Cursor, Window
from ctrip.flows.find import find, lookup, only_ours, tokens_of
from ctrip.flows.forks import changed, fork_below, headers_at
from ctrip.flows.health import Health
from ctrip.flows.make_up import is_due, make_up
from ctrip.flows.on_chain import OnChain
from ctrip.flows.record import Reading, record
from ctrip.flows.weigh import unexplained
from ctrip.store import blocks, payment_sets
from ctrip.store.pool import Pool, connection, transaction

# A chain that is new to us may lose its newest blocks before we have seen any others.
START_DEPTH: Final = 128

log = logs.get("ctrip.watch")


class Watcher(OnChain):
    """One chain's watch."""

    def __init__(
        self,
        chain: Chain,
        client: ChainClient,
        pool: Pool,
        clock: Clock,
        health: Health,
        news: asyncio.Event,
    ) -> None:
        super().__init__(chain, client, pool, clock, news)
        self._health = health

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self._tokens = tokens_of(self.chain)
        self._rests = self._rested = False  # nothing may be paid; nor could it a pass ago
        self._seen: dict[PaymentId, Amount] = {}  # balances that led to reading whole blocks
        self._next_seen = self._seen
        self.wake = asyncio.Event()
        self._rhythm = Rhythm(
            poll_seconds=self.chain.poll_interval_seconds,
            block_seconds_max=self.chain.block_seconds,
        )

    @property
    def rests(self) -> bool:
        """Tell whether nothing may be paid, so that the chain is looked at seldom."""
        return self._rests

    def something_may_be_paid(self) -> None:
        """Be told of a new payment: if nothing else is open, look at the chain at once."""
        if self._rests:
            self.wake.set()

    def pause_seconds(self) -> float:
        """Return how long to wait for the next pass."""
        if self._rests:
            return self.chain.idle_interval_seconds
        return self._rhythm.pause_seconds(self._clock.now())

    async def run_once(self) -> bool:
        """Read one window of blocks; return True if there is more to read at once."""
        head = await self._client.head()
        self._rhythm = heard(self._rhythm, head.latest, self._clock.now())
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, self.chain.name)
            self._rested = self._rests
            self._rests = not await payment_sets.any_open(conn, self.chain.name)
        if cursor is None:
            await self._start(head)
            return False
        reading = await self._read_on(cursor, head) or await self._read_again(cursor, head)
        if reading is not None and is_due(self.chain, cursor, head, reading, self._clock.now()):
            cursor = await self._make_up(cursor, reading)
        deeper = head.finalized > cursor.finalized or head.safe > cursor.safe
        if reading is not None and reading.blocks:
            await self._write(cursor, head, reading)
        elif head.latest.hash == cursor.hash and deeper:
            await self._write(cursor, head, Reading(cursor.number))
        read = reading.last if reading else cursor.number
        self._health.saw(self.chain.name, head=head.latest, read=read, rests=self._rests)
        return read < head.latest.number

    async def _start(self, head: Head) -> None:
        """Begin at the head: no address of ours was shown to anyone before."""
        lowest = max(head.finalized, head.latest.number - START_DEPTH)
        numbers = [BlockNumber(n) for n in range(lowest, head.latest.number + 1)]
        headers = await self._client.headers(numbers)
        if not headers or headers[-1] != head.latest:
            raise changed(self.chain)
        name, now = self.chain.name, self._clock.now()
        async with transaction(self._pool) as conn:
            if await blocks.start(conn, name, head, now=now):
                above, final = BlockNumber(-1), headers[0].number
                await blocks.add(conn, name, headers, above=above, finalized=final)
        self._health.saw(self.chain.name, head=head.latest, read=head.latest.number)

    async def _read_on(self, cursor: Cursor, head: Head) -> Reading | None:
        """Read what follows the cursor, or return None if the chain left the cursor's branch."""
        if head.latest.number == cursor.number:
            return Reading(cursor.number) if head.latest.hash == cursor.hash else None
        if head.latest.number < cursor.number:
            return await self._wait_for(head.latest, cursor)
        if self._rests:
            return await self._jump(cursor, head.latest, skipped=False)
        if scan.is_far_behind(cursor, head):
            [final] = await self._headers(head.finalized)
            return await self._jump(cursor, final, skipped=True)
        if scan.is_read_by_ranges(self.chain):
            return await self._read_span(cursor, head)
        window = scan.plan(cursor, head)
        assert window is not None  # noqa: S101  the head is above the cursor
        read = await self._blocks(window, at_a_glance=scan.is_glanced_at(self.chain, cursor, head))
        return Reading(cursor.number, read) if scan.continues(window, read) else None

    async def _make_up(self, cursor: Cursor, reading: Reading) -> Cursor:
        """Read the logs that are owed below a reading."""
        now = self._clock.now()
        if await make_up(self.chain, self._client, self._pool, cursor, reading, now=now):
            self._news.set()
        return replace(cursor, logged=reading.above)

    async def _jump(self, cursor: Cursor, to: Header, *, skipped: bool) -> Reading | None:
        """Go on from another block of the cursor's branch, without reading those between."""
        [there] = await self._headers(cursor.number)
        if there.hash != cursor.hash:
            return None
        if skipped:
            log.warning("gap", chain=self.chain.name, above=cursor.number, last=to.number)
        return Reading(cursor.number, (Block(header=to),), skipped=skipped)

    async def _read_span(self, cursor: Cursor, head: Head) -> Reading | None:
        """Read the logs of a range; and its blocks, where native coin came with transactions."""
        last = min(head.latest.number, cursor.number + scan.SPAN_BLOCKS_MAX)
        by_balance = self.chain.native is NativeSource.TRANSACTIONS
        if by_balance and not self.chain.internal:
            return await self._read_whole(cursor, last)
        if by_balance:
            last = min(last, cursor.number + scan.BLOCKS_PER_WINDOW_MAX)
        span = await self._span(cursor, last)
        if span.anchor.hash != cursor.hash:
            return None
        if by_balance and await self._coin_came(span.last):
            return await self._read_whole(cursor, last)
        try:
            ours = await only_ours(self.chain, self._client, self._pool, span.logs, span.moves)
        except InconsistentChain:  # whose logs are not of its blocks is not asked again
            span = await self._span(cursor, last, ours=lookup(self._pool))
            ours = await only_ours(self.chain, self._client, self._pool, span.logs, span.moves)
        top = () if ours and ours[-1].header == span.last else (Block(header=span.last),)
        return Reading(cursor.number, (*ours, *top))

    async def _span(self, cursor: Cursor, last: int, *, ours: Ours | None = None) -> Span:
        return await self._client.span(
            cursor.number, BlockNumber(last), tokens=self._tokens, ours=ours
        )

    async def _coin_came(self, at: Header) -> bool:
        """Tell whether balances rose, up to this block, beyond what the last passes knew."""
        more = await unexplained(self.chain, self._client, self._pool, at)
        now = {one.payment_id: has for one, has in more}
        fresh = any(self._seen.get(payment_id) != has for payment_id, has in now.items())
        self._next_seen = now
        return fresh

    async def _read_whole(self, cursor: Cursor, last: int) -> Reading | None:
        """Read every block of a range of a fast chain."""
        window = Window(BlockNumber(cursor.number + 1), BlockNumber(last), cursor.hash)
        read = await self._blocks(window)
        return Reading(cursor.number, read) if scan.continues(window, read) else None

    async def _wait_for(self, latest: Header, cursor: Cursor) -> Reading | None:
        """Tell a node that lags behind from one whose chain grew shorter."""
        if latest.number < cursor.finalized:
            raise InconsistentChain(f"{self.chain.name}: its endpoints are far behind themselves")
        async with connection(self._pool) as conn:
            known = await blocks.known(conn, self.chain.name, count_max=BLOCKS_KNOWN_MAX)
        if latest.number not in known:  # between two that are known: of a range
            below = max((number for number in known if number < latest.number), default=None)
            [there] = await self._headers(cursor.finalized if below is None else below)
            return Reading(cursor.number) if there.hash in known.values() else None
        return Reading(cursor.number) if known[latest.number] == latest.hash else None

    async def _read_again(self, cursor: Cursor, head: Head) -> Reading | None:
        """Read everything above the fork again, as far as the cursor was and further."""
        fork = await fork_below(self.chain, self._client, self._pool, cursor, head)
        window = scan.plan_reorg(cursor, head, fork)
        if window.last < window.first:
            return None  # the chain is shorter than it was: wait for what replaces the rest
        read = await self._blocks(window)
        if not scan.continues(window, read):
            raise changed(self.chain)
        return Reading(fork.number, read)

    async def _traced(self, reading: Reading) -> tuple[Block, ...]:
        """Trace what replaced dropped blocks, where money in those was known from traces.

        Else it would seem lost until the next probe, and confirmed money that is lost fails.
        """
        async with connection(self._pool) as conn:
            if not await payment_sets.traced_above(conn, self.chain.name, reading.above):
                return reading.blocks
        try:
            moves = [await self._client.moves(block.header) or [] for block in reading.blocks]
        except ChainOutage as outage:  # what is lost is more than what is late
            log.warning("no trace of replaced blocks", chain=self.chain.name, why=str(outage))
            return reading.blocks
        return tuple(
            replace(block, moves=(*block.moves, *of_block))
            for block, of_block in zip(reading.blocks, moves, strict=True)
        )

    async def _blocks(self, window: Window, *, at_a_glance: bool = False) -> tuple[Block, ...]:
        ours = lookup(self._pool)
        return tuple(
            await self._client.blocks(
                window.first, window.last, tokens=self._tokens, ours=ours, at_a_glance=at_a_glance
            )
        )

    async def _headers(self, *numbers: BlockNumber) -> list[Header]:
        return await headers_at(self.chain, self._client, *numbers)

    async def _write(self, cursor: Cursor, head: Head, reading: Reading) -> None:
        read = reading.blocks
        if reading.above < cursor.number:
            read = await self._traced(reading)
        found: Sequence[Found] = await find(self.chain, self._client, self._pool, read)
        pause = self.chain.idle_interval_seconds if self._rested else 0.0
        patience = scan.patience(self.chain) + pause
        events = await record(
            self._pool,
            self.chain,
            cursor,
            head,
            reading,
            found,
            patience_seconds=patience,
            now=self._clock.now(),
        )
        self._seen = self._next_seen  # not before it is written: a pass that failed looks again
        if events:
            self._news.set()
