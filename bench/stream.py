"""A thousand followers of as many payments, while 200 changes a second are committed.

The site, the pass that feeds its streams, and who commits the changes, one in each transaction,
are in one process, as in `ctrip serve`; the followers are in another, over as many
connections, and Postgres keeps fsync on. A change's time is counted from the return of its commit
to its arrival. What listening costs is what the same changes cost more than without listeners
(the median of three rounds), in the site and in Postgres. Every follower must see its payment's
changes, all, once and in order, or the bench fails.

    make bench, or: .venv/bin/python -m bench.stream
"""

import asyncio
import multiprocessing
import os
import tempfile
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple

import uvloop

from bench.load import Load
from ctrip.app import settle_in
from ctrip.core.ids import PaymentId
from ctrip.dev import postgres
from ctrip.flows.audience import POLL_SECONDS
from ctrip.settings import Secret
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import connect, connection
from tests.support.changes import change, open_payments
from tests.support.sse import Follower
from tests.web.shop import open_shop
from tests.web.studio import Studio, a_studio

LISTENERS: Final = 1_000
CHANGES_SECOND: Final = 200
ROUND_SECONDS: Final = 10
ROUNDS: Final = 3
CONNECTING: Final = 50  # at once
ARRIVAL_SECONDS_MAX: Final = 10.0
PAGE_BYTES: Final = 4_096
TICKS_SECOND: Final = os.sysconf("SC_CLK_TCK")

SHARES: Final = {"p50": 0.5, "p99": 0.99, "max": 1.0}

Line = Connection


class Here(NamedTuple):
    """Where the site is, and what can be followed there."""

    pid: int
    port: int
    key: str
    ids: list[PaymentId]


class Done(NamedTuple):
    """What was committed, and when; how often each payment changed before; what it took."""

    commits: list[tuple[PaymentId, int, float]]
    cpu_seconds: float


class Cost(NamedTuple):
    """CPU of some changes, in microseconds each."""

    site: float
    postgres: float


