"""A shop on a real node: anvil seen through RpcChain, one database, one clock.

    payment = await world.create(world.usd, 100)
    await world.usd.send("transfer(address,uint256)", payment.address, 100)
    await world.mine()
    await world.shows(payment, 100, "detected")

Node and database live for the session: making a database takes longer than a test here. A
world has a chain of a name of its own, so another's trap that holds up its watcher, or fills
its tables, is not seen. Addresses are never handed out twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.core.finality import Depth
from ctrip.core.ids import AMOUNT_MAX, Amount, ChainName, RawAddress, TxHash, raw
from ctrip.core.payment import Payment, Status
from ctrip.core.scan import UNNAMED_BLOCKS_MAX
from ctrip.flows.audit import Auditor
from ctrip.flows.create import Creator, Order
from ctrip.flows.expire import Expirer
from ctrip.flows.health import Health
from ctrip.flows.price import Pricer
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Payments, Secret
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import checksum
from ctrip.webhooks.guard import Guard
from tests.flows.world import WALLET
from tests.support.anvil import FUNDER, Anvil
from tests.support.builders import new
from tests.support.clock import FakeClock
from tests.support.token_contracts import GAS, Contract, deploy

CHAIN_ID: Final = 31337
PASSES_MAX: Final = 100
NUMBERS: Final = count(1)
# How long a block is said to take decides how a chain is read.
SECONDS_BLOCK_BY_BLOCK: Final = 12
SECONDS_IN_RANGES: Final = 1
WHOLE_WAY: Final = ("detected", "confirmed", "paid", "settled")


def a_chain(name: ChainName, block_seconds: float) -> Chain:
    return Chain(
        name=name,
        chain_id=CHAIN_ID,
        confirmations=Depth(2),
        finality_depth=8,
        poll_interval_seconds=1,
        block_seconds=block_seconds,
    )


def client_of(chain: Chain, url: str, clock: Clock) -> ChainClient:
    return RpcChain(chain, [Secret(url)], clock)


class World:
    """Everything but the senders. `usd` is listed and has no quirk; the payer owns plenty of it."""

    payer: Final = FUNDER

    def __init__(
        self, node: Anvil, usd: Contract, pool: Pool, clock: FakeClock, block_seconds: float
    ) -> None:
        self.node = node
        self.usd = usd
        self.pool = pool
        self.clock = clock
        self.name = ChainName(f"anvil-{next(NUMBERS)}")
        self.served = a_chain(self.name, block_seconds)
        self.lists(usd)
        self.client = client_of(self.served, node.url, clock)
        self.news = asyncio.Event()
        self.health = Health(clock, [self.served])
        self.expirer = Expirer(self.name, pool, clock, self.news)

    def lists(self, *contracts: Contract | RawAddress, **changes: Any) -> None:
        """Write tokens into chains.yaml, as it were."""
        places = [c.address if isinstance(c, Contract) else c for c in contracts]
        new = [replace(self.token(place), **changes) for place in places]
        listed = [t for t in self.served.tokens if t.asset not in {n.asset for n in new}]
        self.served = replace(self.served, tokens=(*listed, *new))

    def token(self, contract: RawAddress) -> Token:
        return Token(
            chain=self.name,
            chain_id=CHAIN_ID,
            contract=checksum(contract),
            symbol="USD",
            decimals=6,
        )

    async def deploy(self, constructor: str, *args: object) -> Contract:
        """Deploy a token that is listed from now on."""
        contract = await deploy(self.node, constructor, *args)
        self.lists(contract)
        return contract

    async def deploy_minted(self, constructor: str) -> Contract:
        """Deploy a token, listed, of which the payer owns plenty."""
        contract = await self.deploy(constructor)
        await contract.send("mint(address,uint256)", FUNDER, 10**12)
        await self.mine()
        return contract

    async def create(self, token: Contract | None, amount: int = 100, **asked: Any) -> Payment:
        """Ask for a payment in a listed token, or in native coin."""
        token_id = self.token(token.address).id if token else None
        order = Order(chain=self.name, amount=Amount(amount), token_id=token_id, **asked)
        network = Network(chain=self.served, rpc_urls=())
        creator = Creator(
            [network],
            Payments(),
            WALLET,
            self.pool,
            self.clock,
            Guard(("127.0.0.0/8",)),
            self.news,
            pricer=Pricer({}, self.clock),
        )
        return new(await creator.create(order))

    async def send_as(
        self, owner: RawAddress, to: RawAddress, *, data: str = "0x", value: int = 0
    ) -> None:
        """Send from an address of ours, as if we had its key at hand; gas is free."""
        await self.node.rpc("anvil_impersonateAccount", owner)
        await self.node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        sent = {"from": owner, "to": to, "data": data, "value": hex(value), "gas": hex(GAS)}
        await self.node.rpc("eth_sendTransaction", {**sent, "gasPrice": "0x0"})

    async def watch(self, client: ChainClient | None = None) -> None:
        """Read until there is nothing more to read."""
        watcher = Watcher(
            self.served, client or self.client, self.pool, self.clock, self.health, self.news
        )
        for _ in range(PASSES_MAX):
            if not await watcher.run_once():
                return
        raise AssertionError("the watcher never comes to an end")

    async def mine(self, blocks: int = 1) -> None:
        """Mine block by block, and read each."""
        for _ in range(blocks):
            await self.node.mine()
            await self.watch()

    async def audit(self) -> None:
        """Weigh all addresses, and let what was found get final."""
        auditor = Auditor(self.served, self.client, self.pool, self.clock, self.news)
        await auditor.run_once()
        await self.mine(3)
        await auditor.run_once()

    async def pass_a_minute(self) -> None:
        """Let time pass on both clocks, too little for a standstill, and deadlines with it.

        These wait for the logs that may be owed.
        """
        for _ in range(2 + UNNAMED_BLOCKS_MAX):
            self.clock.move(seconds=31)
            await self.node.rpc("evm_setNextBlockTimestamp", int(self.clock.now().timestamp()))
            await self.mine()
        while await self.expirer.run_once():
            pass

    async def receipt(self, tx_hash: TxHash) -> Any:
        return await self.node.rpc("eth_getTransactionReceipt", tx_hash)

    async def now(self, payment: Payment) -> Payment:
        """Return a payment as it is by now."""
        async with connection(self.pool) as conn:
            found = await payments.find(conn, payment.id)
        assert found is not None
        return found

    async def told(self, payment: Payment) -> list[str]:
        """Return the types of all news of a payment; check that none is missing or twice."""
        async with connection(self.pool) as conn:
            rows = await conn.fetch(
                "SELECT type, sequence FROM events WHERE payment_id = $1 ORDER BY sequence",
                payment.id,
            )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1)), "I7"
        return [row["type"].removeprefix("payment.") for row in rows]

    async def shows(self, payment: Payment, received: int, *news: str, flags: str = "") -> Payment:
        """Check what was credited, the news since the creation and every flag; return it all."""
        now = await self.now(payment)
        own = [t.amount for t in now.transfers if t.key.asset == now.asset and not t.orphaned]
        assert now.amount_received == sum(own) == received
        assert await self.told(payment) == ["created", *news]
        assert sorted(now.flags) == flags.split()
        return now

    async def shows_nothing(self, *unpaid: Payment) -> None:
        """Check that nothing has happened to payments, as far as anybody can see."""
        for payment in unpaid:
            now = await self.shows(payment, 0)
            assert (now.status, now.transfers) == (Status.PENDING, ())


@asynccontextmanager
async def a_world(
    node: Anvil, usd: Contract, pool: Pool, block_seconds: float
) -> AsyncIterator[World]:
    """Return a world whose chain has been read to its head."""
    latest = await node.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  JSON-RPC
    clock = FakeClock(datetime.fromtimestamp(int(latest["timestamp"], 16), UTC))
    world = World(node, usd, pool, clock, block_seconds)
    await world.watch()
    try:
        yield world
    finally:
        await world.client.close()


async def a_usd(node: Anvil) -> Contract:
    """Deploy the token that every world lists, and make FUNDER rich in it and in coin."""
    await node.set_balance(FUNDER, AMOUNT_MAX // 2)
    usd = await deploy(node, "PlainToken")
    await usd.send("mint(address,uint256)", FUNDER, 10**18)
    await node.mine()
    return usd


def address(payment: Payment) -> RawAddress:
    return raw(payment.address)


def others(payment: Payment) -> dict[str, int]:
    """Return what came in assets that were not asked for."""
    return {t.key.asset: t.amount for t in payment.live() if t.key.asset != payment.asset}
