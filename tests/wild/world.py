"""The world of tests/faults, with a chain of one's own for every test and closer looks at it.

    async with a_wild_world(pool, chain) as world:
        payment = await world.create(100)
        paid = await chain.send(raw(payment.address), 100)
        await world.mine(3)
        await world.look()
        await world.shows(payment, 100, "detected", "confirmed", "paid")

Blocks come when world.mine() says so, one every block_seconds by the clock of the world.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec.structs import replace

from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain
from ctrip.core.ids import NATIVE, Amount, BlockNumber, RawAddress, raw
from ctrip.core.payment import Payment
from ctrip.flows import rescan
from ctrip.flows.create import Creator, Order
from ctrip.flows.expire import Expirer
from ctrip.flows.price import Pricer
from ctrip.flows.reread import Rereader
from ctrip.settings import Network, Payments
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.guard import Guard
from tests.faults.world import FAST_BLOCK_SECONDS, TOKEN, WALLET, World, served
from tests.support.anvil import Anvil
from tests.support.builders import new
from tests.support.rpc_proxy import RpcProxy, proxy
from tests.wild.between import Between, between

USD: Final = raw(TOKEN.contract)
SECONDS_BLOCK_BY_BLOCK: Final = 12.0
SECONDS_IN_RANGES: Final = FAST_BLOCK_SECONDS
HISTORY: Final = 12  # blocks below the first cursor
WHOLE_WAY: Final = ("detected", "confirmed", "paid", "settled")

RunOnce = Callable[[], Awaitable[bool]]


class WildWorld(World):
    """Everything that looks at one chain, and what it made of it."""

    patience_seconds = 10.0  # hardly an endpoint is silent on purpose; the machine may be busy

    def __init__(
        self,
        pool: Pool,
        anvil: Anvil,
        chain: Chain,
        urls: Sequence[str],
        terms: Payments | None = None,
        patience_seconds: float | None = None,
    ) -> None:
        self.patience_seconds = patience_seconds or self.patience_seconds
        super().__init__(pool, anvil, chain, urls)
        self.pool = pool
        if terms:
            network = Network(chain=chain, rpc_urls=())
            self._creator = Creator(
                [network],
                terms,
                WALLET,
                pool,
                self.clock,
                Guard(()),
                self._news,
                pricer=Pricer({}, self.clock),
            )
        self.expirer = Expirer(chain.name, pool, self.clock, self._news)

    @property
    def client(self) -> RpcChain:
        return self._client

    def _start(self) -> dict[str, RunOnce]:
        seeing = (self._chain, self._client, self._pool, self.clock, self._news)
        self.rereader = Rereader(*seeing)
        return {**super()._start(), "reread": self.rereader.run_once}

    async def create(self, amount: int = 100, **asked: Any) -> Payment:
        order = Order(chain=self._chain.name, amount=Amount(amount), **asked)
        return new(await self._creator.create(order))

    async def create_usd(self, amount: int = 100, **asked: Any) -> Payment:
        return await self.create(amount, token_id=TOKEN.id, **asked)

    async def mine(self, blocks: int = 1) -> None:
        """Let blocks come; after a reorg the newest may be ahead of our clock."""
        newest = int((await self._block())["timestamp"], 16)
        behind = newest - self.clock.now().timestamp()
        self.clock.move(seconds=max(0.0, behind))
        await super().mine(blocks)

    async def mine_and_look(self, blocks: int = 1) -> None:
        """Mine block by block, and look at each."""
        for _ in range(blocks):
            await self.mine()
            await self.look()

    async def expire(self) -> None:
        while await self.expirer.run_once():
            pass

    async def read_again(self, first: int, last: int) -> None:
        """Order a range to be read again, as `ctrip rescan` does."""
        async with connection(self.pool) as conn:
            numbers = (BlockNumber(first), BlockNumber(last))
            await rescan.ask(conn, self._chain.name, *numbers, now=self.clock.now())

    async def now(self, payment: Payment) -> Payment:
        async with connection(self.pool) as conn:
            found = await payments.find(conn, payment.id)
        assert found is not None
        return found

    async def holds(self, payment: Payment) -> int:
        """Return what the chain says that a payment's address has of what was asked for."""
        if payment.asset == NATIVE:
            return int(await self.anvil.rpc("eth_getBalance", payment.address, "latest"), 16)
        return await self._tokens_of(USD, address(payment))

    async def told(self, payment: Payment) -> list[str]:
        """Return the types of all news since the creation; check that none is missing or twice."""
        rows = await self.rows(
            "SELECT type, sequence FROM events WHERE payment_id = $1 ORDER BY sequence", payment.id
        )
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1)), "I7"
        created, *news = [row["type"].removeprefix("payment.") for row in rows]
        assert created == "created"
        return news

    async def shows(
        self, payment: Payment, received: int, *news: str, flags: Sequence[str] = ()
    ) -> Payment:
        """Check what was credited, every piece of news and every flag; return it all."""
        now = await self.now(payment)
        assert now.amount_received == sum(t.amount for t in now.own()) == received, now.transfers
        told = await self.told(payment)
        assert told == list(news), told
        assert sorted(now.flags) == sorted(flags)
        return now

    async def settled(self, payment: Payment, received: int) -> Payment:
        """Check that a payment went the whole way once, whatever parts it came in."""
        now, told = await self.now(payment), await self.told(payment)
        assert now.amount_received == sum(t.amount for t in now.own()) == received, now.transfers
        assert [word for word in told if word != "underpaid"] == list(WHOLE_WAY)
        return now

    async def cursor(self) -> int:
        """Return the height up to which the chain was read and written."""
        [row] = await self.rows("SELECT number FROM cursors WHERE chain = $1", self._chain.name)
        return int(row["number"])

    async def height(self) -> int:
        return int((await self._block())["number"], 16)

    async def block(self, number: int) -> Any:
        return await self._block(number)

    async def rows(self, query: str, *args: object) -> list[Any]:
        return await self._rows(query, *args)


