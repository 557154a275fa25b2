"""Creates per second over HTTP with 16 clients, beside pgbench doing only the INSERT.

All use the same Postgres, with fsync on, in turn, round after round, so that a machine
that slows down slows all. pgbench is the limit: it commits the same rows, a payment and
its event, once for each client's turn, and does nothing else. A create also checks the key and the
request, derives an address, builds and encodes, and answers. A second pgbench leaves the
event out, for those who count only the payment's row.

    make bench, or: .venv/bin/python -m bench.create
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from bench.load import Load, hammer, post
from ctrip.clock import SystemClock
from ctrip.core.errors import OutageError
from ctrip.dev import postgres
from ctrip.dev.anvil import dev_chain
from ctrip.settings import Secret
from ctrip.store import accounts
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import connect, connection
from ctrip.web.auth import make_key

CLIENTS: Final = 16
ROUND_SECONDS: Final = 4
BODY_SIZE: Final = 870  # bytes of a payment.created
ROUNDS: Final = 5
START_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 0.05
XPUB: Final = (
    "xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54"
    "JoNXVsXFYSYwHsnJxqP"
)  # of anvil's published words
CHAINS: Final = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: "{url}"
    confirmations: 3
    finality_depth: 64
    poll_interval_seconds: 1
    coin: {{ symbol: ETH, decimals: 18 }}
"""
PAYMENT: Final = """
\\set a random(0, 9223372036854775806)
\\set b random(0, 9223372036854775806)
\\set c random(0, 4294967295)
WITH payment AS (
INSERT INTO payments (id, chain, chain_id, token_id, contract, asset, currency, decimals, address,
    wallet, derivation_index, amount, confirmations_required, accepts_late, created_at, expires_at,
    watched_until, order_id, description, metadata, redirect_url, webhook_url, sequence)
VALUES (gen_random_uuid(), 'bench', 31337, NULL, NULL, 'native', 'ETH', 18,
    '0x' || lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0')
        || lpad(to_hex(:c::bigint), 8, '0'),
    'bench', :c, 1000000000000000000, 3, false, now(), now() + interval '30 minutes',
    now() + interval '1 day', 'order-1', NULL, '{}', NULL, NULL, 1)
RETURNING id)
"""
ALONE: Final = PAYMENT + "SELECT id FROM payment;"
WITH_EVENT: Final = f"""{PAYMENT}
INSERT INTO events (id, payment_id, sequence, type, body, created_at)
SELECT 'evt_' || lpad(to_hex(:a::bigint), 16, '0') || lpad(to_hex(:b::bigint), 16, '0'), id, 1,
    'payment.created', convert_to('{"x" * BODY_SIZE}', 'UTF8'), now() FROM payment;
"""
SERVING: Final = re.compile(rb"http://127\.0\.0\.1:(\d+)")


async def main() -> None:
    """Measure in turns and print the ratio of the medians of each round."""
    with tempfile.TemporaryDirectory(prefix="ctrip-bench-") as name:
        folder = Path(name)
        with postgres.start(folder / "postgres") as cluster:
            key = await prepare(cluster.url)
            async with (
                dev_chain(folder / "chain.log") as chain,
                gateway(folder, cluster.url, chain.url) as port,
            ):
                body = {"chain": "anvil", "amount": "1000000000000000000", "order_id": "order-1"}
                request = post("/api/v1/payments", "127.0.0.1", key, body)
                await hammer(port, request, clients=CLIENTS, seconds=2)
                rounds = []
                for number in range(1, ROUNDS + 1):
                    same = pgbench(cluster, folder, WITH_EVENT)
                    ours = await hammer(port, request, clients=CLIENTS, seconds=ROUND_SECONDS)
                    alone = pgbench(cluster, folder, ALONE)
                    rounds.append((ours.per_second / same, ours.per_second / alone))
                    report(number, ours, same, alone)
    print(
        f"create: {median(r[0] for r in rounds):.2f} of pgbench's INSERT of the same rows, "
        f"{median(r[1] for r in rounds):.2f} of its INSERT of the payment alone "
        f"(medians of {ROUNDS} rounds)"
    )


def report(number: int, ours: Load, same: float, alone: float) -> None:
    """Print one round."""
    print(
        f"round {number}: {ours.per_second:.0f} creates/s (p50 {ours.percentile(0.5):.1f} ms, "
        f"p99 {ours.percentile(0.99):.1f} ms), pgbench {same:.0f}/s with the event, "
        f"{alone:.0f}/s without"
    )


async def prepare(url: str) -> str:
    """Migrate, and return an API key."""
    pool = await connect(Secret(url), size_max=1)
    text, record, digest = make_key("bench", frozenset({"write"}), SystemClock().now())
    async with connection(pool) as conn:
        await migrate(conn, read_files())
        await accounts.add(conn, record, digest)
    await pool.close()
    return text


@asynccontextmanager
async def gateway(folder: Path, database: str, rpc: str) -> AsyncIterator[int]:
    """Serve from a process of its own, as in production; yield its port."""
    (folder / "chains.yaml").write_text(CHAINS.format(url=rpc))
    settings = {
        "DATABASE_URL": database,
        "CTRIP_WALLET_XPUB": XPUB,
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_CHAINS_FILE": str(folder / "chains.yaml"),
        "CTRIP_CHAINS_USE": "anvil",
    }
    log = folder / "gateway.log"
    process = launch(settings, log)
    try:
        yield await port_in(log, process)
    finally:
        process.terminate()
        process.wait(10)


def launch(settings: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start `ctrip serve`."""
    command = [sys.executable, "-m", "ctrip", "serve"]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=os.environ | settings, stderr=output)  # noqa: S603


async def port_in(log: Path, process: "subprocess.Popen[bytes]") -> int:
    """Return the port the gateway says it serves at, once it has read its chain."""
    for _ in range(int(START_SECONDS_MAX / LOOK_SECONDS)):
        said = SERVING.search(read(log))
        if said and is_ready(int(said[1])):
            return int(said[1])
        if process.poll() is not None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    raise SystemExit(f"the gateway did not start:\n{read(log).decode()}")


def read(log: Path) -> bytes:
    """Return what the gateway has said so far."""
    return log.read_bytes()


def is_ready(port: int) -> bool:
    """Tell whether every part of the gateway works."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except OSError:
        return False


def pgbench(cluster: postgres.Cluster, folder: Path, sql: str) -> float:
    """Return how many INSERTs a second Postgres commits with as many clients."""
    script = folder / "insert.sql"
    script.write_text(sql)
    done = subprocess.run(  # noqa: S603  Postgres's own program
        [
            *(cluster.programs / "pgbench", "--no-vacuum", "--protocol=prepared"),
            *("--client", str(CLIENTS), "--jobs", "2", "--time", str(ROUND_SECONDS)),
            *("--file", script, cluster.url),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not (found := re.search(r"tps = ([0-9.]+)", done.stdout)):
        raise OutageError(done.stderr)
    return float(found[1])


if __name__ == "__main__":
    uvloop.run(main())
