"""Build everything that lives as long as the process, and take it down again.

Parts are built from the bottom up: pool, clients of the outsides, what watches and makes
payments. The stack that is handed in takes them down in the opposite order. Nothing
runs here yet; app.py makes the tasks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.chain.tokens import verify_tokens
from ctrip.clock import Clock, SystemClock
from ctrip.core.chains import Token
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName
from ctrip.flows.create import Creator
from ctrip.flows.health import Health
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Secret, Settings
from ctrip.store import pool as store
from ctrip.store import tokens
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import Wallet, open_wallet
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard

POOL_SECONDS_LEFT: Final = 2.0  # for its connections to come back at the end

log = logs.get("ctrip.app")


class Gateway(Struct, frozen=True, kw_only=True):
    """Everything that lives as long as the process."""

    settings: Settings
    pool: Pool
    wallet: Wallet
    webhooks: WebhookClient
    guard: Guard
    clients: Mapping[ChainName, ChainClient]
    watchers: Mapping[ChainName, Watcher]
    tokens: Sequence[Token]
    clock: Clock
    health: Health
    news: asyncio.Event  # something new is in the outbox


def secrets_of(settings: Settings) -> list[Secret]:
    """Return everything that no log line may show."""
    endpoints = [url for network in settings.networks for url in network.rpc_urls]
    wallet = settings.wallet
    return [
        settings.database.url,
        settings.webhooks.secret,
        wallet.mnemonic,
        wallet.xpub,
        *endpoints,
    ]


async def assemble(settings: Settings, stack: AsyncExitStack) -> Gateway:
    """Build the parts; `stack` takes them down, the last one first."""
    chain_ids = [network.chain.chain_id for network in settings.networks]
    wallet = open_wallet(settings.wallet, chain_ids=chain_ids)
    clock = SystemClock()
    pool = await store.connect(settings.database.url, size_max=settings.database.pool_size_max)
    stack.push_async_callback(close, pool)
    guard = Guard(settings.webhooks.allow_cidrs)
    webhooks = WebhookClient(guard, timeout_seconds=settings.webhooks.timeout_seconds)
    stack.push_async_callback(webhooks.close)
    clients = {n.chain.name: RpcChain(n.chain, n.rpc_urls, clock) for n in settings.networks}
    for client in clients.values():
        stack.push_async_callback(client.close)
    states = {name: client.endpoints for name, client in clients.items()}
    chains = [network.chain for network in settings.networks]
    health = Health(clock, chains, states)
    served = await prepare(pool, settings.networks)
    await check_tokens(settings.networks)
    common = (pool, clock, health, news := asyncio.Event())
    to_global = bool(settings.webhooks.url)
    watchers = {
        chain.name: Watcher(chain, clients[chain.name], *common, to_global=to_global)
        for chain in chains
    }
    return Gateway(
        settings=settings,
        pool=pool,
        wallet=wallet,
        webhooks=webhooks,
        guard=guard,
        clients=clients,
        watchers=watchers,
        tokens=served,
        clock=clock,
        health=health,
        news=news,
    )


async def prepare(pool: Pool, networks: Sequence[Network]) -> list[Token]:
    """Bring schema and token list up to date; return the tokens of the networks served."""
    async with connection(pool) as conn:
        for name in await migrate(conn, read_files()):
            log.info("migrated", file=name)
        await tokens.sync(conn, [token for n in networks for token in n.chain.tokens])
        served = {network.chain.name for network in networks}
        return [token for token in await tokens.all_known(conn) if token.chain in served]


async def check_tokens(networks: Sequence[Network]) -> None:
    """Refuse to start with a token whose contract counts in other decimals than we would."""
    said = await asyncio.gather(*(verify_tokens(n.chain, n.rpc_urls) for n in networks))
    if faults := [fault for of_network in said for fault in of_network]:
        raise ConfigError("\n".join(faults))


async def close(pool: Pool) -> None:
    """Close a pool, by force if its connections do not come back."""
    try:
        async with asyncio.timeout(POOL_SECONDS_LEFT):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def creator_of(gateway: Gateway) -> Creator:
    """Return the maker of payments."""
    return Creator(
        gateway.settings.networks,
        gateway.settings.payments,
        gateway.wallet,
        gateway.pool,
        gateway.clock,
        gateway.guard,
        gateway.news,
        to_global=bool(gateway.settings.webhooks.url),
        on_open=lambda name: gateway.watchers[name].something_may_be_paid(),
    )
