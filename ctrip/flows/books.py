"""Keep the books: enter what is final into the ledger, bit by bit.

Nothing is entered where money is recorded, so recording costs nothing more; the books come behind.
Each pass goes on from the block where the last one ended, up to the last final one below which
nothing is left to be read. Of our own transactions a trigger notes which have become final.

Money may also be found late in blocks that were booked: by a second read, by a rescan, by the
audit of balances, whose entries shrink once their transaction is found. So when there is nothing
new, all that was booked is gone through again, slowly, and what differs is entered. Whoever must
know at once books everything (book_all), as each reconciliation does.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.ids import BlockNumber, ChainName
from ctrip.store import blocks, ledger, rescans
from ctrip.store.pool import Conn, Pool, transaction

BOOKS_SECONDS: Final = 10.0  # between passes; a pass without news is a few questions to Postgres
TRANSFERS_PER_PASS: Final = 500  # then their block is booked to its end: tens of milliseconds
SENDINGS_PER_PASS_MAX: Final = 200
ROUND_SECONDS_MIN: Final = 3600.0  # from the end of a round through all to the next
BEFORE_ALL: Final = BlockNumber(-1)

log = logs.get("ctrip.books")


class Bookkeeper:
    """The books of one chain."""

    def __init__(self, chain: ChainName, pool: Pool, clock: Clock) -> None:
        self.chain = chain
        self._pool = pool
        self._clock = clock

    async def run_once(self) -> bool:
        """Enter the next of what is final; return True if there is more."""
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            finalized = await last_final(conn, self.chain)
            if finalized is None:
                return False
            before = await ledger.hold(conn, self.chain, now=now)
            place = replace(
                before,  # a reorg deeper than finality was mended: compare what is above again
                number=min(before.number, finalized),
                again=min(before.again, finalized),
            )
            sent = await ledger.book_sendings(
                conn, self.chain, count_max=SENDINGS_PER_PASS_MAX, now=now
            )
            if place.number < finalized:
                to, _ = await self._book(conn, place.number, finalized, now)
                place = replace(place, number=to)
            elif now - place.again_at > timedelta(seconds=ROUND_SECONDS_MIN):
                to, late = await self._book(conn, place.again, finalized, now)
                ended = to == finalized
                if late:
                    log.info("booked late", chain=self.chain, transfers=late)
                place = replace(
                    place,
                    again=BEFORE_ALL if ended else to,
                    again_at=now if ended else place.again_at,
                )
            if place != before:
                await ledger.note(conn, self.chain, place)
        return place.number < finalized or sent == SENDINGS_PER_PASS_MAX

    async def _book(
        self, conn: Conn, above: BlockNumber, end: BlockNumber, now: datetime
    ) -> tuple[BlockNumber, int]:
        """Book some blocks; return the last of them, and how much was not booked as it is."""
        to = await ledger.last_of(conn, self.chain, above=above, end=end, count=TRANSFERS_PER_PASS)
        booked = await ledger.book_transfers(
            conn, self.chain, above=above, to=to, finalized=end, now=now
        )
        return to, booked

    async def book_all(self) -> None:
        """Enter all that is final and not booked as it is, wherever it was found."""
        more = True
        while more:
            more = await self.run_once()
        above, to = BEFORE_ALL, None
        while to is None or above < to:
            async with transaction(self._pool) as conn:
                to = await last_final(conn, self.chain)
                if to is None:
                    return
                now = self._clock.now()
                await ledger.hold(conn, self.chain, now=now)
                above, _ = await self._book(conn, above, to, now)


async def last_final(conn: Conn, chain: ChainName) -> BlockNumber | None:
    """Return the last block that is final and below which none is left to be read."""
    cursor = await blocks.cursor(conn, chain)
    if cursor is None:
        return None
    gap = await rescans.lowest_gap(conn, chain)
    return cursor.finalized if gap is None else BlockNumber(min(cursor.finalized, gap - 1))
