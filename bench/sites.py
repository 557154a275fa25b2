"""The servers that benches ask: ctrip as in production, and its FastAPI twin, each a process."""

import asyncio
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ctrip.clock import SystemClock
from ctrip.flows.keys import make_key
from ctrip.settings import Secret
from ctrip.store import accounts
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import connect, connection

START_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 0.05
STOP_SECONDS_MAX: Final = 10.0
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
SERVING: Final = re.compile(rb"http://127\.0\.0\.1:(\d+)")
CTRIP: Final = ("ctrip", "serve")
TWIN: Final = (
    *("uvicorn", "bench.fastapi_twin:app", "--host", "127.0.0.1", "--port", "0"),
    *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
)


class Site(NamedTuple):
    """A server that makes payments."""

    port: int
    pid: int


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
    """Serve ctrip; yield its port."""
    async with serving(folder, database, rpc) as site:
        yield site.port


@asynccontextmanager
async def serving(folder: Path, database: str, rpc: str) -> AsyncIterator[Site]:
    """Serve ctrip, without the limits of rate, which are not measured."""
    (folder / "chains.yaml").write_text(CHAINS.format(url=rpc))
    settings = {
        "DATABASE_URL": database,
        "CTRIP_WALLET_XPUB": XPUB,
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_SERVER_RATE_PER_KEY": "0",
        "CTRIP_PAYMENTS_ORDER_ID_UNIQUE": "true",
        "CTRIP_CHAINS_FILE": str(folder / "chains.yaml"),
        "CTRIP_CHAINS_USE": "anvil",
    }
    async with running(CTRIP, settings, folder / "gateway.log") as site:
        yield site


@asynccontextmanager
async def twin(folder: Path, database: str, key: str) -> AsyncIterator[Site]:
    """Serve the twin, which takes the same key."""
    settings = {"DATABASE_URL": database, "API_KEY": key, "XPUB": XPUB}
    async with running(TWIN, settings, folder / "twin.log") as site:
        yield site


@asynccontextmanager
async def running(
    module: Sequence[str], settings: dict[str, str], log: Path
) -> AsyncIterator[Site]:
    """Run a server until it is no longer wanted."""
    process = launch(settings, log, module)
    try:
        yield Site(await port_in(log, process), process.pid)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def launch(
    settings: dict[str, str], log: Path, module: Sequence[str] = CTRIP
) -> "subprocess.Popen[bytes]":
    """Start a server: `ctrip serve`, or another module with its arguments."""
    command = [sys.executable, "-m", *module]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=os.environ | settings, stderr=output)  # noqa: S603


async def port_in(log: Path, process: "subprocess.Popen[bytes]") -> int:
    """Return the port a server says it serves at, once all of it works."""
    for _ in range(int(START_SECONDS_MAX / LOOK_SECONDS)):
        said = SERVING.search(read(log))
        if said and is_ready(int(said[1])):
            return int(said[1])
        if process.poll() is not None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    raise SystemExit(f"a server did not start:\n{read(log).decode()}")


def read(log: Path) -> bytes:
    """Return what a server has said so far."""
    return log.read_bytes()


def is_ready(port: int) -> bool:
    """Tell whether every part of a server works."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except OSError:
        return False
