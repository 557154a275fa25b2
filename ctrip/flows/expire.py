"""Let deadlines pass, by two clocks: ours, and that of the newest block that was read.

A payment expires when its chain, too, has come past the deadline and was read so far,
its logs too.
Until then there may be money in a block before the deadline that we have not seen; so a
chain that halts, or endpoints that are down, stop the deadlines with them.
"""

import asyncio
from typing import Final

from ctrip.clock import Clock
from ctrip.core.changes import ClockRead
from ctrip.core.ids import ChainName
from ctrip.flows.apply import apply
from ctrip.store import blocks, payment_sets
from ctrip.store.pool import Pool, connection, transaction

PAYMENTS_PER_PASS_MAX: Final = 500  # locked at once, so that a pass stays short


class Expirer:
    """The deadlines of one chain."""

    def __init__(self, chain: ChainName, pool: Pool, clock: Clock, news: asyncio.Event) -> None:
        self._chain = chain
        self._pool = pool
        self._clock = clock
        self._news = news

    async def run_once(self) -> bool:
        """Let deadlines of one batch of payments pass; return True if there may be more."""
        async with connection(self._pool) as conn:
            place = (await blocks.places(conn)).get(self._chain)
        if place is None:
            return False
        now = self._clock.now()
        past = ClockRead(min(now, place.time))
        async with transaction(self._pool) as conn:
            due = await payment_sets.due(
                conn, self._chain, past.now, count_max=PAYMENTS_PER_PASS_MAX
            )
            changes = {payment_id: [past] for payment_id in due}
            events = await apply(conn, changes, now=now)
        if events:
            self._news.set()
        return len(due) >= PAYMENTS_PER_PASS_MAX
