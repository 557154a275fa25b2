"""A gateway's watch over a real chain, seen through endpoints that may play faults.

    async with a_world(pool, anvil, [endpoint.url]) as world:
        coin, token = await world.order_both()
        await world.pay(coin, token)
        await world.mine(3)
        await world.look()                       # passes, as the supervisor would run them
        assert await world.owed(coin, token)     # what is not credited yet, in words

Time is the chain's: a block every BLOCK_SECONDS, by our clock and in its timestamps, so
that a test sees hours of patience in a second.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from ctrip.chain.rpc import RpcChain
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import OutageError
from ctrip.core.finality import Depth, Tag
from ctrip.core.ids import Amount, RawAddress, raw
from ctrip.core.payment import Payment, Status
from ctrip.dev import token as tokens
from ctrip.flows.audit import Auditor
from ctrip.flows.create import Creator, Order
from ctrip.flows.health import Health, Part
from ctrip.flows.price import Pricer
from ctrip.flows.probe import Probe
from ctrip.flows.reread import Rereader
from ctrip.flows.rescan import Rescanner
from ctrip.flows.vouch import Voucher
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Payments, Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import open_wallet
from ctrip.webhooks.guard import Guard
from tests.support.anvil import FUNDER, GAS, Anvil
from tests.support.builders import CHAIN, CHAIN_ID, new
from tests.support.clock import FakeClock

BLOCK_SECONDS: Final = 12
FAST_BLOCK_SECONDS: Final = 1.0  # a chain that is read by ranges
CONFIRMATIONS: Final = 2
FINALITY_DEPTH: Final = 6  # where anvil's tag, two blocks below the head, cannot be had
ANSWER_SECONDS_MAX: Final = 0.5  # anvil takes 0.01; what is longer is a fault that is played
PASSES_MAX: Final = 30  # in one look; more is a watch that never comes to rest
WAIT_SECONDS: Final = 12.0
APART_SECONDS: Final = 2.0  # between duties, which is longer than an endpoint is waited for
COIN: Final = 100
ONLY_HASHES: Final = False  # of a block's transactions
TOKENS: Final = 70
SHIPPED: Final = frozenset({Status.CONFIRMED, Status.PAID, Status.SETTLED})

TOKEN: Final = Token(
    chain=CHAIN,
    chain_id=CHAIN_ID,
    contract=tokens.ADDRESS,
    symbol=tokens.SYMBOL,
    decimals=tokens.DECIMALS,
)
FORWARDER: Final = RawAddress("0x" + "f0" * 20)
# call(gas, address in the first word of the call data, value that came, no data)
FORWARDS: Final = "0x6000600060006000346000355af100"
BYSTANDER: Final = RawAddress("0x" + "b1" * 20)
WORDS: Final = Secret("abandon " * 11 + "about")  # not anvil's own, whose accounts are rich
WALLET: Final = open_wallet(WalletSettings(mnemonic=WORDS), chain_ids=[CHAIN_ID])

RunOnce: TypeAlias = Callable[[], Awaitable[bool]]


def served(*, tag: Tag | None = None, fast: bool = False) -> Chain:
    """Return the chain as an operator would describe it."""
    return Chain(
        name=CHAIN,
        chain_id=CHAIN_ID,
        confirmations=Depth(tag=tag) if tag else Depth(blocks=CONFIRMATIONS),
        finality_depth=FINALITY_DEPTH,
        poll_interval_seconds=1,
        block_seconds=FAST_BLOCK_SECONDS if fast else BLOCK_SECONDS,
        tokens=(TOKEN,),
    )


class World:
    """One chain's watch and the payments on it."""

    patience_seconds = ANSWER_SECONDS_MAX  # with an endpoint, before another is asked

    def __init__(self, pool: Pool, anvil: Anvil, chain: Chain, urls: Sequence[str]) -> None:
        self.anvil = anvil
        self.clock = FakeClock()
        self.health = Health(self.clock, [chain])
        self._pool = pool
        self._chain = chain
        self._urls = urls
        self._news = asyncio.Event()
        self._twin: Anvil | None = None
        self._client = self._new_client()
        self._duties = self._start()
        network = Network(chain=chain, rpc_urls=())
        guard = Guard(())
        self._creator = Creator(
            [network],
            Payments(),
            WALLET,
            pool,
            self.clock,
            guard,
            self._news,
            pricer=Pricer({}, self.clock),
        )

    def _start(self) -> dict[str, RunOnce]:
        """Return the passes of all that looks at the chain, as the app starts them."""
        seeing = (self._chain, self._client, self._pool, self.clock)
        common = (*seeing, self._news)
        watcher = Watcher(*seeing, self.health, self._news)
        return {
            "watch": watcher.run_once,
            "vouch": Voucher(*common).run_once,
            "probe": Probe(*common).run_once,
            "rescan": Rescanner(*common).run_once,
            "reread": Rereader(*common).run_once,
            "audit": Auditor(*common).run_once,
        }

    def _new_client(self) -> RpcChain:
        """Return a client that knows nothing yet, of the endpoints in their order."""
        secrets = [Secret(url) for url in self._urls]
        seconds = self.patience_seconds
        return RpcChain(self._chain, secrets, self.clock, timeout_seconds=seconds)

    async def close(self) -> None:
        await self._client.close()

    async def restart(self) -> None:
        """Forget all that is only in memory."""
        await self.close()
        self._client = self._new_client()
        self._duties = self._start()

    async def begin(self) -> None:
        """Set our clock by the chain's, and read the chain once, so that there is a cursor."""
        head = await self._block()
        self.clock.set(datetime.fromtimestamp(int(head["timestamp"], 16), UTC))
        await self.look()
        assert not await self.complaint()

    async def part(self, twin: Anvil) -> None:
        """Let the twin follow the chain up to here, and from here on a branch of its own."""
        height = int((await self._block())["number"], 16)
        origin = {"jsonRpcUrl": self.anvil.url, "blockNumber": height}
        await twin.rpc("anvil_reset", {"forking": origin})
        self._twin = twin

    async def order_both(self) -> tuple[Payment, Payment]:
        """Create a payment in native coin and one in tokens."""
        chain = self._chain.name
        coin = new(await self._creator.create(Order(chain=chain, amount=Amount(COIN))))
        order = Order(chain=chain, amount=Amount(TOKENS), token_id=TOKEN.id)
        return coin, new(await self._creator.create(order))

    async def pay(self, coin: Payment, token: Payment, *, forwarded: bool = False) -> None:
        """Send what was asked for, and as much to a bystander before it; it is in no block yet."""
        contract = raw(TOKEN.contract)
        for recipient in (BYSTANDER, raw(coin.address)):
            if forwarded:
                await self._forward(recipient)
            else:
                await self.anvil.send(recipient, COIN)
        for recipient in (BYSTANDER, raw(token.address)):
            await self.anvil.mint(contract, recipient, TOKENS)

    async def mine(self, blocks: int = 1) -> None:
        """Let so many blocks come, each at its time; those of the twin come a second later."""
        pace = int(self._chain.block_seconds)
        first = int(self.clock.now().timestamp()) + pace
        await self.anvil.rpc("evm_setNextBlockTimestamp", first)
        await self.anvil.rpc("anvil_mine", hex(blocks), hex(pace))
        if self._twin:
            await self._twin.rpc("evm_setNextBlockTimestamp", first + 1)
            await self._twin.rpc("anvil_mine", hex(blocks), hex(pace))
        self.clock.move(seconds=blocks * pace)

    async def wait(self) -> None:
        """Let some seconds pass, and the blocks that come in them."""
        await self.mine(max(1, int(WAIT_SECONDS / self._chain.block_seconds)))

    async def look(self) -> None:
        """Run the passes of each duty until it finds no more to do, or one fails.

        Nobody has anything to look at where the watch itself sees nothing.
        """
        for verb, run_once in self._duties.items():
            task = f"{verb} {self._chain.name}"
            self.clock.move(seconds=APART_SECONDS)
            try:
                await to_rest(run_once)
            except OutageError as outage:
                self.health.fails(task, str(outage))
                if verb == "watch":
                    return
            else:
                self.health.works(task)

    async def complaint(self) -> str:
        """Return what health says of the chain and of those who look at it, if it is not well."""
        parts = await self.health.parts(self._pool)
        parts["chain"] = self.health.chain(self._chain.name)
        return "; ".join(p.why for p in parts.values() if isinstance(p, Part) and not p.ok)

    async def owed(self, *paid: Payment) -> str:
        """Return what is missing before goods may be shipped for all of these, or nothing."""
        async with connection(self._pool) as conn:
            found = [await payments.find(conn, payment.id) for payment in paid]
        now = [payment for payment in found if payment is not None]
        return ", ".join(
            f"{p.currency}: {p.amount_received} of {p.amount}, {p.status}"
            for p in now
            if p.status not in SHIPPED or p.amount_received != p.amount
        )

    async def recorded(self) -> int:
        """Return how many transfers there are on record."""
        return len(await self._rows("SELECT FROM transfers WHERE NOT orphaned"))

    async def assert_credited_once(self, coin: Payment, token: Payment) -> None:
        """Compare what is on record with what the chain says, and with what was announced."""
        contract = raw(TOKEN.contract)
        held = {
            coin.id: int(await self.anvil.rpc("eth_getBalance", coin.address, "latest"), 16),
            token.id: await self._tokens_of(contract, raw(token.address)),
        }
        for payment in (coin, token):
            rows = await self._rows(
                "SELECT * FROM transfers WHERE payment_id = $1 AND NOT orphaned AND amount > 0",
                payment.id,
            )
            assert [row["amount"] for row in rows] == [held[payment.id]]
            for row in rows:
                block = await self._block(row["block_number"])
                assert row["block_hash"] == block["hash"]
                named = row["tx_hash"] in block["transactions"]
                assert named or row.get("source") == "balance"
            told = await self._told(payment)
            assert told.count("payment.confirmed") == 1, told
            assert not {"payment.overpaid", "payment.failed", "payment.late"} & {*told}, told

    async def _forward(self, recipient: RawAddress) -> None:
        """Send coin to a contract that hands it on."""
        await self.anvil.rpc("anvil_setCode", FORWARDER, FORWARDS)
        call = {"from": FUNDER, "to": FORWARDER, "value": hex(COIN), "gas": hex(GAS)}
        data = "0x" + tokens.word(recipient)
        await self.anvil.rpc("eth_sendTransaction", {**call, "data": data})

    async def _block(self, number: int | None = None) -> Any:
        """Return the block of this height, or the newest."""
        name = "latest" if number is None else hex(number)
        return await self.anvil.rpc("eth_getBlockByNumber", name, ONLY_HASHES)

    async def _tokens_of(self, contract: RawAddress, owner: RawAddress) -> int:
        data = tokens.selector("balanceOf(address)") + tokens.word(owner)
        return int(await self.anvil.rpc("eth_call", {"to": contract, "data": data}, "latest"), 16)

    async def _told(self, payment: Payment) -> list[str]:
        rows = await self._rows(
            "SELECT type FROM events WHERE payment_id = $1 ORDER BY sequence", payment.id
        )
        return [row["type"] for row in rows]

    async def _rows(self, query: str, *args: object) -> list[Any]:
        async with connection(self._pool) as conn:
            return await conn.fetch(query, *args)


async def to_rest(run_once: RunOnce) -> None:
    for _ in range(PASSES_MAX):
        if not await run_once():
            return
    raise AssertionError(f"{run_once} never comes to rest")


@asynccontextmanager
async def a_world(
    pool: Pool, anvil: Anvil, urls: Sequence[str], *, tag: Tag | None = None, fast: bool = False
) -> AsyncIterator[World]:
    """Yield a world that has read the chain to its head."""
    world = World(pool, anvil, served(tag=tag, fast=fast), urls)
    try:
        await world.begin()
        yield world
    finally:
        await world.close()
