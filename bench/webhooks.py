"""Deliveries per second from end to end, beside a bare aiohttp loop that posts the same bytes.

Ours is the Sender as `ctrip serve` runs it: claim, sign, POST, complete, with Postgres, which
keeps fsync on, and a log line for each. The bare loop signs each post anew too, has as many
under way, and knows no database and no log. Both post from this process to one shop in a process
of its own, over connections that are kept alive, in turn, round after round, so that a machine
that slows down slows both. Turns are short, half a second, so that it has little time to.

The same Sender drains four databases in turn, in which nothing, 10,000, 100,000 and 1,000,000
deliveries wait beside the round's: half of them behind these, due and for the same shop, and half
for shops that are left alone for a while.

    make bench, or: .venv/bin/python -m bench.webhooks
"""

import asyncio
import resource
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stderr
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Final, NamedTuple

import aiohttp
import uvloop

from bench.stub_shops import Quick, shops
from ctrip import logs
from ctrip.app import DELIVERY_POLL_SECONDS, settle_in
from ctrip.clock import SystemClock
from ctrip.core.endpoints import CONFIG
from ctrip.core.errors import InvariantError
from ctrip.dev import postgres
from ctrip.flows.deliver import LEASE_MARGIN, Sender
from ctrip.flows.receivers import Receivers
from ctrip.flows.stops import Stops
from ctrip.flows.supervise import pause
from ctrip.settings import Log, Secret, Webhooks
from ctrip.store import endpoints, queue
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connect, connection
from ctrip.webhooks.client import Outcome, WebhookClient
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import Signer

CONCURRENCY: Final = 64
DELIVERIES: Final = 4_000  # of a turn
ROUNDS: Final = 12
WARM_UP: Final = 1_000
WAITING: Final = (0, 10_000, 100_000, 1_000_000)
OTHERS: Final = 49  # shops that are left alone
BODY: Final = b'{"filler":"' + b"x" * 857 + b'"}'  # 870 bytes, as a payment.created
SECRET: Final = Secret("whsec_" + "bench0" * 6)
TIMEOUT_SECONDS: Final = 15.0

# Of the waiting, one half is of the bench's own shop; the other shares events among the others.
OTHER_SHOPS: Final = f"""
INSERT INTO endpoints (id, kind, url, description, event_types, format, concurrency_max, enabled,
    revision, paused_until, created_at, updated_at)
SELECT 'we_other' || lpad(n::text, 3, '0'), 'api', 'http://127.0.0.1:9/', '', '{{*}}', 'standard',
    16, true, 1, now() + interval '1 day', now(), now()
FROM generate_series(1, {OTHERS}) AS n
"""
EVENTS: Final = """
INSERT INTO events (id, payment_id, sequence, type, body, created_at)
SELECT 'evt_' || md5($1 || n::text), gen_random_uuid(), 1, 'payment.created', $3, now()
FROM generate_series(1, $2::int) AS n
"""
OURS: Final = """
INSERT INTO deliveries (event_id, endpoint_id, due_at)
SELECT 'evt_' || md5($1 || n::text), $3, $4 FROM generate_series(1, $2::int) AS n
"""
THEIRS: Final = f"""
INSERT INTO deliveries (event_id, endpoint_id, due_at)
SELECT 'evt_' || md5($1 || (1 + n / {OTHERS})::text),
    'we_other' || lpad((1 + n % {OTHERS})::text, 3, '0'), $3
FROM generate_series(0, $2::int - 1) AS n
"""
TAKE_STOCK: Final = ("VACUUM ANALYZE", "CHECKPOINT")
COUNT: Final = """
SELECT count(DISTINCT (event_id, endpoint_id)) FILTER (WHERE delivered AND attempts = 1) AS well,
    count(*) AS ended
FROM deliveries_done
"""
DONE: Final = "SELECT count(*) FROM deliveries_done"


class Took(NamedTuple):
    """What one delivery cost."""

    seconds: float
    cpu_seconds: float  # of the process that sends


class Counting(WebhookClient):
    """Counts what was answered, and tells when that is enough."""

    left = 0
    enough: asyncio.Event

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        still: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        outcome = await super().post(url, body, headers, still)
        self.left -= 1
        if self.left == 0:
            self.enough.set()
        return outcome


