"""Creates per second over HTTP with 16 clients, beside pgbench, and beside a FastAPI twin.

Each create bears an API key, an Idempotency-Key of its own and the id of an order that may have one
payment only. All use the same Postgres, with fsync on, in turn, round after round, so that a
machine that slows down slows all. pgbench is the limit: it commits the same rows, a payment and
its event, once for each client's turn, and does nothing else (pgbench.py). A create also checks
the key and the request, derives an address, builds and encodes, and answers. The twin does what
we do, the way most would write it (fastapi_twin.py). No receiver is told of anything.

The CPU time that a create takes is printed by part; it is what the rate hangs on where
clients, gateway and Postgres share their cores.

    make bench, or: .venv/bin/python -m bench.create
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple, TypeVar

import uvloop

from bench import pgbench
from bench.cpu import seconds_below, seconds_here, seconds_of
from bench.load import MARK, Load, hammer, numbered, post
from bench.sites import Site, prepare, serving, twin
from ctrip.dev import postgres
from ctrip.dev.anvil import dev_chain
from ctrip.settings import Secret
from ctrip.store.pool import Conn, connect, connection

T = TypeVar("T")

CLIENTS: Final = 16
ROUND_SECONDS: Final = 4
WARM_UP_SECONDS: Final = 2
ROUNDS: Final = 5
ORDER: Final = {
    "chain": "anvil",
    "amount": "1000000000000000000",
    "order_id": f"order-{MARK}",
}

# Autovacuum's work in the first minute, without which plans made while tables were empty stay, and
# the writing of pages that the turn before has changed.
SETTLE: Final = ("ANALYZE", "CHECKPOINT")


class Run(NamedTuple):
    """What one side did in its turn, and the CPU seconds that it took."""

    load: Load
    clients: float
    site: float
    postgres: float

    def told(self) -> str:
        """Return the CPU time of a create, by part."""
        parts = ("clients", self.clients), ("site", self.site), ("Postgres", self.postgres)
        costs = [f"{name} {spent / self.load.done * 1e6:.0f}" for name, spent in parts if spent]
        total = sum(spent for _, spent in parts)
        return f"{total / self.load.done * 1e6:.0f} us CPU ({', '.join(costs)})"


async def main() -> None:
    """Measure in turns and print the medians of the ratios of each round."""
    with tempfile.TemporaryDirectory(prefix="ctrip-bench-") as name:
        folder = Path(name)
        with postgres.start(folder / "postgres") as cluster:
            key = await prepare(cluster.url)
            async with (
                dev_chain(folder / "chain.log") as chain,
                serving(folder, cluster.url, chain.url) as ours,
                twin(folder, cluster.url, key) as theirs,
            ):
                rounds = await measure(cluster, folder, key, ours, theirs)
    print(
        f"create: {median(ours / limit for ours, limit, _ in rounds):.2f} of pgbench's INSERT of "
        f"the same rows, {median(ours / theirs for ours, _, theirs in rounds):.1f} times the twin "
        f"(medians of {ROUNDS} rounds)"
    )


async def measure(
    cluster: postgres.Cluster, folder: Path, key: str, ours: Site, theirs: Site
) -> list[tuple[float, float, float]]:
    """Return the rates of each round: ours, pgbench's, the twin's."""
    repeat_key = f"00000000-0000-4000-8000-{MARK}"
    request = post("/api/v1/payments", "127.0.0.1", key, ORDER, repeat_key=repeat_key)
    requests = numbered(request)
    for site in (ours, theirs):
        hammer(site.port, requests, clients=CLIENTS, seconds=WARM_UP_SECONDS)
    file = folder / "insert.sql"
    file.write_text(await told(cluster, pgbench.script))
    rounds = []
    for number in range(1, ROUNDS + 1):
        await told(cluster, settle)
        limit = at_most(cluster, file)
        await told(cluster, settle)
        mine = create(cluster, ours, requests)
        await told(cluster, settle)
        other = create(cluster, theirs, requests)
        rounds.append((mine.load.per_second, limit.load.per_second, other.load.per_second))
        report(number, mine, limit, other)
    return rounds


async def told(cluster: postgres.Cluster, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Do something with a connection."""
    pool = await connect(Secret(cluster.url), size_max=1)
    async with connection(pool) as conn:
        done = await work(conn)
    await pool.close()
    return done


async def settle(conn: Conn) -> None:
    """Let Postgres do now what it would do in another's turn."""
    for statement in SETTLE:
        await conn.execute(statement)


def at_most(cluster: postgres.Cluster, file: Path) -> Run:
    """Let pgbench have its turn."""
    before = seconds_below(cluster.pid)
    load, spent = pgbench.run(cluster, file, clients=CLIENTS, seconds=ROUND_SECONDS)
    return Run(load, spent, 0, seconds_below(cluster.pid) - before)


def create(cluster: postgres.Cluster, site: Site, requests: Iterator[bytes]) -> Run:
    """Let a site have its turn."""
    before = seconds_here(), seconds_of(site.pid), seconds_below(cluster.pid)
    load = hammer(site.port, requests, clients=CLIENTS, seconds=ROUND_SECONDS)
    after = seconds_here(), seconds_of(site.pid), seconds_below(cluster.pid)
    return Run(load, *(b - a for a, b in zip(before, after, strict=True)))


def report(number: int, ours: Run, limit: Run, theirs: Run) -> None:
    """Print one round."""
    load = ours.load
    print(
        f"round {number}: {load.per_second:.0f} creates/s (p50 {load.percentile(0.5):.1f} ms, "
        f"p99 {load.percentile(0.99):.1f} ms), {ours.told()}; "
        f"pgbench {limit.load.per_second:.0f}/s, {limit.told()}; "
        f"twin {theirs.load.per_second:.0f}/s, {theirs.told()}",
        flush=True,
    )


if __name__ == "__main__":
    uvloop.run(main())
