"""Read ranges of blocks beside the newest ones: gaps left by downtime, and what operators ask for.

Only final blocks are read, so nothing that is written here is taken back by a reorg. What
was read must hang together, and the endpoint that showed it must be on the branch that
the watcher follows. Some windows are read at once and written in order, each in one
transaction with the step of its range: a range that was broken off goes on where it
stood, of two readers the slower writes nothing, and money on record stays as it is.

The transaction holds the cursor, so that the newest blocks wait for as long as a window
is written: money is confirmed by the head that it was written under.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import InconsistentChain
from ctrip.core import scan
from ctrip.core.blocks import Header
from ctrip.core.changes import Change, HeadMoved, TransferSeen
from ctrip.core.errors import ConfigError
from ctrip.core.events import PaymentEvent
from ctrip.core.ids import BlockHash, BlockNumber, ChainName, PaymentId
from ctrip.core.matching import Found
from ctrip.core.scan import BLOCKS_KNOWN_MAX, BLOCKS_PER_WINDOW_MAX, Window
from ctrip.flows.apply import apply
from ctrip.flows.find import find, lookup, tokens_of
from ctrip.flows.on_chain import OnChain
from ctrip.store import blocks, rescans
from ctrip.store.pool import Conn, connection, transaction
from ctrip.store.rescans import Recorded, Rescan

# Read at once and held in memory: 4 windows of 32 of Ethereum's blocks are about 40 MB.
WINDOWS_AT_ONCE_MAX: Final = 4

log = logs.get("ctrip.rescan")


class RangeRefused(ConfigError):
    """The range cannot be read again; the text says what to ask for instead."""


class Step(Struct, frozen=True):
    """What one pass did for a range. Nothing: the rest of it is not final yet."""

    blocks: int = 0  # that were read and written
    raced: bool = False  # somebody else is reading the same range


class Part(Struct, frozen=True):
    """A window that was read, and the money in it; the blocks themselves are let go."""

    window: Window
    last: Header
    found: Sequence[Found]


class Rescanner(OnChain):
    """The ranges of one chain."""

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self._tokens = tokens_of(self.chain)
        self._above: tuple[int, BlockNumber, BlockHash] | None = None  # a range's last part

    async def run_once(self) -> bool:
        """Read on in the range that comes first; return True if there may be more at once."""
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, self.chain.name)
            if cursor is None:
                return False
            final = cursor.finalized
            rescan = await rescans.following(conn, self.chain.name, finalized=final)
        if rescan is None:
            return False
        step = await self.read(rescan)
        return bool(step.blocks)

    async def read(self, rescan: Rescan) -> Step:
        """Read and write some windows of a range."""
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, self.chain.name)
            known = await blocks.known(conn, self.chain.name, count_max=BLOCKS_KNOWN_MAX)
        windows = plan(rescan, cursor.finalized) if cursor else []
        if not windows:
            return Step()
        lowest = min(known)
        parts = await asyncio.gather(
            *(self._read(first, last, known.get(last)) for first, last in windows),
            return_exceptions=True,  # none goes on unseen when another has failed
        )
        await self._is_ours(lowest, known[lowest])
        return await self._write_in_order(rescan, parts)

    async def _read(self, first: BlockNumber, last: BlockNumber, known: BlockHash | None) -> Part:
        ours = lookup(self._pool)
        read = tuple(await self._client.blocks(first, last, tokens=self._tokens, ours=ours))
        window = Window(first, last, read[0].header.parent_hash if read else BlockHash(""))
        if not scan.continues(window, read) or known not in {None, read[-1].header.hash}:
            raise self._other_branch()
        return Part(window, read[-1].header, await find(self.chain, self._client, self._pool, read))

    async def _is_ours(self, number: BlockNumber, block_hash: BlockHash) -> None:
        """Let nobody pass who does not have the lowest block that the watcher still knows."""
        headers = await self._client.headers([number])
        if [header.hash for header in headers] != [block_hash]:
            raise self._other_branch()

    async def _write_in_order(self, rescan: Rescan, parts: Sequence[Part | BaseException]) -> Step:
        """Write the windows up to the first that was not read, or does not follow the others."""
        place, count = self._above, 0
        above = place[2] if place and place[:2] == (rescan.id, rescan.next) else None
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            if above not in {None, part.window.parent_hash}:
                raise self._other_branch()
            if not await self._write(rescan, part):
                return Step(count, raced=True)
            above = part.last.hash
            self._above = (rescan.id, BlockNumber(part.last.number + 1), above)
            count += part.window.last - part.window.first + 1
        return Step(count)

    async def _write(self, rescan: Rescan, part: Part) -> bool:
        """Write a window's money and the step of its range, or nothing if we were raced."""
        window, now = part.window, self._clock.now()
        async with transaction(self._pool) as conn:
            if not await rescans.hold(conn, rescan.id, at=window.first):
                return False
            moved = await hold_head(conn, self.chain.name)
            known = await rescans.on_record(conn, self.chain.name, window.first, window.last)
            new = unrecorded(part.found, known)
            events = await credit(conn, moved, new, now=now)
            await rescans.step(conn, rescan.id, read=part.last.number, time=part.last.time, now=now)
        if events:
            self._news.set()
        if part.last.number == rescan.last:
            log.info(
                "range read",
                chain=rescan.chain,
                first=rescan.first,
                last=rescan.last,
                cause=rescan.cause,
            )
        return True

    def _other_branch(self) -> InconsistentChain:
        return InconsistentChain(
            f"{self.chain.name}: a range of blocks is of another branch than the newest ones"
        )


