"""`make run`: everything a gateway needs, on one machine, from nothing.

Postgres and the chain keep their data in one folder, so a second start goes on where the
first one stopped. What scripts need to know stands in dev.json beside it.
"""

import os
import secrets
import shutil
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip import app
from ctrip.chain.rpc import RpcChain
from ctrip.chain.wire import Endpoint
from ctrip.clock import SystemClock
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import ConfigError
from ctrip.core.finality import Depth
from ctrip.core.ids import Amount, ChainName, raw
from ctrip.core.keys import SCOPES, digest_of
from ctrip.core.price import RateSource
from ctrip.core.scan import find_fork
from ctrip.dev import feed, postgres, token, treasury
from ctrip.dev.anvil import BLOCK_SECONDS, CHAIN_ID, FUNDER, DevChain, dev_chain
from ctrip.dev.card import FOLDER, Card, read_card, write_card
from ctrip.dev.plays import Player
from ctrip.dev.postgres import Cluster
from ctrip.flows.keys import make_key
from ctrip.settings import (
    Chains,
    Database,
    Log,
    Network,
    Secret,
    Server,
    Settings,
    Wallet,
    Webhooks,
)
from ctrip.store import accounts, blocks
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connect, connection

DATABASE: Final = "ctrip"
CHAIN: Final = ChainName("anvil")
# A published test vector of BIP-39. Not the one of anvil's own accounts: the account that
# pays would be the first deposit address.
WORDS: Final = "legal winner thank year wave sausage worth useful legal winner thank yellow"
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
FINALITY_LAG: Final = 6  # blocks: twice the confirmations, so that confirmed money can be reversed
BLOCKS_COMPARED_MAX: Final = 5_000


