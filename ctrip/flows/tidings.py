"""Follow the stream of all events: read from a place on, and wait for what is not there yet.

Whoever reads gives places first, so what was committed before a read is in it. A reader that
waits asks again when somebody calls wake(), and twice a second for what nobody tells us.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from ctrip.core.ids import KeyId
from ctrip.store import delivery_log, outbox
from ctrip.store.pool import Pool, connection, transaction

POLL_SECONDS: Final = 0.5  # how late another process's news may come
GAP_SECONDS: Final = 0.05  # between two looks, however much news there is
STRETCH: Final = 10_000  # places looked through in one statement, for readers with a filter


class Stretch(Struct, frozen=True, kw_only=True):
    """A piece of the stream."""

    bodies: Sequence[bytes]
    next_after: int  # where to go on
    has_more: bool


async def nothing() -> None:
    """Do nothing."""


class Tidings:
    """The stream, as this process tells it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Event()  # set once, then another takes its place
        self._ended = False

    async def end(self) -> int:
        """Return the place of the newest event."""
        await place_all(self._pool)
        async with connection(self._pool) as conn:
            return await delivery_log.end_of_stream(conn)

    async def read(
        self,
        after: int,
        *,
        count_max: int,
        event_types: Sequence[str] | None = None,
        owner: KeyId | None = None,
        wait_seconds: float = 0.0,
        waited: Callable[[], Awaitable[None]] = nothing,
    ) -> Stretch:
        """Return what comes after a place; wait for it if there is nothing.

        With an `owner` only what is of that owner's payments. After each wait `waited` may
        raise, which ends the waiting.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        turn = self._turn
        stretch = await self._look(after, count_max, event_types, owner)
        while not (stretch.bodies or stretch.has_more or self._ended):
            left = deadline - loop.time()
            if left <= 0:
                break
            await pause(turn, min(left, POLL_SECONDS))
            await waited()
            turn = self._turn
            stretch = await self._look(stretch.next_after, count_max, event_types, owner)
        return stretch

    def wake(self) -> None:
        """Let those who wait look again: there may be news."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def stop(self) -> None:
        """Let those who wait go, because the process ends."""
        self._ended = True
        self.wake()

    async def _look(
        self,
        after: int,
        count_max: int,
        event_types: Sequence[str] | None,
        owner: KeyId | None,
    ) -> Stretch:
        unplaced = await place_some(self._pool)
        async with connection(self._pool) as conn:
            # The end is read first: what is placed meanwhile comes with the next look.
            end = await delivery_log.end_of_stream(conn)
            until = min(after + STRETCH, end)
            found = await delivery_log.stream(
                conn,
                after,
                until=until,
                count_max=count_max,
                event_types=event_types,
                owner=owner,
            )
        reached = found[-1].position if len(found) == count_max else max(after, until)
        return Stretch(
            bodies=[event.body for event in found],
            next_after=reached,
            has_more=unplaced or reached < end,
        )


async def pause(turn: asyncio.Event, seconds: float) -> None:
    """Wait for news, but not long, and not at all times when there is much of it."""
    try:
        async with asyncio.timeout(seconds):
            await turn.wait()
    except TimeoutError:
        return
    await asyncio.sleep(min(seconds, GAP_SECONDS))


async def place_some(pool: Pool) -> bool:
    """Give places to a batch of events that have none; return True if some may be left."""
    async with connection(pool) as conn:
        if not await delivery_log.any_unplaced(conn):
            return False
    async with transaction(pool) as conn:
        return await outbox.place(conn)


async def place_all(pool: Pool) -> None:
    """Give every event that was committed by now its place in the stream."""
    while await place_some(pool):
        pass
