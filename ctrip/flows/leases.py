"""Whose turn it is to watch a chain, where several processes share a database.

Every few seconds a process says that it is alive, takes the chains that are its own by
core/leases.py, and lets go of others. A duty of a chain waits for the chain's turn before each
pass. Leases spare work, and no more: a process that stood still and goes on may believe for a
moment that a chain is still its own, and of two that watch the slower one writes nothing.

Who does not watch a chain is told by who does how it is, so every process knows whether it can
be paid on. A chain that could not be read for a while is left to a process that can.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import uuid4

from msgspec import json

from ctrip import logs
from ctrip.core.errors import OutageError
from ctrip.core.ids import ChainName
from ctrip.core.leases import Process, watcher_of
from ctrip.flows.health import Health, Told
from ctrip.flows.watch import Watcher
from ctrip.store import leases, payment_sets
from ctrip.store.pool import Conn, Pool, connection

RENEW_SECONDS: Final = 3.0
LEASE_SECONDS: Final = 15.0  # without a word; who is killed is known to be dead at once
FAILING_SECONDS: Final = 30.0  # then somebody else may try to read the chain
UNABLE_SECONDS: Final = 600.0  # until we try again

log = logs.get("ctrip.leases")


class Leases:
    """The leases of this process. `session` names its connection that lives as long as it."""

    def __init__(
        self,
        pool: Pool,
        health: Health,
        watchers: Mapping[ChainName, Watcher],
        session: Callable[[], int | None],
    ) -> None:
        self.id = uuid4()
        self._pool = pool
        self._health = health
        self._watchers = watchers
        self._session = session
        self._turns = {name: asyncio.Event() for name in watchers}
        self._held: set[ChainName] = set()
        self._holds_until = 0.0  # by the loop's clock
        self._failing: dict[ChainName, float] = {}  # since when
        self._unable: dict[ChainName, float] = {}  # since when

    def in_turn(
        self, chain: ChainName, run_once: Callable[[], Awaitable[bool]]
    ) -> Callable[[], Awaitable[bool]]:
        """Return passes that each wait until the chain is ours to watch."""

        async def wait_and_run() -> bool:
            await self._turn(chain)
            return await run_once()

        return wait_and_run

    def holds(self, chain: ChainName) -> bool:
        return chain in self._held and self._now() < self._holds_until

    async def run_once(self) -> bool:
        """Renew what is ours, and say and hear how the chains are; there is never more."""
        asked_at = self._now()
        self._judge_ourselves()
        us = Process(id=self.id, chains=(*self._watchers,), unable=(*self._unable,))
        lasts = timedelta(seconds=LEASE_SECONDS)
        async with connection(self._pool) as conn:
            await leases.join(conn, us, session=self._session(), lasts=lasts)
            alive = await leases.alive(conn)
            ours = [name for name in self._watchers if watcher_of(name, alive) == self.id]
            held = set(await leases.claim(conn, self.id, ours))
            if len(alive) > 1:
                await self._share(conn, held)
        self._take(held, until=asked_at + LEASE_SECONDS)
        return False

    async def close(self) -> None:
        """Let others have what was ours."""
        self._take(set(), until=0.0)
        with suppress(OutageError):  # then they find out by themselves
            async with connection(self._pool) as conn:
                await leases.leave(conn, self.id)

    async def _share(self, conn: Conn, held: set[ChainName]) -> None:
        """Tell and hear how the chains are, and see whether others made payments on ours."""
        others = [name for name in self._watchers if name not in held]
        await leases.let_go(conn, self.id, others)
        reports = {name: json.encode(self._health.report(name)).decode() for name in held}
        await leases.tell(conn, self.id, reports)
        for name, report in (await leases.told(conn, self.id, others)).items():
            self._health.heard(name, json.decode(report, type=Told))
        for name in held:
            watcher = self._watchers[name]
            if watcher.rests and await payment_sets.any_open(conn, name):
                watcher.something_may_be_paid()

    async def _turn(self, chain: ChainName) -> None:
        while not self.holds(chain):
            self._turns[chain].clear()
            await self._turns[chain].wait()

    def _take(self, held: set[ChainName], *, until: float) -> None:
        """Begin to watch what has become ours, and end what is ours no more."""
        gained, lost = held - self._held, self._held - held
        self._held, self._holds_until = held, until
        for name in held:
            self._turns[name].set()
        for name in gained:
            self._health.watches(name)
            self._watchers[name].wake.set()  # it may have rested for long
        if gained or lost:
            log.info("watching", chains=sorted(held))

    def _judge_ourselves(self) -> None:
        """See which chains we fail to read, and since when."""
        now = self._now()
        self._unable = {n: at for n, at in self._unable.items() if now - at < UNABLE_SECONDS}
        failing = [name for name in self._held if self._health.is_failing(name)]
        self._failing = {name: self._failing.get(name, now) for name in failing}
        for name, since in self._failing.items():
            if now - since >= FAILING_SECONDS:
                self._unable[name] = now

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
