"""From block to shop: how long after a block was mined its webhook is received.

A real chain that mines when told to, the gateway as in production, a receiver. Each
payment's block is mined at a random moment of the gateway's polling, so waiting for the
next poll takes half the interval at the median and all of it at worst. What comes on top
is ours: reading the block, writing the payment, signing and sending the news.
"""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import aiohttp
import uvloop
from aiohttp import web
from msgspec import json

from bench.sites import launch, port_in, prepare
from ctrip.chain.wire import Endpoint
from ctrip.dev import postgres
from ctrip.dev.anvil import FUNDER, dev_chain
from ctrip.settings import Secret

SAMPLES: Final = 100
WARM_UPS: Final = 3
POLL_SECONDS: Final = 0.5
WEBHOOK_SECONDS_MAX: Final = 10.0
CHAINS: Final = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: "{url}"
    confirmations: 3
    finality_depth: 64
    poll_interval_seconds: {poll}
    coin: {{ symbol: ETH, decimals: 18 }}
"""
WORDS: Final = "abandon " * 11 + "about"  # of BIP-39; anvil's own would be those of the payer
DETECTED: Final = "payment.detected"


class Receiver:
    """The shop's end: notes when the news of each payment came."""

    def __init__(self) -> None:
        self.url = ""
        self._came: dict[str, asyncio.Future[float]] = {}

    async def detected(self, payment_id: str) -> float:
        """Return when it was told that a payment was detected."""
        return await asyncio.wait_for(self._of(payment_id), WEBHOOK_SECONDS_MAX)

    async def answer(self, request: web.Request) -> web.Response:
        now = perf_counter()
        event = json.decode(await request.read())
        if event["type"] == DETECTED and not (news := self._of(event["data"]["id"])).done():
            news.set_result(now)
        return web.Response()

    def _of(self, payment_id: str) -> "asyncio.Future[float]":
        loop = asyncio.get_running_loop()
        return self._came.setdefault(payment_id, loop.create_future())


async def main() -> None:
    """Mine and wait, again and again, and print the percentiles."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ctrip-bench-")))
        cluster = stack.enter_context(postgres.start(folder / "postgres"))
        key = await prepare(cluster.url)
        log = folder / "chain.log"
        chain = await stack.enter_async_context(dev_chain(log, block_seconds=None))
        shop = await stack.enter_async_context(receiver())
        port = await stack.enter_async_context(gateway(folder, cluster.url, chain.url, shop.url))
        node = Endpoint("anvil", Secret(chain.url))
        stack.push_async_callback(node.close)
        headers = {"authorization": f"Bearer {key}"}
        session = await stack.enter_async_context(
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers)
        )
        took = [await sample(session, node, shop) for _ in range(WARM_UPS + SAMPLES)]
    report(sorted(took[WARM_UPS:]))


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listen for webhooks."""
    shop = Receiver()
    app = web.Application()
    app.router.add_post("/", shop.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        shop.url = f"http://{host}:{port}/"
        yield shop
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateway(folder: Path, database: str, rpc: str, webhook: str) -> AsyncIterator[int]:
    """Serve from a process of its own, as in production; yield its port."""
    (folder / "chains.yaml").write_text(CHAINS.format(url=rpc, poll=POLL_SECONDS))
    settings = {
        "DATABASE_URL": database,
        "CTRIP_WALLET_MNEMONIC": WORDS,
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_CHAINS_FILE": str(folder / "chains.yaml"),
        "CTRIP_CHAINS_USE": "anvil",
        "CTRIP_WEBHOOKS_URL": webhook,
        "CTRIP_WEBHOOKS_SECRET": "whsec_" + "bench0" * 6,
        "CTRIP_WEBHOOKS_ALLOW_CIDRS": "127.0.0.0/8",
    }
    log = folder / "gateway.log"
    process = launch(settings, log)
    try:
        yield await port_in(log, process)
    finally:
        process.terminate()
        process.wait(10)


async def sample(session: aiohttp.ClientSession, node: Endpoint, shop: Receiver) -> float:
    """Return the seconds from one block to its webhook."""
    body = {"chain": "anvil", "amount": "1"}
    async with session.post("/api/v1/payments", json=body) as answer:
        payment = await answer.json()
    sent = {"from": FUNDER, "to": payment["address"], "value": "0x1"}
    await node.call("eth_sendTransaction", sent)
    await asyncio.sleep(random.uniform(0, POLL_SECONDS))  # noqa: S311  a phase of the poll
    await node.call("evm_mine")
    mined = perf_counter()
    return await shop.detected(payment["id"]) - mined


def report(took: list[float]) -> None:
    """Print what was measured beside what waiting for the poll explains."""
    poll = POLL_SECONDS * 1e3
    p50, p99 = median(took) * 1e3, took[min(len(took) - 1, int(0.99 * len(took)))] * 1e3
    print(
        f"latency: {p50:.0f} ms at p50 and {p99:.0f} ms at p99 from a block mined to its webhook "
        f"received ({len(took)} blocks)"
    )
    print(
        f"polling every {poll:.0f} ms explains {poll / 2:.0f} and {poll:.0f} ms of it: "
        f"on top {p50 - poll / 2:.0f} ms at p50, {p99 - poll:.0f} ms at p99"
    )


if __name__ == "__main__":
    uvloop.run(main())
