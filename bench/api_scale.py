"""What a list, a read and a create take among 10,000 payments and among 1,000,000.

Two gateways, each a process with a database of its own, on one Postgres with fsync on. Each
client asks one and then the other, request by request, so that a machine that slows down slows
both alike. The payments are of a thousand keys, and what lists look for is rare: a status that
two payments have, a chain that a few are on.

    make bench, or: .venv/bin/python -m bench.api_scale
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import uvloop

from bench.load import post
from bench.sites import CHAINS, XPUB, launch, port_in
from ctrip.clock import SystemClock
from ctrip.dev import postgres
from ctrip.dev.anvil import dev_chain
from ctrip.flows.keys import make_key
from ctrip.settings import Secret
from ctrip.store import accounts
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import connect, connection

COUNTS: Final = (10_000, 1_000_000)
RATIO_MAX: Final = 1.5  # of the p99 among the many to that among the few
ROUNDS: Final = 5
SECONDS: Final = 1.5  # for each kind in a round
CLIENTS: Final = 2  # more than one, and few enough that a request waits for its work alone
SAMPLED: Final = 2_000  # payments that are read, one after the other
HOST: Final = "127.0.0.1"
ALL: Final = "/api/v1/payments"

# The newest of the chain that is served wait for money; those of other chains stay as they are.
# So money is of other chains only, or the watcher would look for it on this one in vain.
FILL: Final = """
INSERT INTO payments (id, owner, chain, chain_id, asset, currency, decimals, address, wallet,
    derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, order_id, metadata, sequence, status, closed, lapsed, detected_in_block,
    amount_received)
