"""A gateway's sender and bell as a process of their own, and a receiver that keeps them waiting.

    async with a_process(world, database_url, shop) as process:
        gate = Gate(shop)               # answers are held back
        async with process.running():
            ...                         # something goes wrong
            await process.red("deliver")
            await gate.open()
            await all_done(world, count)
            await process.green()
    await check(world, shop, count)     # each was received once, and written down once

Leases run by the world's clock, which stands still.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from aiohttp import web

from ctrip.flows.deliver import Sender
from ctrip.flows.health import Part
from ctrip.flows.news import News
from ctrip.flows.receivers import Receivers
from ctrip.flows.stops import Stops
from ctrip.flows.supervise import every
from ctrip.settings import Secret, Webhooks
from ctrip.store import bell
from ctrip.store.bell import Bell
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from tests.flows.world import World
from tests.support.receiver import Receiver
from tests.support.receivers_on_record import has_receiver
from tests.support.waiting import until

SECRET: Final = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")  # published
LEASE: Final = timedelta(seconds=20)
POLL_SECONDS: Final = 0.05
OUTAGE: Final = re.compile(r"(did not answer|cannot be heard) \(\w+\)")  # and no mistake of ours


class Process:
    """A gateway's sender and its bell, run as they are run there."""

    def __init__(self, world: World, url: str, client: WebhookClient) -> None:
        self.world = world
        self.wake = asyncio.Event()
        self.bell = Bell(Secret(url), self.wake.set)
        world.news = News(self.wake.set, self.bell.ring)
        world.creator = world.creator_on(world.pool)
        receivers = Receivers(world.pool, Webhooks(secret=SECRET), world.clock)
        self.sender = Sender(
            world.pool,
            client,
            receivers,
            world.clock,
            self.wake,
            lease=LEASE,
            spawn=asyncio.create_task,
            stops=Stops(),
        )

    @asynccontextmanager
    async def running(
        self, poll_seconds: float = POLL_SECONDS, *, sends: bool = True
    ) -> AsyncIterator[None]:
        """Run the loops; what is on the wire at the end stays there."""
        health, listen, send = self.world.health, self.bell.run_once, self.sender.run_once
        loops = [every(bell.LOOK_SECONDS, listen, task="bell", health=health, nudge=self.bell.wake)]
        if sends:
            loops += [every(poll_seconds, send, task="deliver", health=health, nudge=self.wake)]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.sender.close()
        await self.bell.close()

    async def red(self, *tasks: str) -> None:
        """Wait until health says that these do not work, for a reason that may pass."""

        async def look() -> bool:
            parts = await self.world.health.parts(self.world.pool)
            found = [parts.get(task) for task in tasks]
            return all(isinstance(part, Part) and OUTAGE.search(part.why) for part in found)

        await until(f"{tasks} are red", look)

    async def green(self) -> None:
        """Wait until health has nothing to say against sender and bell."""

        async def look() -> bool:
            parts = await self.world.health.parts(self.world.pool)
            return not {"deliver", "bell"} & parts.keys()

        await until("all is green", look)


@asynccontextmanager
async def a_process(world: World, url: str, shop: Receiver) -> AsyncIterator[Process]:
    """Lend a process that does not run yet, with a receiver."""
    await has_receiver(world.pool, shop.url)
    client = WebhookClient(Guard(("127.0.0.0/8",)), timeout_seconds=30)
    process = Process(world, url, client)
    yield process
    await process.close()
    await client.close()


class Gate:
    """What keeps answers back."""

    def __init__(self, shop: Receiver) -> None:
        self.answered = 0
        self._let = self._came = 0
        self._moved = asyncio.Condition()
        shop.answers(self._answer)

    async def _answer(self, _: Receiver, __: web.BaseRequest) -> web.StreamResponse:
        self._came += 1
        number = self._came
        async with self._moved:
            await self._moved.wait_for(lambda: number <= self._let)
        self.answered += 1
        return web.Response()

    async def let(self, count: int) -> None:
        """Answer so many in all."""
        async with self._moved:
            self._let = count
            self._moved.notify_all()

    async def open(self) -> None:
        """Answer everything, and wait until what came before was answered."""
        came = self._came
        await self.let(2**63)

        async def look() -> bool:
            return self.answered >= came

        await until("all is answered", look)


async def some(world: World, count: int) -> None:
    """Make news."""
    for _ in range(count):
        await world.create()


async def all_done(world: World, count: int) -> None:
    """Wait until every delivery has ended."""

    async def look() -> bool:
        rows = await world.rows("SELECT count(*) AS n FROM deliveries_done")
        return int(rows[0]["n"]) >= count

    await until("everything is delivered", look, seconds=20)


async def check(world: World, shop: Receiver, count: int, *, attempts: int = 1) -> None:
    """Each event was received once, is on record as delivered, and waits no more."""
    times = Counter(received.headers["webhook-id"] for received in shop.received)
    events = await world.rows("SELECT id FROM events")
    assert {row["id"] for row in events} == times.keys()
    assert len(events) == count
    assert set(times.values()) == {1}, "no completion was lost, so nothing comes twice"
    assert not await world.rows("SELECT FROM deliveries")
    done = await world.rows("SELECT event_id, delivered, attempts FROM deliveries_done")
    assert len(done) == count
    assert all(row["delivered"] and row["attempts"] <= attempts for row in done)
    log = await world.rows("SELECT event_id, attempt FROM attempts")
    assert sorted(row["event_id"] for row in log) == sorted(times), "written down once each"
