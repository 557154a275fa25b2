"""A whole site on a free port, with keys to it, and what a shop does with them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from itertools import count
from typing import Any, Final
from uuid import UUID

import aiohttp
from msgspec import Struct, json
from msgspec.structs import replace

from ctrip.core.chains import Chain, Settlement, Token
from ctrip.core.changes import TransferSeen
from ctrip.core.finality import Depth, Terms
from ctrip.core.ids import Address, Amount, BlockNumber, ChainName, PaymentId
from ctrip.core.payment import Settles
from ctrip.flows.act import Acts
from ctrip.flows.apply import apply
from ctrip.flows.audience import Audience
from ctrip.flows.create import Creator
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.explain import Explainer
from ctrip.flows.give_back import Refunds
from ctrip.flows.health import Health
from ctrip.flows.keybook import Keybook
from ctrip.flows.keys import make_key
from ctrip.flows.price import Pricer
from ctrip.flows.repeat import Repeats
from ctrip.flows.stage import Stage
from ctrip.flows.stops import Stops
from ctrip.flows.tidings import Tidings
from ctrip.server import http_server
from ctrip.settings import Network, Payments, Secret, Server, Wallet, Webhooks
from ctrip.store import accounts, blocks
from ctrip.store.pool import Pool, connection, transaction
from ctrip.wallet.derive import open_wallet
from ctrip.wallet.sign import Signer
from ctrip.web.site import Parts, build
from ctrip.webhooks.guard import Guard
from tests.support.builders import CHAIN, CHAIN_ID, CREATED, TOKEN, a_head, a_transfer
from tests.support.clock import FakeClock
from tests.support.fake_chain import FakeChain
from tests.support.receivers_on_record import has_receiver

# A published vector of BIP-39.
WORDS: Final = "legal winner thank year wave sausage worth useful legal winner thank yellow"
OTHER: Final = ChainName("other")
HEAD: Final = BlockNumber(9)
CREATE: Final = "/api/v1/payments"
NUMBERS: Final = count(7_000)  # of transactions that pay, each another

DISABLED: Final = Token(
    chain=CHAIN,
    chain_id=CHAIN_ID,
    contract=Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    symbol="GONE",
    decimals=18,
    enabled=False,
)
ELSEWHERE: Final = Token(
    chain=OTHER, chain_id=31338, contract=TOKEN.contract, symbol="TEST", decimals=6
)
CHAINS: Final = (
    Chain(
        name=CHAIN,
        chain_id=CHAIN_ID,
        confirmations=Depth(3),
        finality_depth=64,
        poll_interval_seconds=1,
        tokens=(TOKEN, DISABLED),
    ),
    Chain(
        name=OTHER,
        chain_id=31338,
        confirmations=Depth(12),
        finality_depth=64,
        poll_interval_seconds=1,
        coin="OTH",
        explorer="https://explorer.example",
        tokens=(ELSEWHERE,),
    ),
)
# What refunds are taken in by: on the first chain; on the other they are off.
TREASURY: Final = Address("0x90F79bf6EB2c4f870365E785982E1f101E93b906")
REFUND_PER_DAY_MAX: Final = Amount(10**18)
REFUNDING: Final = (
    replace(
        CHAINS[0],
        settlement=Settlement(mode=Settles.SWEEP, treasury=TREASURY),
        coin_terms=Terms(refund_per_day_max=REFUND_PER_DAY_MAX),
    ),
    CHAINS[1],
)
SIGNER: Final = Signer(bytearray(WORDS.encode()))
UNLIMITED: Final = Server(rate_per_key=0, rate_per_address=0)
SEALING: Final = Webhooks(secrets_key=Secret("5ea1" * 16))


class Answer(Struct, frozen=True):
    """What came back."""

    status: int
    headers: Any  # any case
    body: bytes

    @property
    def json(self) -> Any:
        return json.decode(self.body)


class Shop:
    """The site, and a caller of it. Without `key` a call bears the one that may read and write."""

    def __init__(self, url: str, port: int, parts: Parts, clock: FakeClock) -> None:
        self.url = url
        self.port = port
        self.parts = parts
        self.pool = parts.pool
        self.clock = clock
        self.health = parts.health
        self.key = ""
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))

    async def issue(
        self, *scopes: str, revoked: bool = False, allowed_cidrs: Sequence[str] = ()
    ) -> str:
        """Make an API key."""
        now = self.clock.now()
        text, record, digest = make_key("test", scopes, now, allowed_cidrs=allowed_cidrs)
        async with connection(self.pool) as conn:
            await accounts.add(conn, record, digest)
            if revoked:
                await accounts.revoke(conn, record.id, now=now)
        return text

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> Answer:
        """Call a path; `headers` replace the key's, all of them."""
        given = {"authorization": f"Bearer {self.key}"} if headers is None else headers
        if isinstance(data, bytes):
            data = BytesIO(data)  # aiohttp warns of large bodies in one piece
        async with self._http.request(
            method, self.url + path, headers=given, data=data, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str) -> Answer:
        """Read a path."""
        return await self.call("GET", path)

    async def post(self, data: Any, **headers: str) -> Answer:
        """Ask for a payment with this body, JSON unless the headers say otherwise."""
        given = {
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await self.call("POST", CREATE, headers=given, data=data)

    async def create(self, **asked: Any) -> Any:
        """Create a payment of 1 wei unless told otherwise, and return the answer."""
        answer = await self.post(json.encode({"chain": CHAIN, "amount": 1} | asked))
        assert answer.status == 201, answer.body
        return answer.json

    async def written(self) -> dict[str, int]:
        """Return how much the database holds of what a create writes."""
        async with connection(self.pool) as conn:
            counts = {
                table: await conn.fetchval(f"SELECT count(*) FROM {table}")
                for table in ("payments", "events", "deliveries", "transfers")
            }
            counts["next_index"] = await conn.fetchval(
                "SELECT sum(next_index)::bigint FROM wallets"
            )
        return counts

    async def close(self) -> None:
        await self._http.close()


@asynccontextmanager
async def open_shop(
    pool: Pool,
    *,
    server: Server = UNLIMITED,
    watched: Iterable[ChainName] = (CHAIN, OTHER),
    webhooks: Webhooks = SEALING,
    keybook: Keybook | None = None,
) -> AsyncIterator[Shop]:
    """Serve the site until the end of the block."""
    clock = FakeClock(CREATED)
    health = Health(clock, CHAINS)
    await has_receiver(pool)
    async with connection(pool) as conn:
        for name in watched:
            await blocks.start(conn, name, a_head(HEAD, HEAD), now=CREATED)
    creator = Creator(
        [Network(chain=chain, rpc_urls=()) for chain in CHAINS],
        Payments(),
        open_wallet(Wallet(mnemonic=Secret(WORDS)), chain_ids=[CHAIN_ID]),
        pool,
        clock,
        Guard(),
        news := asyncio.Event(),
        pricer=Pricer({}, clock),
    )
    parts = Parts(
        pool=pool,
        clock=clock,
        creator=creator,
        acts=Acts(pool, clock, news),
        refunds=Refunds(REFUNDING, SIGNER, pool, clock),
        endpoints=Endpoints(pool, Guard(), webhooks, clock, news, Stops()),
        tidings=Tidings(pool),
        audience=Audience(pool, clock),
        health=health,
        explainer=Explainer(CHAINS, {c.name: FakeChain() for c in CHAINS}, pool, clock, health),
        repeats=Repeats(pool, clock, webhooks),
        stage=Stage(pool, None, asyncio.create_task),
        keybook=Keybook(pool) if keybook is None else keybook,
        chains=CHAINS,
        tokens=(TOKEN, DISABLED, ELSEWHERE),
        server=server,
    )
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        # asyncio, unlike uvloop, does not do it for sockets that name no protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        site = http_server(build(parts))
        serving = asyncio.create_task(site.serve(sockets=[listener]))
        shop = Shop(f"http://127.0.0.1:{port}", port, parts, clock)
        try:
            if server.auth == "keys":
                shop.key = await shop.issue("read", "write")
            yield shop
        finally:
            await shop.close()
            site.should_exit = True
            await serving


async def paid(shop: Shop, amount: int = 100, **asked: Any) -> Any:
    """Return a payment that is confirmed and final; all that comes in block 1 is."""
    payment = await shop.create(amount=amount, **asked)
    to = Address(payment["address"])
    transfer = a_transfer(next(NUMBERS), amount, 1, to=to, block_time=CREATED)
    changes = {PaymentId(UUID(payment["id"])): [TransferSeen(transfer)]}
    async with transaction(shop.pool) as conn:
        await apply(conn, changes, now=CREATED)
    return payment
