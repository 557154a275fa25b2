"""Settlement: signatures a second, sweeps a second, from confirmed to paid, and whether it delays.

A real chain and the gateway as in production, which sweeps. Detection is measured as
bench/latency.py does, from a block mined to its webhook received, three times: while nothing is to
be swept, while a thousand sweeps wait for gas to be cheaper, and while they are under way. The
shop hears of the payments that are measured alone, so that news of the thousand is not what takes
the time.
"""

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import aiohttp
import asyncpg
import uvloop
from coincurve import PrivateKey

from bench.latency import POLL_SECONDS, WORDS, Receiver, receiver
from bench.sites import launch, port_in, prepare
from ctrip.chain.wire import Endpoint
from ctrip.core.ids import Amount, RawAddress
from ctrip.core.outgoing import Outgoing
from ctrip.dev import postgres
from ctrip.dev.anvil import FUNDER, dev_chain
from ctrip.settings import Secret
from ctrip.wallet.sign import Signer

SIGNATURES: Final = 2_000
QUEUED: Final = int(os.environ.get("SWEEPS") or 1_000)
SAMPLES: Final = 100  # of detection, in each state
FOLLOWED: Final = 40  # from confirmed to paid
BLOCK_SECONDS: Final = 1.0  # while those are followed
AT_ONCE: Final = 32  # requests of ours
CHEAP, DEAR = 10**9, 10**12  # wei a unit of gas
WAIT_SECONDS_MAX: Final = 120.0
TREASURY: Final = "0x00000000000000000000000000000000000000aa"
CHAINS: Final = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: "{url}"
    confirmations: 3
    finality_depth: 64
    block_seconds: {block}
    poll_interval_seconds: {poll}
    coin: {{ symbol: ETH, decimals: 18 }}
    settlement: {{ gas_price_max_gwei: 100 }}
"""


class Bench:
    """The chain, the gateway in front of it, and its tables."""

    def __init__(
        self, session: aiohttp.ClientSession, node: Endpoint, conn: "asyncpg.Connection[Any]"
    ) -> None:
        self.base_fee = CHEAP
        self._session = session
        self._node = node
        self._conn = conn
        self._purse = asyncio.Lock()  # one payer's transactions are numbered one by one

    async def mine(self) -> None:
        await self._node.call("anvil_setNextBlockBaseFeePerGas", hex(self.base_fee))
        await self._node.call("evm_mine")

    async def create(self, **order: object) -> dict[str, Any]:
        """Create a payment of a hundredth of a coin."""
        body = {"chain": "anvil", "amount": str(10**16), **order}
        async with self._session.post("/api/v1/payments", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def pay(self, payment: Mapping[str, Any]) -> None:
        price = hex(2 * self.base_fee + 10**9)
        sent = {"from": FUNDER, "to": payment["address"], "value": hex(10**16), "gas": "0x5208"}
        async with self._purse:
            await self._node.call("eth_sendTransaction", {**sent, "gasPrice": price})

    async def count(self, where: str) -> int:
        return int(await self._conn.fetchval(f"SELECT count(*) FROM {where}"))

    async def until(self, where: str, count: int) -> None:
        """Make blocks until so many rows are there."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while await self.count(where) < count:
                await self.mine()
                await asyncio.sleep(POLL_SECONDS)

    async def detect(self, shop: Receiver) -> float:
        """Return the seconds from one block to its webhook."""
        payment = await self.create(webhook_url=shop.url)
        await self.pay(payment)
        await asyncio.sleep(random.uniform(0, POLL_SECONDS))  # noqa: S311  a phase of the poll
        await self.mine()
        mined = perf_counter()
        return await shop.detected(payment["id"]) - mined

    async def fill(self) -> None:
        """Let a thousand sweeps wait for cheaper gas."""
        before = await self.count("sweeps")
        limit = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with limit:
                await self.pay(await self.create())

        await asyncio.gather(*(one() for _ in range(QUEUED)))
        await self.mine()
        self.base_fee = DEAR  # before they are deep enough
        await self.until("sweeps", before + QUEUED)
        await self.until("sweeps WHERE state = 'queued' AND why LIKE '%gas_price_max%'", QUEUED)

    async def let_go(self) -> list[Any]:
        """Let those that wait look at the price at once; return them."""
        self.base_fee = CHEAP
        await self.mine()
        rows = await self._conn.fetch(
            "UPDATE sweeps SET due_at = now() WHERE state = 'queued' RETURNING id"
        )
        return [row["id"] for row in rows]

    async def rate(self, let_go: list[Any]) -> float:
        """Return how many of these sweeps were sent in a second."""
        seconds = await self._conn.fetchval(
            "SELECT extract(epoch FROM max(sent_at) - min(created_at)) FROM sendings "
            "WHERE sweep_id = ANY($1::uuid[])",
            let_go,
        )
        return len(let_go) / float(seconds)

    async def from_confirmed_to_paid(self) -> list[float]:
        """Return the seconds that settlement took, payment by payment."""
        rows = await self._conn.fetch(
            "SELECT extract(epoch FROM p.created_at - c.created_at) AS seconds FROM events c "
            "JOIN events p USING (payment_id) "
            "WHERE c.type = 'payment.confirmed' AND p.type = 'payment.paid'"
        )
        return sorted(float(row["seconds"]) for row in rows)


