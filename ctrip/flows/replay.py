"""Send again what an endpoint has not taken, bit by bit, beside what happens now.

A pass looks through one stretch of the stream and queues what is missing. How far it came
is written in the same transaction, so a replay that is broken off anywhere goes on where it
stood and queues nothing twice. It waits while its endpoint has enough to do: a receiver that
comes back after days gets the old with the new, and the queue stays short.
"""

import asyncio
from typing import Final

from ctrip import logs
from ctrip.clock import Clock
from ctrip.store import outbox, replays
from ctrip.store.pool import Pool, transaction

REPLAY_SECONDS: Final = 1.0  # asks Postgres only, unless there is a replay
WAITING_MAX: Final = 1_000  # deliveries of an endpoint; some seconds of a good receiver's time

log = logs.get("ctrip.replay")


class Replayer:
    """All replays of this gateway. `news` tells the sender that there is something to send."""

    def __init__(self, pool: Pool, clock: Clock, news: asyncio.Event) -> None:
        self._pool = pool
        self._clock = clock
        self._news = news

    async def run_once(self) -> bool:
        """Do a stretch of the oldest replay whose endpoint has room; True if there was one."""
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            replay = await replays.hold(conn, waiting_max=WAITING_MAX)
            if replay is None:
                return False
            step = await replays.missing(conn, replay)
            queued = 0
            if step.events:
                queued = await outbox.resend(conn, step.events, replay.endpoint_id, now=now)
            await replays.advance(conn, replay, after=step.after, queued=queued, now=now)
        if queued:
            self._news.set()
        if step.after >= replay.last:
            count = replay.queued + queued
            log.info("replay ended", endpoint_id=replay.endpoint_id, queued=count)
        return True