def address(payment: Payment) -> RawAddress:
    return raw(payment.address)


@asynccontextmanager
async def a_wild_world(
    pool: Pool,
    anvil: Anvil,
    urls: Sequence[str] = (),
    *,
    terms: Payments | None = None,
    patience_seconds: float | None = None,
    **changes: Any,
) -> AsyncIterator[WildWorld]:
    """Yield a world that has read the chain to its head, through these endpoints or directly."""
    chain = replace(served(), **changes)
    world = WildWorld(pool, anvil, chain, urls or [anvil.url], terms, patience_seconds)
    try:
        await world.begin()
        yield world
    finally:
        await world.close()


@asynccontextmanager
async def proxied(
    pool: Pool,
    anvil: Anvil,
    *,
    beside: bool = False,
    twin: Anvil | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[RpcProxy, WildWorld]]:
    """Yield an endpoint that plays faults by their names, and a world that reads through it.

    `beside` gives the world a second endpoint, which tells the truth.
    """
    async with (
        proxy(anvil.url, twin=twin.url if twin else None) as endpoint,
        a_wild_world(pool, anvil, urls_of(endpoint, anvil, beside=beside), **changes) as world,
    ):
        yield endpoint, world


@asynccontextmanager
async def scripted(
    pool: Pool, anvil: Anvil, *, beside: bool = False, **changes: Any
) -> AsyncIterator[tuple[Between, WildWorld]]:
    """Yield an endpoint that does what the test tells it, and a world that reads through it."""
    async with (
        between(anvil.url) as endpoint,
        a_wild_world(pool, anvil, urls_of(endpoint, anvil, beside=beside), **changes) as world,
    ):
        yield endpoint, world


def urls_of(endpoint: RpcProxy | Between, anvil: Anvil, *, beside: bool) -> list[str]:
    return [endpoint.url, anvil.url] if beside else [endpoint.url]


async def begun(anvil: Anvil) -> None:
    """Let a chain have the token and some blocks."""
    await anvil.ensure_token()
    await anvil.rpc("anvil_mine", hex(HISTORY))