class Queue:
    """A database in which so many wait, and a sender that drains it."""

    def __init__(self, waiting: int, pool: Pool, client: Counting) -> None:
        self.waiting = waiting
        self.took: list[Took] = []
        self._pool = pool
        self._client = client
        self._news = asyncio.Event()
        self._rounds = 0
        client.enough = self._news  # so that nobody waits for the next look once all is done
        settings = Webhooks(secret=SECRET, timeout_seconds=TIMEOUT_SECONDS)
        clock = SystemClock()
        self._sender = Sender(
            pool,
            client,
            Receivers(pool, settings, clock),
            clock,
            self._news,
            lease=timedelta(seconds=TIMEOUT_SECONDS) + LEASE_MARGIN,
            spawn=asyncio.create_task,
            stops=Stops(),
        )

    async def fill(self, url: str) -> None:
        """Make the shops, and let so many wait."""
        now = SystemClock().now()
        async with connection(self._pool) as conn:
            await migrate(conn, read_files())
            await queue.keep_months(conn, now=now, kept_from=now)
            await endpoints.sync_config(conn, url, now=now)
            await conn.execute("UPDATE endpoints SET concurrency_max = $1", CONCURRENCY)
            await conn.execute(OTHER_SHOPS)
            if half := self.waiting // 2:
                await conn.execute(EVENTS, "waiting", half, BODY, timeout=60)
                await conn.execute(OURS, "waiting", half, CONFIG, now, timeout=60)
                await conn.execute(THEIRS, "waiting", half, now, timeout=60)
            for statement in TAKE_STOCK:
                await conn.execute(statement, timeout=60)

    async def turn(self, count: int) -> Took:
        """Queue so many, and deliver as many."""
        self._rounds += 1
        name = f"round {self._rounds}, "
        async with connection(self._pool) as conn:
            before = await conn.fetchval(DONE)
            # Before all that wait, as far as the queue is concerned.
            due = SystemClock().now() - timedelta(days=1)
            await conn.execute(EVENTS, name, count, BODY)
            await conn.execute(OURS, name, count, CONFIG, due)
        self._client.left = count
        start, cpu = perf_counter(), process_time()
        while self._client.left > 0:
            if not await self._sender.run_once():
                await pause(DELIVERY_POLL_SECONDS, self._news)
        await self._sender.settled()
        seconds, cpu_seconds = perf_counter() - start, process_time() - cpu
        async with connection(self._pool) as conn:
            done = await conn.fetchval(DONE) - before
        return Took(seconds / done, cpu_seconds / done)

    async def check(self) -> None:
        """Refuse to report what was not delivered, each once and at the first attempt."""
        async with connection(self._pool) as conn:
            well, ended = await conn.fetchrow(COUNT) or (0, 0)
        if well < ended or well < DELIVERIES * ROUNDS:
            raise InvariantError(f"of {ended} deliveries, {well} went well")


async def main() -> None:
    """Measure in turns and print the medians, and those of the ratios of each round."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ctrip-bench-")))
        cluster = stack.enter_context(postgres.start(folder / "postgres"))
        street = stack.enter_context(shops([Quick]))
        lines = stack.enter_context((folder / "log").open("w"))
        with redirect_stderr(lines):
            logs.configure(Log(), [SECRET])
        url = f"http://127.0.0.1:{street.ports[0]}/hook"
        queues = [await stack.enter_async_context(a_queue(cluster, n, url)) for n in WAITING]
        settle_in()
        memory = resident()
        bare, peak = [], memory
        for number in range(ROUNDS + 1):
            count = DELIVERIES if number else WARM_UP
            bare.append(await bare_loop(url, count))
            for one in queues:
                one.took.append(await one.turn(count))
                peak = max(peak, resident())
        for one in queues:
            await one.check()
    report(bare[1:], queues)
    print(f"memory: {memory:.0f} MB before the first turn, {peak:.0f} MB at most after one")


@asynccontextmanager
async def a_queue(cluster: postgres.Cluster, waiting: int, url: str) -> AsyncIterator[Queue]:
    """Make a database with so many waiting."""
    pool = await connect(Secret(cluster.create(f"waiting_{waiting}")), size_max=4)
    client = Counting(Guard(("127.0.0.0/8",)), timeout_seconds=TIMEOUT_SECONDS)
    try:
        made = Queue(waiting, pool, client)
        await made.fill(url)
        yield made
    finally:
        await client.close()
        await pool.close()


async def bare_loop(url: str, count: int) -> Took:
    """Sign and post so many, and do nothing else."""
    signer, clock, numbers = Signer([SECRET]), SystemClock(), iter(range(count))

    async def post_on() -> None:
        for number in numbers:
            timestamp = int(clock.now().timestamp())
            headers = signer.headers(f"evt_{number:032x}", timestamp, BODY)
            async with session.post(url, data=BODY, headers=headers) as answer:
                await answer.read()

    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session:
        start, cpu = perf_counter(), process_time()
        await asyncio.gather(*(post_on() for _ in range(CONCURRENCY)))
        return Took((perf_counter() - start) / count, (process_time() - cpu) / count)


def report(bare: Sequence[Took], queues: Sequence[Queue]) -> None:
    """Print both sides, their ratios, and how flat it is."""
    print(f"bare aiohttp: {of(bare)}")
    empty = queues[0].took[1:]
    for one in queues:
        took = one.took[1:]
        ratios = [b.seconds / o.seconds for b, o in zip(bare, took, strict=True)]
        flat = [e.seconds / o.seconds for e, o in zip(empty, took, strict=True)]
        print(
            f"ctrip, {one.waiting:,} waiting: {of(took)}, ratio {median(ratios):.2f} "
            f"({quartiles(ratios)}), "
            f"{median(flat):.2f} of its rate with an empty queue"
        )
    print(f"(medians of {len(bare)} rounds of {DELIVERIES} deliveries, {CONCURRENCY} at once)")


def of(took: Sequence[Took]) -> str:
    """Return one side in words."""
    seconds = median(one.seconds for one in took)
    cpu = median(one.cpu_seconds for one in took)
    return f"{1 / seconds:.0f} deliveries/s, {cpu * 1e6:.0f} us CPU each"


def quartiles(values: Sequence[float]) -> str:
    """Return between what half of them lie."""
    low, _, high = quantiles(values, n=4)
    return f"half between {low:.2f} and {high:.2f}"


def resident() -> float:
    """Return this process's memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    uvloop.run(main())