async def main() -> None:
    """Measure one after the other, and print."""
    signing()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ctrip-bench-")))
        cluster = stack.enter_context(postgres.start(folder / "postgres"))
        key = await prepare(cluster.url)
        chain = await stack.enter_async_context(dev_chain(folder / "chain", block_seconds=None))
        shop = await stack.enter_async_context(receiver())
        node = Endpoint("anvil", Secret(chain.url))
        stack.push_async_callback(node.close)
        port = await stack.enter_async_context(gateway(folder, cluster.url, chain.url))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}
            )
        )
        conn = await asyncpg.connect(cluster.url)
        stack.push_async_callback(conn.close)
        await measure(Bench(session, node, conn), shop)


async def measure(it: Bench, shop: Receiver) -> None:
    """Go through the states."""
    async with blocks(it):
        for _ in range(FOLLOWED):
            await it.pay(await it.create())
            await asyncio.sleep(random.uniform(0, BLOCK_SECONDS))  # noqa: S311  a phase of blocks
        await it.until("events WHERE type = 'payment.paid'", FOLLOWED)
    told("from confirmed to paid", await it.from_confirmed_to_paid())
    print(f"blocks came every {BLOCK_SECONDS:g} s; the sweep waits for one of them")
    without = told("detection, nothing to sweep", await samples(it, shop))
    await it.fill()
    waiting = told(f"detection, {QUEUED} sweeps wait", await samples(it, shop))
    sent = await it.count("sendings")
    let_go = await it.let_go()
    busy = told(f"detection, {QUEUED} sweeps on their way", await samples(it, shop))
    print(f"{await it.count('sendings') - sent} sweeps were sent meanwhile")
    await it.until("sendings WHERE state IN ('mined', 'sent')", sent + len(let_go))
    print(f"sweeps: {await it.rate(let_go):.0f}/s asked about, signed, written and sent")
    print(
        f"detection at p99 beside an empty queue: {waiting / without:.2f} and {busy / without:.2f}"
    )


async def samples(it: Bench, shop: Receiver) -> list[float]:
    """Detect one payment after the other."""
    return sorted([await it.detect(shop) for _ in range(SAMPLES)])


def told(what: str, took: list[float]) -> float:
    """Print the percentiles, and return the 99th."""
    p50, p99 = median(took), took[min(len(took) - 1, int(0.99 * len(took)))]
    print(f"{what}: {p50 * 1e3:.0f} ms at p50, {p99 * 1e3:.0f} ms at p99 ({len(took)})")
    return p99


@asynccontextmanager
async def blocks(it: Bench) -> AsyncIterator[None]:
    """Make blocks as a chain does."""

    async def make() -> None:
        while True:
            await it.mine()
            await asyncio.sleep(BLOCK_SECONDS)

    making = asyncio.create_task(make())
    try:
        yield
    finally:
        making.cancel()
        with suppress(asyncio.CancelledError):
            await making


@asynccontextmanager
async def gateway(folder: Path, database: str, rpc: str) -> AsyncIterator[int]:
    """Serve from a process of its own, and sweep; yield its port."""
    text = CHAINS.format(url=rpc, poll=POLL_SECONDS, block=BLOCK_SECONDS)
    (folder / "chains.yaml").write_text(text)
    words = folder / "words"
    words.touch(0o600)
    words.write_text(WORDS)
    settings = {
        "DATABASE_URL": database,
        "CTRIP_WALLET_MNEMONIC": WORDS,
        "CTRIP_SETTLEMENT_MODE": "sweep",
        "CTRIP_SETTLEMENT_TREASURY": TREASURY,
        "CTRIP_SETTLEMENT_MNEMONIC_FILE": str(words),
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_SERVER_RATE_PER_KEY": "0",
        "CTRIP_CHAINS_FILE": str(folder / "chains.yaml"),
        "CTRIP_CHAINS_USE": "anvil",
        "CTRIP_WEBHOOKS_SECRETS_KEY": "bench" * 8,
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


def signing() -> None:
    """Sign transactions of as many addresses, and with libsecp256k1 alone as many digests."""
    signer = Signer(bytearray(WORDS.encode()))
    made = [an_outgoing(signer.address(index)) for index in range(SIGNATURES)]
    began = perf_counter()
    for index, outgoing in enumerate(made):
        signer.sign(outgoing, index=index)
    ours = SIGNATURES / (perf_counter() - began)
    key, digests = PrivateKey(), [os.urandom(32) for _ in range(SIGNATURES)]
    began = perf_counter()
    for digest in digests:
        key.sign_recoverable(digest, hasher=None)
    bare = SIGNATURES / (perf_counter() - began)
    print(f"signing: {ours:,.0f} transactions/s, each with the key of its address derived")
    print(
        f"libsecp256k1 alone, key and digest at hand: {bare:,.0f}/s, a ratio of {ours / bare:.2f}"
    )


def an_outgoing(sender: RawAddress) -> Outgoing:
    """Return a transaction that moves coin."""
    return Outgoing(
        chain_id=31337,
        sender=sender,
        nonce=0,
        to=RawAddress(TREASURY),
        value=Amount(10**16),
        gas=21_000,
        max_fee=10**9,
        priority_fee=10**8,
    )


if __name__ == "__main__":
    uvloop.run(main())
