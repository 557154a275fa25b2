"""A sender and nothing else, in a process that is made to be killed.

    python -m tests.support.sender_process

reads orders, one a line, and forks a sender for each: it imports everything once, so a life
begins in milliseconds. It answers with the pid, and with how the life ended. A sender keeps
a diary: a line before and after everything that a kill may come between, written at once, so
that it outlives its author. Told to, it kills itself at such a point; no code of ctrip knows.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast, get_args

from msgspec import Struct, json

from ctrip.clock import SystemClock
from ctrip.flows.deliver import Sender
from ctrip.flows.receivers import Receivers
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import pool as store
from ctrip.store import queue
from ctrip.store.pool import Pool
from ctrip.webhooks.client import Outcome, WebhookClient
from ctrip.webhooks.guard import Guard

POOL_SIZE_MAX: Final = 3
POLL_SECONDS: Final = 0.05
WIRE_SECONDS: Final = 0.004  # to loopback; receivers of this test take longer to answer

Point = Literal[
    "claiming",  # the claim is on its way to the database
    "claimed",  # it is ours, and nothing was sent
    "posting",  # it was sent, and nobody has answered
    "answered",  # the answer is known to us alone
    "completing",  # it is on its way to the database
    "completed",  # it is written
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)


class Orders(Struct, frozen=True, kw_only=True):
    """What one life is to be like."""

    database: str
    diary: str  # a path
    secret: str
    secrets_key: str
    lease_seconds: float
    timeout_seconds: float
    dies_at: Point | None = None
    times: int = 1  # that it comes to this point
    ahead_seconds: float = 0.0  # of its clock


class Ahead:
    """Clock."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)
        self._clock = SystemClock()

    def now(self) -> datetime:
        return self._clock.now() + self._ahead


class Diary:
    """What this life has come to."""

    def __init__(self, orders: Orders) -> None:
        self._file = os.open(orders.diary, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._dies_at = orders.dies_at
        self._times = orders.times

    def write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())

    def comes_to(self, point: Point, what: str = "") -> None:
        """Write that a point is reached; end there if it is the one."""
        self.write(f"{point} {what}")
        if self.is_due(point):
            self.die(point)

    def is_due(self, point: Point) -> bool:
        if point != self._dies_at:
            return False
        self._times -= 1
        return self._times <= 0

    def die(self, point: Point) -> None:
        self.write(f"dies {point}")
        os.kill(os.getpid(), signal.SIGKILL)


class WatchedPool:
    """As much of a pool as a sender uses."""

    def __init__(self, pool: Pool, diary: Diary) -> None:
        self._pool = pool
        self._diary = diary

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator["WatchedConn"]:  # noqa: ASYNC109  asyncpg's
        async with self._pool.acquire(timeout=timeout) as conn:
            yield WatchedConn(conn, self._diary)


class WatchedConn:
    """As much of a connection as a sender uses."""

    def __init__(self, conn: Any, diary: Diary) -> None:
        self._conn = conn
        self._diary = diary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def fetch(self, query: str, *args: Any) -> Any:
        if query != queue.CLAIM:
            return await self._conn.fetch(query, *args)
        (claim_id,) = (arg for arg in args if type(arg).__name__ == "UUID")
        self._diary.write(f"claim {claim_id}")
        rows = await self._on_its_way("claiming", self._conn.fetch(query, *args))
        if rows:
            self._diary.comes_to("claimed", str(len(rows)))
        return rows

    async def execute(self, query: str, *args: Any) -> str:
        if query != queue.COMPLETE:
            tag = cast("str", await self._conn.execute(query, *args))
            if query == queue.RELEASE:
                self._diary.write(f"released {tag.rpartition(' ')[2]}")
            return tag
        tag = cast("str", await self._on_its_way("completing", self._conn.execute(query, *args)))
        self._diary.comes_to("completed", f"{tag.rpartition(' ')[2]} of {len(args[0])}")
        return tag

    async def _on_its_way(self, point: Point, work: Any) -> Any:
        """Do the work; if this is the point, die once it was sent."""
        task = asyncio.ensure_future(work)
        self._diary.write(point)
        if self._diary.is_due(point):
            await asyncio.sleep(0)
            self._diary.die(point)
        return await task


class WatchedClient:
    """As much of a client as a sender uses."""

    def __init__(self, client: WebhookClient, diary: Diary) -> None:
        self._client = client
        self._diary = diary

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], still: Callable[[], bool]
    ) -> Outcome:
        work = asyncio.ensure_future(self._client.post(url, body, headers, still))
        self._diary.write("posting")
        if self._diary.is_due("posting"):
            await asyncio.wait({work}, timeout=WIRE_SECONDS)
            if not work.done():
                self._diary.die("posting")
        outcome = await work
        self._diary.comes_to("answered")
        return outcome


async def live(orders: Orders) -> None:
    """Send until SIGTERM."""
    diary = Diary(orders)
    stopping, news = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    clock = Ahead(orders.ahead_seconds)
    settings = Webhooks(secret=Secret(orders.secret), secrets_key=Secret(orders.secrets_key))
    pool = await store.connect(Secret(orders.database), size_max=POOL_SIZE_MAX)
    client = WebhookClient(Guard(("127.0.0.0/8",)), timeout_seconds=orders.timeout_seconds)
    sender = Sender(
        cast("Pool", WatchedPool(pool, diary)),
        cast("WebhookClient", WatchedClient(client, diary)),
        Receivers(pool, settings, clock),
        clock,
        news,
        lease=timedelta(seconds=orders.lease_seconds),
        spawn=asyncio.create_task,
        stops=Stops(),
    )
    while not stopping.is_set():
        if not await sender.run_once():
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await news.wait()
            news.clear()
    await sender.close()
    await client.close()
    await pool.close()


def main() -> None:
    """Give life after life, as ordered."""
    for line in sys.stdin.buffer:
        pid = os.fork()
        if not pid:
            asyncio.run(live(json.decode(line, type=Orders)))
            os._exit(0)
        print(pid, flush=True)  # noqa: T201  this is how it answers
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  this is how it answers


if __name__ == "__main__":
    main()