async def main() -> None:
    """Let the same changes happen without listeners and with them."""
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="ctrip-bench-") as name,
        postgres.start(Path(name)) as cluster,
    ):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=serve, args=(cluster.url, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            here: Here = await told(ours)
            await let_change(ours, cluster.pid)  # warm up
            costs = [(await let_change(ours, cluster.pid))[1] for _ in range(ROUNDS)]
            alone = Cost(median(c.site for c in costs), median(c.postgres for c in costs))
            empty = megabytes(here.pid)
            followers = await all_follow(here)
            full = megabytes(here.pid)
            print(f"{LISTENERS} listeners: {empty:.0f} MB before, {full:.0f} MB with them")
            for number in range(1, ROUNDS + 1):
                done, cost = await let_change(ours, cluster.pid)
                await report(number, done, cost, alone, followers, megabytes(here.pid))
            check(followers)
        finally:
            ours.close()
            process.join(ARRIVAL_SECONDS_MAX)
            if process.is_alive():
                process.kill()


async def all_follow(here: Here) -> dict[PaymentId, Follower]:
    """Follow every payment from where it is now."""
    followers: dict[PaymentId, Follower] = {}
    loop = asyncio.get_running_loop()

    async def one(payment: PaymentId) -> None:
        head = f"GET /api/v1/payments/{payment}/stream HTTP/1.1\r\nhost: x\r\n"
        request = f"{head}authorization: Bearer {here.key}\r\n\r\n".encode()
        _, follower = await loop.create_connection(
            lambda: Follower(request), "127.0.0.1", here.port
        )
        await follower.reaches(1)
        followers[payment] = follower

    for start in range(0, LISTENERS, CONNECTING):
        await asyncio.gather(*(one(payment) for payment in here.ids[start : start + CONNECTING]))
    return followers


async def let_change(line: "Line[Any, Any]", postmaster: int) -> tuple[Done, Cost]:
    """Let a round of changes happen; return them and what each cost."""
    before = postgres_seconds(postmaster)
    line.send(CHANGES_SECOND * ROUND_SECONDS)
    done: Done = await told(line)
    count = len(done.commits)
    spent = postgres_seconds(postmaster) - before
    return done, Cost(done.cpu_seconds / count * 1e6, spent / count * 1e6)


async def report(
    number: int,
    done: Done,
    cost: Cost,
    alone: Cost,
    followers: dict[PaymentId, Follower],
    resident: float,
) -> None:
    """Print one round, once all of it has arrived."""
    for payment, sequence, _ in done.commits:
        await followers[payment].reaches(sequence, seconds=ARRIVAL_SECONDS_MAX)
    arrived = {(p, seen.id): seen.at for p, follower in followers.items() for seen in follower.seen}
    late = sorted((arrived[p, sequence] - at) * 1_000 for p, sequence, at in done.commits)
    load = Load(len(late), ROUND_SECONDS, late)
    times = " ".join(f"{what} {load.percentile(p):.1f} ms" for what, p in SHARES.items())
    print(
        f"round {number}: {len(late)} changes at {CHANGES_SECOND}/s, commit to client {times}; "
        f"CPU more for a change: site {cost.site - alone.site:.0f} us (of {cost.site:.0f}), "
        f"Postgres {cost.postgres - alone.postgres:.0f} us (of {cost.postgres:.0f}); "
        f"{resident:.0f} MB"
    )


def check(followers: dict[PaymentId, Follower]) -> None:
    """Fail unless each follower saw everything once and in order."""
    for follower in followers.values():
        first = follower.ids[0]
        if follower.ids != list(range(first, first + len(follower.ids))):
            raise SystemExit(f"out of order: {follower.ids}")


async def told(line: "Line[Any, Any]") -> Any:
    """Return what the other process says, while our own connections are read."""
    return await asyncio.to_thread(line.recv)


def megabytes(pid: int) -> float:
    """Return how much memory a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6


def postgres_seconds(postmaster: int) -> float:
    """Return the CPU time of all processes of a Postgres that live."""
    spent = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == postmaster:
            spent += int(fields[11]) + int(fields[12])
    return spent / TICKS_SECOND


def serve(url: str, line: "Line[Any, Any]") -> None:
    """Be the other process."""
    uvloop.run(obey(url, line))


async def obey(url: str, line: "Line[Any, Any]") -> None:
    """Serve streams, and let things change when told to, until the line is closed."""
    pool = await connect(Secret(url), size_max=10)
    async with connection(pool) as conn:
        await migrate(conn, read_files())
    async with (
        open_shop(pool) as shop,
        a_studio(shop.parts, await shop.issue("admin"), poll_seconds=POLL_SECONDS) as studio,
    ):
        ids = await open_payments(pool, LISTENERS)
        settle_in()
        line.send(Here(os.getpid(), studio.port, studio.key, ids))
        changes: Counter[PaymentId] = Counter(dict.fromkeys(ids, 1))
        try:
            while count := await told(line):
                line.send(await let_happen(studio, ids, changes, count))
        except EOFError:
            pass
    pool.terminate()


async def let_happen(
    studio: Studio, ids: list[PaymentId], changes: Counter[PaymentId], count: int
) -> Done:
    """Commit so many changes, evenly spread over the seconds they have."""
    loop = asyncio.get_running_loop()
    commits: list[tuple[PaymentId, int, float]] = []

    async def one(number: int) -> None:
        await asyncio.sleep(began + number / CHANGES_SECOND - loop.time())
        payment = ids[number % len(ids)]
        changes[payment] += 1
        sequence = changes[payment]
        await change(studio.parts.pool, payment)
        commits.append((payment, sequence, perf_counter()))
        studio.news.set()

    spent, began = process_time(), loop.time()
    await asyncio.gather(*(one(number) for number in range(count)))
    return Done(commits, process_time() - spent)


if __name__ == "__main__":
    uvloop.run(main())
