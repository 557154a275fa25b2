"""A shop with a gateway of its own: one fake chain, one clock, one database, every verb.

world = await a_world(pool)
payment = await world.create(amount=100)
world.chain.pay(raw(payment.address), 100)
world.chain.mine()
await world.watch()                                # until everything is read
assert await world.told(payment) == [...]
"""

import asyncio
from typing import Any, Final

from msgspec import json
from msgspec.structs import replace

from ctrip.core.chains import Chain
from ctrip.core.endpoints import CONFIG
from ctrip.core.finality import Depth
from ctrip.core.ids import Amount, RawAddress, raw
from ctrip.core.payment import Payment
from ctrip.flows.create import Creator, Order
from ctrip.flows.expire import Expirer
from ctrip.flows.health import Health
from ctrip.flows.price import Pricer
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Payments, Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import open_wallet
from ctrip.webhooks.guard import Guard
from tests.support.builders import CHAIN, CHAIN_ID, TOKEN, new
from tests.support.clock import FakeClock
from tests.support.fake_chain import FakeChain
from tests.support.receivers_on_record import has_receiver

ANVIL: Final = Chain(
    name=CHAIN,
    chain_id=CHAIN_ID,
    confirmations=Depth(2),
    finality_depth=8,
    poll_interval_seconds=1,
    block_seconds=86_400,  # so that no leap of the clock is a standstill
    tokens=(TOKEN,),
)
USD: Final = raw(TOKEN.contract)
WORDS: Final = Secret("test test test test test test test test test test test junk")  # anvil's
WALLET: Final = open_wallet(WalletSettings(mnemonic=WORDS), chain_ids=[CHAIN_ID])
PASSES_MAX: Final = 1_000


class World:
    """Everything but the senders."""

    def __init__(self, pool: Pool, chain: FakeChain, clock: FakeClock, served: Chain) -> None:
        self.pool = pool
        self.chain = chain
        self.clock = clock
        self.served = served
        self.news = asyncio.Event()
        self.health = Health(clock, [served])
        self.creator = self.creator_on(pool)
        self.expirer = Expirer(served.name, pool, clock, self.news)

    def creator_on(self, pool: Pool, settings: Payments | None = None) -> Creator:
        network = Network(chain=self.served, rpc_urls=())
        guard = Guard(("127.0.0.0/8",))
        return Creator(
            [network],
            settings or Payments(),
            WALLET,
            pool,
            self.clock,
            guard,
            self.news,
            pricer=Pricer({self.served.name: self.chain}, self.clock),
        )

    def watcher(self, pool: Pool | None = None) -> Watcher:
        """Return a watcher that remembers nothing, as after a restart."""
        on = self.pool if pool is None else pool
        return Watcher(self.served, self.chain, on, self.clock, self.health, self.news)

    async def create(self, amount: int = 100, **asked: Any) -> Payment:
        order = Order(chain=self.served.name, amount=Amount(amount), **asked)
        return new(await self.creator.create(order))

    async def create_usd(self, amount: int = 100, **asked: Any) -> Payment:
        return await self.create(amount, token_id=TOKEN.id, **asked)

    async def watch(self) -> None:
        """Read until there is nothing more to read."""
        for _ in range(PASSES_MAX):
            if not await self.watcher().run_once():
                return
        raise AssertionError("the watcher never comes to an end")

    async def mine(self, blocks: int = 1) -> None:
        """Mine block by block, and read each."""
        for _ in range(blocks):
            self.chain.mine()
            await self.watch()

    async def expire(self) -> None:
        for _ in range(PASSES_MAX):
            if not await self.expirer.run_once():
                return
        raise AssertionError("deadlines never come to an end")

    async def now(self, payment: Payment) -> Payment:
        """Return a payment as it is by now."""
        async with connection(self.pool) as conn:
            found = await payments.find(conn, payment.id)
        assert found is not None
        return found

    async def told(self, payment: Payment) -> list[str]:
        """Return the types of all news of a payment; check that none is missing or twice."""
        rows = await self.rows(
            "SELECT e.*, array(SELECT endpoint_id FROM deliveries WHERE event_id = e.id) targets "
            "FROM events e WHERE payment_id = $1 ORDER BY sequence",
            payment.id,
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1)), "I7"
        assert all(CONFIG in row["targets"] for row in rows), "I6"
        assert all(json.decode(row["body"])["sequence"] == row["sequence"] for row in rows)
        return [row["type"].removeprefix("payment.") for row in rows]

    async def rows(self, query: str, *args: object) -> list[Any]:
        async with connection(self.pool) as conn:
            return await conn.fetch(query, *args)

    async def credited(self) -> dict[RawAddress, int]:
        """Return what each address was credited with, by the transfers and by the payments."""
        sums = await self.rows(
            "SELECT lower(p.address) AS address, p.amount_received AS stored, "
            "coalesce(sum(t.amount) FILTER (WHERE NOT t.orphaned AND t.asset = p.asset), 0) live "
            "FROM payments p LEFT JOIN transfers t ON t.payment_id = p.id GROUP BY p.id"
        )
        assert all(row["stored"] == row["live"] for row in sums), "I2"
        return {row["address"]: row["live"] for row in sums}


async def a_world(pool: Pool, chain: FakeChain | None = None, **changes: Any) -> World:
    """Return a world whose chain has been read to its head."""
    await has_receiver(pool)
    world = World(pool, chain or FakeChain(), FakeClock(), replace(ANVIL, **changes))
    await world.watch()
    return world


def address(payment: Payment) -> RawAddress:
    return raw(payment.address)