class Plan(Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    folder: Path
    port: int
    chain_port: int
    webhook_url: str
    fresh: bool
    sweep: bool = False


def run(plan: Plan) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if plan.fresh:
        shutil.rmtree(plan.folder, ignore_errors=True)
    plan.folder.mkdir(parents=True, exist_ok=True)
    app.run(serve(plan))


def run_database(folder: Path) -> None:
    """Serve Postgres alone until SIGTERM or Ctrl-C."""
    with postgres.start(folder / "postgres") as cluster:
        print(database_of(cluster), flush=True)  # noqa: T201  it is what was asked for
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


async def serve(plan: Plan) -> None:
    """Start the parts in order, then the gateway; take all down in reverse."""
    async with AsyncExitStack() as stack:
        cluster = stack.enter_context(postgres.start(plan.folder / "postgres"))
        database = Secret(database_of(cluster))
        chain = await stack.enter_async_context(
            dev_chain(
                plan.folder / "chain.log",
                port=plan.chain_port,
                state=plan.folder / "chain.json",
                finality_lag=FINALITY_LAG,
            )
        )
        await furnish(chain)
        card = await issue(plan, chain, database)
        settings = settings_of(plan, card, database)
        if plan.sweep:
            settings = await treasury.swept(settings, plan.folder, WORDS)

        def announce(url: str) -> None:
            told = replace(card, url=url)
            write_card(plan.folder, told)
            print(greeting(told, plan.folder), flush=True)  # noqa: T201  for people

        await app.serve(settings, on_ready=announce, player=Player(card.rpc_url, sweeps=plan.sweep))


def database_of(cluster: Cluster) -> str:
    """Return the URL of our database, made now if it is not there yet."""
    try:
        return cluster.create(DATABASE)
    except ConfigError as fault:
        if "already exists" not in str(fault):
            raise
        return cluster.url_of(DATABASE)


async def furnish(chain: DevChain) -> None:
    """Make sure that the chain has a feed, and a test token of which the funder has some."""
    node = Endpoint(CHAIN, Secret(chain.url))
    try:
        contract = raw(await token.ensure(node))
        if not await token.balance(node, contract, raw(FUNDER)):
            await token.mint(node, contract, raw(FUNDER), Amount(10**15))
        await feed.ensure(node)
    finally:
        await node.close()


async def issue(plan: Plan, chain: DevChain, database: Secret) -> Card:
    """Return the card of this run: key and webhook secret stay the same from run to run."""
    before = read_card(plan.folder)
    pool = await connect(database, size_max=1)
    try:
        async with connection(pool) as conn:
            await migrate(conn, read_files())
            key = before.api_key if before else ""
            if not key or not await accounts.find(conn, digest_of(key)):
                now = SystemClock().now()
                key, record, digest = make_key("dev", SCOPES, now)
                await accounts.add(conn, record, digest)
        await compare(pool, chain, plan.folder)
    finally:
        await pool.close()
    return Card(
        url="",
        api_key=key,
        rpc_url=chain.url,
        chain=CHAIN,
        token_id=str(test_token().id),
        token_address=token.ADDRESS,
        funder=FUNDER,
        webhook_secret=before.webhook_secret if before else f"whsec_{secrets.token_hex(16)}",
        webhook_url=plan.webhook_url or os.environ.get("CTRIP_WEBHOOKS_URL", ""),
        secrets_key=(before and before.secrets_key) or secrets.token_hex(32),
    )


async def compare(pool: Pool, chain: DevChain, folder: Path) -> None:
    """Refuse a database that remembers another chain than the one that runs."""
    async with connection(pool) as conn:
        cursor = await blocks.cursor(conn, CHAIN)
        known = await blocks.known(conn, CHAIN, count_max=BLOCKS_COMPARED_MAX)
    if cursor is None:
        return
    client = client_of(chain)
    try:
        fork = find_fork(known, await client.headers(sorted(known)))
    finally:
        await client.close()
    if fork is None or fork.number < cursor.finalized:
        raise ConfigError(
            f"the dev chain in {folder} is older than its database: it was killed before it "
            f"could write its last blocks down. Start afresh with --fresh (make run ARGS=--fresh); "
            f"that forgets the dev payments"
        )


def client_of(chain: DevChain) -> RpcChain:
    """Return a client for the dev chain."""
    return RpcChain(network(), [Secret(chain.url)], SystemClock())


def network() -> Chain:
    """Return the dev chain as chains.yaml would list it."""
    return Chain(
        name=CHAIN,
        chain_id=CHAIN_ID,
        confirmations=Depth(3),
        finality_depth=64,
        poll_interval_seconds=0.25,
        idle_interval_seconds=5,
        block_seconds=BLOCK_SECONDS,
        tokens=(test_token(),),
        coin_prices=(feed.source(),),
    )


def test_token() -> Token:
    """Return the test token as chains.yaml would list it."""
    return Token(
        chain=CHAIN,
        chain_id=CHAIN_ID,
        contract=token.ADDRESS,
        symbol=token.SYMBOL,
        decimals=token.DECIMALS,
        prices=(RateSource(currency="USD"),),
    )


def settings_of(plan: Plan, card: Card, database: Secret) -> Settings:
    """Return what `ctrip serve` would be told by a config.toml for this machine."""
    return Settings(
        database=Database(url=database),
        wallet=Wallet(mnemonic=Secret(WORDS)),
        server=Server(port=plan.port),
        webhooks=Webhooks(
            url=card.webhook_url,
            secret=Secret(card.webhook_secret),
            secrets_key=Secret(card.secrets_key),
            allow_cidrs=LOOPBACK,
        ),
        log=Log(level="info", format="text"),
        chains=Chains(use=(CHAIN,)),
        networks=(Network(chain=network(), rpc_urls=(Secret(card.rpc_url),)),),
    )


def greeting(card: Card, folder: Path) -> str:
    """Return what a newcomer reads first."""
    there = "" if folder == FOLDER else f" --folder {folder}"
    ask = f'{{"chain": "{card.chain}", "amount": "1000000000000000000"}}'
    return f"""
ctrip serves at {card.url}
  API key         {card.api_key}
  webhook secret  {card.webhook_secret}
  webhook URL     {card.webhook_url or "none; start with --webhook-url http://127.0.0.1:9000/"}
  chain           {card.chain} at {card.rpc_url}
  test token      {card.token_id}
  for scripts     {folder / "dev.json"}

Create a payment of one ether:

  curl -s {card.url}/api/v1/payments -H 'Authorization: Bearer {card.api_key}' \\
    -H 'Content-Type: application/json' -d '{ask}'

Pay it, with the id of the answer:

  .venv/bin/ctrip dev pay <id>{there}
"""