SELECT gen_random_uuid(), CASE WHEN n % 10 < 6 THEN $2 ELSE
        ('00000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid END,
    CASE WHEN n % (1 + $1 / 5) = 7 THEN 'rare'
        ELSE (ARRAY['anvil', 'base', 'polygon'])[1 + n % 3] END,
    31337, 'native', 'ETH', 18, '0x' || lpad(to_hex(n), 40, '0'), 'bench', n, 1000, 3, false, at,
    at + interval '30 min', at + interval '1 day', 'order-' || n, '{"cart": "77"}', 4, status,
    status IN ('settled', 'expired', 'failed'), status <> 'pending',
    CASE WHEN status IN ('settled', 'confirmed') THEN 1 END,
    CASE WHEN status IN ('settled', 'confirmed') THEN 1000 ELSE 0 END
FROM (
    SELECT n, now() - make_interval(secs => ($1 - n) * 3) AS at, CASE
        WHEN n IN (1000, 4000) THEN 'confirmed' WHEN n > $1 - 300 THEN 'pending'
        WHEN n % 100 < 80 THEN 'settled' WHEN n % 100 < 97 THEN 'expired'
        ELSE 'failed' END AS status
    FROM generate_series(1, $1::int) AS n) AS drawn
"""
PAY: Final = """
INSERT INTO transfers (chain, tx_hash, asset, recipient, ordinal, payment_id, sender, amount,
    block_number, block_hash, block_time, source, vouched, orphaned, movable)
SELECT chain, '0x' || md5(id::text) || md5(address), 'native', lower(address), 0, id,
    '0x' || repeat('fa', 20), 1000, detected_in_block, '0x' || md5(address), created_at,
    'transaction', false, false, false
FROM payments WHERE status = 'settled' AND derivation_index % 4 = 0 AND chain <> 'anvil'
"""


Times = dict[tuple[str, int], list[float]]  # milliseconds, by kind and size


class Site(NamedTuple):
    """A gateway, and what it is asked: by kind, one request after the other."""

    payments: int
    port: int
    asked: Mapping[str, Sequence[bytes]]


async def main() -> None:
    """Measure in turns, and print what each kind takes."""
    with tempfile.TemporaryDirectory(prefix="ctrip-bench-") as name:
        folder = Path(name)
        with postgres.start(folder / "postgres") as cluster:
            urls = {count: cluster.create(f"with_{count}") for count in COUNTS}
            asked = {count: await fill(urls[count], count) for count in COUNTS}
            async with (
                dev_chain(folder / "chain.log") as chain,
                gateway(folder / "few", urls[COUNTS[0]], chain.url) as few,
                gateway(folder / "many", urls[COUNTS[1]], chain.url) as many,
            ):
                sites = [
                    Site(count, port, asked[count])
                    for count, port in zip(COUNTS, (few, many), strict=True)
                ]
                times = await measure(sites)
    report(times)


async def measure(sites: Sequence[Site]) -> Times:
    """Return what every request took."""
    times: Times = {}
    for number in range(-1, ROUNDS):  # the first warms up
        for kind in sites[0].asked:
            took = await asyncio.gather(*(client(sites, kind, n) for n in range(CLIENTS)))
            for size, milliseconds in (pair for of_client in took for pair in of_client.items()):
                if number >= 0:
                    times.setdefault((kind, size), []).extend(milliseconds)
    return times


def report(times: Times) -> None:
    """Print p50 and p99 of each kind at each size, and how they grow."""
    few, many = COUNTS
    worst = 0.0
    for kind in dict.fromkeys(kind for kind, _ in times):
        p50, p99 = ([at(times[kind, n], share) for n in COUNTS] for share in (0.5, 0.99))
        worst = max(worst, p99[1] / p99[0])
        print(
            f"{kind:28} p50 {p50[0]:5.2f} -> {p50[1]:5.2f} ms ({p50[1] / p50[0]:.2f}x)   "
            f"p99 {p99[0]:5.2f} -> {p99[1]:5.2f} ms ({p99[1] / p99[0]:.2f}x)"
        )
    print(f"from {few} to {many} payments: p99 grows {worst:.2f}x at most; {RATIO_MAX}x is allowed")


def at(milliseconds: Sequence[float], share: float) -> float:
    """Return the time within which this share of the requests was answered."""
    return sorted(milliseconds)[int(share * (len(milliseconds) - 1))]


async def fill(url: str, count: int) -> dict[str, list[bytes]]:
    """Write payments, and return what to ask of whoever serves them."""
    pool = await connect(Secret(url), size_max=1)
    now = SystemClock().now()
    keys = [
        make_key(name, scopes, now)
        for name, scopes in (("shop", ["read", "write"]), ("admin", ["admin"]))
    ]
    async with connection(pool) as conn:
        await migrate(conn, read_files())
        for _, record, digest in keys:
            await accounts.add(conn, record, digest)
        await conn.execute(FILL, count, keys[0][1].id, timeout=300)
        await conn.execute(PAY, timeout=300)
        await conn.execute("VACUUM ANALYZE", timeout=300)
        await conn.execute("CHECKPOINT", timeout=300)  # or it is written while we measure
        rows = await conn.fetch(
            "SELECT id, created_at FROM payments WHERE owner = $1 ORDER BY random() LIMIT $2",
            keys[0][1].id, SAMPLED,
        )  # fmt: skip
        middle = await conn.fetchval(
            "SELECT created_at FROM payments WHERE derivation_index = $1", count // 3
        )
    await pool.close()
    return requests(keys[0][0], keys[1][0], [row["id"] for row in rows], middle, count)


def requests(
    shop: str, admin: str, ids: Sequence[UUID], middle: datetime, count: int
) -> dict[str, list[bytes]]:
    """Return what is asked, by kind."""
    back = f"created_before={quote(middle.isoformat())}"
    orders = range(1, count, count // SAMPLED)
    body = {"chain": "anvil", "amount": "1000000000000000000", "order_id": "A-1"}
    return {
        "create": [post(ALL, HOST, shop, body)],
        "get": [get(f"{ALL}/{one}", shop) for one in ids],
        "list": [get(ALL, shop)],
        "list, 100 rows": [get(f"{ALL}?limit=100", shop)],
        "list, status": [get(f"{ALL}?status=expired", shop)],
        "list, chain, far back": [get(f"{ALL}?chain=base&{back}", shop)],
        "list, order": [get(f"{ALL}?order_id=order-{n}", shop) for n in orders],
        "everybody's": [get(ALL, admin)],
        "everybody's, far back": [get(f"{ALL}?{back}", admin)],
        "everybody's, a rare status": [get(f"{ALL}?status=confirmed", admin)],
        "everybody's, a rare chain": [get(f"{ALL}?chain=rare", admin)],
        "everybody's, order": [get(f"{ALL}?order_id=order-{n}", admin) for n in orders],
    }


def get(path: str, key: str) -> bytes:
    """Return a request as bytes."""
    head = f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer {key}\r\n\r\n"
    return head.encode()


@asynccontextmanager
async def gateway(folder: Path, database: str, rpc: str) -> AsyncIterator[int]:
    """Serve from a process of its own, as in production; yield its port."""
    chains = folder / "chains.yaml"
    write(chains, CHAINS.format(url=rpc))
    settings = {
        "DATABASE_URL": database,
        "CTRIP_WALLET_XPUB": XPUB,
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_SERVER_RATE_PER_KEY": "0",
        "CTRIP_CHAINS_FILE": str(chains),
        "CTRIP_CHAINS_USE": "anvil",
    }
    log = folder / "gateway.log"
    process = launch(settings, log)
    try:
        yield await port_in(log, process)
    finally:
        process.terminate()
        process.wait(10)


def write(file: Path, text: str) -> None:
    """Write a file, in a folder of its own."""
    file.parent.mkdir()
    file.write_text(text)


async def client(sites: Sequence[Site], kind: str, number: int) -> dict[int, list[float]]:
    """Be one client, who asks each in turn; return by size what each request took."""
    lines = [await asyncio.open_connection(HOST, site.port) for site in sites]
    times: dict[int, list[float]] = {site.payments: [] for site in sites}
    end = perf_counter() + SECONDS
    place = number * len(sites[0].asked[kind]) // CLIENTS
    while perf_counter() < end:
        for site, (reader, writer) in zip(sites, lines, strict=True):
            asked = site.asked[kind]
            sent = perf_counter()
            writer.write(asked[place % len(asked)])
            await success(reader)
            times[site.payments].append((perf_counter() - sent) * 1_000)
        place += 1
    for _, writer in lines:
        writer.close()
    return times


async def success(reader: asyncio.StreamReader) -> None:
    """Read an answer; one that is no success ends the bench."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 20"):
        sys.exit(f"{head[:40]!r} {body[:200]!r}")


if __name__ == "__main__":
    uvloop.run(main())