async def ask(
    conn: Conn, chain: ChainName, first: BlockNumber, last: BlockNumber, *, now: datetime
) -> Rescan:
    """Order a range to be read again, or go on with the same one if it was broken off."""
    if first > last:
        raise RangeRefused("--from lies above --to: exchange them")
    cursor = await blocks.cursor(conn, chain)
    if cursor is None:
        raise RangeRefused(f"--chain: {chain} was never read; start `ctrip serve` once")
    if last > cursor.number:
        raise RangeRefused(
            f"--to: {chain} was read up to block {cursor.number} only, and `ctrip serve` reads "
            f"what follows; give {cursor.number} or less"
        )
    found = await rescans.unfinished(conn, chain, first, last)
    return found or await rescans.begin(
        conn, chain, first, last, cause="operator", read_until=None, now=now
    )


def plan(rescan: Rescan, finalized: BlockNumber) -> list[tuple[BlockNumber, BlockNumber]]:
    """Return the next windows of a range, as far as it is final."""
    end = min(rescan.last, finalized)
    return [
        (BlockNumber(first), BlockNumber(min(end, first + BLOCKS_PER_WINDOW_MAX - 1)))
        for first in range(rescan.next, end + 1, BLOCKS_PER_WINDOW_MAX)[:WINDOWS_AT_ONCE_MAX]
    ]


async def hold_head(conn: Conn, chain: ChainName) -> HeadMoved:
    """Hold the cursor, wherever it is by now, until the transaction ends; return where it is."""
    cursor = await blocks.held(conn, chain)
    assert cursor is not None  # noqa: S101  what is written was read behind it
    return HeadMoved(chain, cursor.number, cursor.finalized, cursor.safe)


def unrecorded(found: Sequence[Found], known: Sequence[Recorded]) -> list[Found]:
    """Return those finds that are not on record where they were found."""
    places = {(one.key, one.block_hash) for one in known}
    return [one for one in found if (one.transfer.key, one.transfer.block_hash) not in places]


async def credit(
    conn: Conn, moved: HeadMoved, found: Sequence[Found], *, now: datetime
) -> list[PaymentEvent]:
    """Write money in blocks that lie behind the cursor; `moved` says where that is held."""
    changes: dict[PaymentId, list[Change]] = {}
    for one in found:
        changes.setdefault(one.payment_id, []).append(TransferSeen(one.transfer))
    for of_payment in changes.values():
        of_payment.append(moved)
    return await apply(conn, changes, now=now)
