"""Follow one chain: find money for open payments, and take it back when a reorg does.

The order is what makes it safe: first the head, then the blocks up to it, then the
question which of the addresses in them are ours. So the payments looked among are never
older than the blocks. An address that was shown to anyone before a block was made is
found in it, and the cost of a block follows its transactions, not the number of open
payments.

Money, cursor and news are one transaction, and
the cursor moves only from the block it was read at, so a pass that was repeated, or
raced by another process, writes nothing twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import ChainClient, InconsistentChain
from ctrip.clock import Clock
from ctrip.core import scan
from ctrip.core.blocks import Block, Head, Header
from ctrip.core.chains import Chain
from ctrip.core.changes import Change, HeadMoved, TransferLost, TransferSeen
from ctrip.core.errors import InvariantError
from ctrip.core.ids import BlockNumber, PaymentId, raw
from ctrip.core.matching import Found, calls_to_check, match, recipients, succeeded
from ctrip.core.scan import Cursor, Window
from ctrip.flows.apply import apply
from ctrip.flows.health import Health
from ctrip.store import blocks, payments
from ctrip.store.pool import Conn, Pool, connection, transaction

# Blocks kept to find a fork among; deeper than any chain's distance to finality in blocks.
BLOCKS_KNOWN_MAX: Final = 5_000


# A chain that is new to us may lose its newest blocks before we have seen any others.
START_DEPTH: Final = 128

log = logs.get("ctrip.watch")


class ReorgTooDeep(InvariantError):
    """The chain replaced blocks that were final. No machine may decide what that means."""


class Reading(Struct, frozen=True):
    """The blocks that follow block `above` now."""

    above: BlockNumber
    blocks: tuple[Block, ...] = ()

    @property
    def last(self) -> BlockNumber:
        return self.blocks[-1].header.number if self.blocks else self.above


class Watcher:
    """One chain's watch."""

    def __init__(
        self,
        chain: Chain,
        client: ChainClient,
        pool: Pool,
        clock: Clock,
        health: Health,
        news: asyncio.Event,
        *,
        to_global: bool,
    ) -> None:
        self._chain = chain
        self._tokens = [raw(token.contract) for token in chain.tokens if token.enabled]
        self._client = client
        self._pool = pool
        self._clock = clock
        self._health = health
        self._news = news
        self._to_global = to_global

    async def run_once(self) -> bool:
        """Read one window of blocks; return True if there is more to read at once."""
        head = await self._client.head()
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, self._chain.name)
        if cursor is None:
            await self._start(head)
            return False
        reading = await self._read_on(cursor, head) or await self._read_again(cursor, head)
        if reading is not None and reading.blocks:
            found = await self._find(reading.blocks)
            await self._write(cursor, head, reading, found)
        elif head.latest.hash == cursor.hash and head.finalized > cursor.finalized:
            await self._write(cursor, head, Reading(cursor.number), ())
        read = reading.last if reading else cursor.number
        self._health.saw(self._chain.name, head=head.latest.number, read=read)
        return read < head.latest.number

    async def _start(self, head: Head) -> None:
        """Begin at the head: no address of ours was shown to anyone before."""
        lowest = max(head.finalized, head.latest.number - START_DEPTH)
        numbers = [BlockNumber(n) for n in range(lowest, head.latest.number + 1)]
        headers = await self._client.headers(numbers)
        if not headers or headers[-1] != head.latest:
            raise InconsistentChain(f"{self._chain.name}: the chain changed while it was read")
        name, now = self._chain.name, self._clock.now()
        async with transaction(self._pool) as conn:
            if await blocks.start(conn, name, head.latest, finalized=head.finalized, now=now):
                await blocks.add(
                    conn, name, headers, above=BlockNumber(-1), finalized=headers[0].number
                )
        self._health.saw(self._chain.name, head=head.latest.number, read=head.latest.number)

    async def _read_on(self, cursor: Cursor, head: Head) -> Reading | None:
        """Read what follows the cursor, or return None if the chain left the cursor's branch."""
        if head.latest.number == cursor.number:
            return Reading(cursor.number) if head.latest.hash == cursor.hash else None
        window = scan.plan(cursor, head)
        if window is None:
            return await self._wait_for(head.latest, cursor)
        read = await self._blocks(window)
        return Reading(cursor.number, read) if scan.continues(window, read) else None

    async def _wait_for(self, latest: Header, cursor: Cursor) -> Reading | None:
        """Tell a node that lags behind from one whose chain grew shorter."""
        if latest.number < cursor.finalized:
            raise InconsistentChain(f"{self._chain.name}: its endpoints are far behind themselves")
        async with connection(self._pool) as conn:
            known = await blocks.known(conn, self._chain.name, count_max=BLOCKS_KNOWN_MAX)
        lags = known.get(latest.number) == latest.hash
        return Reading(cursor.number) if lags else None

    async def _read_again(self, cursor: Cursor, head: Head) -> Reading | None:
        """Find the fork and read everything above it, as far as the cursor was and further."""
        async with connection(self._pool) as conn:
            known = await blocks.known(conn, self._chain.name, count_max=BLOCKS_KNOWN_MAX)
        heights = sorted(number for number in known if number <= head.latest.number)
        fork = scan.find_fork(known, await self._client.headers(heights))
        if fork is None or fork.number < cursor.finalized:
            raise ReorgTooDeep(
                f"{self._chain.name}: blocks that were final were replaced, below block "
                f"{cursor.finalized}. Crediting has stopped on this chain. Compare its endpoints "
                f"with another source; if the chain is right, see docs/operations.md"
            )
        log.warning("reorg", chain=self._chain.name, fork=fork.number, cursor=cursor.number)
        window = scan.plan_reorg(cursor, head, fork)
        if window.last < window.first:
            return None  # the chain is shorter than it was: wait for what replaces the rest
        read = await self._blocks(window)
        if not scan.continues(window, read):
            raise InconsistentChain(f"{self._chain.name}: the chain changed while it was read")
        return Reading(fork.number, read)

    async def _blocks(self, window: Window) -> tuple[Block, ...]:
        return tuple(await self._client.blocks(window.first, window.last, tokens=self._tokens))

    async def _find(self, read: Sequence[Block]) -> list[Found]:
        """Return the money in the blocks; native coin counts once its receipt says it moved."""
        async with connection(self._pool) as conn:
            watched = await payments.watched(conn, self._chain.name, recipients(read))
        calls = calls_to_check(read, watched)
        good = succeeded(read, await self._client.receipts(calls) if calls else [])
        if good is None:
            raise InconsistentChain(f"{self._chain.name}: a receipt is of another branch")
        return list(match(read, good, watched))

    async def _write(
        self, cursor: Cursor, head: Head, reading: Reading, found: Sequence[Found]
    ) -> None:
        """Write money, cursor and news together, or nothing if another watcher was faster."""
        to = reading.blocks[-1].header if reading.blocks else head.latest
        final = min(max(head.finalized, cursor.finalized), to.number)
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            if not await blocks.hold(conn, self._chain.name, at=cursor.hash):
                return
            headers = [block.header for block in reading.blocks]
            await blocks.add(conn, self._chain.name, headers, above=reading.above, finalized=final)
            changes = await self._changes(conn, cursor, reading.above, found)
            for payment_id in await payments.deepened(
                conn, self._chain.name, head=to.number, finalized=final
            ):
                changes.setdefault(payment_id, [])
            for of_payment in changes.values():
                of_payment.append(HeadMoved(to.number, BlockNumber(final)))
            events = await apply(conn, changes, to_global=self._to_global, now=now)
            await blocks.move(conn, self._chain.name, to=to, finalized=final, now=now)
        if events:
            self._news.set()

    async def _changes(
        self, conn: Conn, cursor: Cursor, above: BlockNumber, found: Sequence[Found]
    ) -> dict[PaymentId, list[Change]]:
        """Return what went with the blocks above a fork and was not found again, and the finds.

        After a reorg the chain first falls back to the fork, so that no transfer in a new
        block is confirmed by the dropped ones; and what only moved comes before what is new,
        so that nothing is still known at an old place when the chain is said to go on.
        """
        fallen = [HeadMoved(above, cursor.finalized)] if above < cursor.number else []
        changes: dict[PaymentId, list[Change]] = defaultdict(lambda: [*fallen])
        again = {item.transfer.key for item in found}
        moved = set()
        for payment_id, key, block_hash in await payments.above(conn, self._chain.name, above):
            if key in again:
                moved.add(key)
            else:
                changes[payment_id].append(TransferLost(key, block_hash))
        for item in sorted(found, key=lambda item: item.transfer.key not in moved):
            changes[item.payment_id].append(TransferSeen(item.transfer))
        return changes
