"""Build everything that lives as long as the process, and take it down again.

Parts are built from the bottom up: pool, clients of the outsides, what watches and makes
payments. The stack that is handed in takes them down in the opposite order. Nothing
runs here yet; app.py makes the tasks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.rpc import RpcChain
from ctrip.chain.tokens import verify_tokens
from ctrip.clock import Clock, SystemClock
from ctrip.core.chains import Token
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName, RawAddress
from ctrip.core.payment import Settles
from ctrip.dumps import forbid_dumps
from ctrip.flows.audience import Audience
from ctrip.flows.create import Creator
from ctrip.flows.deliver import LEASE_MARGIN, Sender, Spawn
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.explain import Explainer
from ctrip.flows.give_back import Refunds
from ctrip.flows.health import Health
from ctrip.flows.keybook import Keybook
from ctrip.flows.leases import Leases
from ctrip.flows.news import News
from ctrip.flows.price import Pricer
from ctrip.flows.receivers import Receivers
from ctrip.flows.settling import Wallets
from ctrip.flows.stops import Stops
from ctrip.flows.tidings import Tidings
from ctrip.flows.watch import Watcher
from ctrip.settings import Network, Settings
from ctrip.store import endpoints, tokens
from ctrip.store import pool as store
from ctrip.store.bell import Bell
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import Wallet, open_wallet
from ctrip.wallet.keystore import load_signer
from ctrip.wallet.sign import Signer
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
    clients: Mapping[ChainName, RpcChain]
    watchers: Mapping[ChainName, Watcher]
    leases: Leases
    tokens: Sequence[Token]
    clock: Clock
    health: Health
    news: asyncio.Event  # something new is in the outbox: told to all of these
    wake: asyncio.Event  # the sender has something to do
    tidings: Tidings
    audience: Audience
    bell: Bell
    keybook: Keybook
    signer: Signer | None  # where money is swept from here
    stops: Stops


async def assemble(settings: Settings, stack: AsyncExitStack) -> Gateway:
    """Build the parts; `stack` takes them down, the last one first."""
    chain_ids = [network.chain.chain_id for network in settings.networks]
    wallet = open_wallet(settings.wallet, chain_ids=chain_ids)
    clock = SystemClock()
    pool = await store.connect(settings.database.url, size_max=settings.database.pool_size_max)
    stack.push_async_callback(close, pool)
    guard = guard_of(settings)
    webhooks = WebhookClient(guard, timeout_seconds=settings.webhooks.timeout_seconds)
    stack.push_async_callback(webhooks.close)
    clients = {n.chain.name: RpcChain(n.chain, n.rpc_urls, clock) for n in settings.networks}
    for client in clients.values():
        stack.push_async_callback(client.close)
    states = {name: client.endpoints for name, client in clients.items()}
    chains = [network.chain for network in settings.networks]
    health = Health(clock, chains, states)
    served = await prepare(pool, settings, clock)
    await check_tokens(settings.networks)
    wake, tidings, audience = asyncio.Event(), Tidings(pool), Audience(pool, clock)
    heard = News(wake.set, tidings.wake, audience.stir)
    bell = Bell(settings.database.url, heard.set)
    stack.push_async_callback(bell.close)
    common = (pool, clock, health, news := News(heard.set, bell.ring))
    watchers = {chain.name: Watcher(chain, clients[chain.name], *common) for chain in chains}
    return Gateway(
        settings=settings,
        pool=pool,
        wallet=wallet,
        webhooks=webhooks,
        guard=guard,
        clients=clients,
        watchers=watchers,
        leases=Leases(pool, health, watchers, bell.session),
        tokens=served,
        clock=clock,
        health=health,
        news=news,
        wake=wake,
        tidings=tidings,
        audience=audience,
        bell=bell,
        keybook=Keybook(pool),
        signer=signer_of(settings, wallet),
        stops=Stops(),
    )


def signer_of(settings: Settings, wallet: Wallet) -> Signer | None:
    """Return the keys, if a chain is swept from here; then no memory of ours is written down."""
    if all(network.chain.settlement.mode is not Settles.SWEEP for network in settings.networks):
        return None
    forbid_dumps()
    return load_signer(settings.settlement, expected_fingerprint=wallet.fingerprint)


def guard_of(settings: Settings) -> Guard:
    """Return the guard, which must let the configured receiver through."""
    guard = Guard(settings.webhooks.allow_cidrs)
    url = settings.webhooks.url
    if url and (fault := guard.check_url(url)):
        raise ConfigError(f"[webhooks] url: {fault}; allow_cidrs lists private networks to allow")
    return guard


async def prepare(pool: Pool, settings: Settings, clock: Clock) -> list[Token]:
    """Bring schema, receiver and tokens up to date; return the tokens of the networks served."""
    networks = settings.networks
    async with connection(pool) as conn:
        for name in await migrate(conn, read_files()):
            log.info("migrated", file=name)
        await endpoints.sync_config(conn, settings.webhooks.url, now=clock.now())
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


def sender_of(gateway: Gateway, spawn: Spawn) -> Sender:
    """Return what sends for this process."""
    settings = gateway.settings.webhooks
    return Sender(
        gateway.pool,
        gateway.webhooks,
        Receivers(gateway.pool, settings, gateway.clock),
        gateway.clock,
        gateway.wake,
        lease=timedelta(seconds=settings.timeout_seconds) + LEASE_MARGIN,
        spawn=spawn,
        stops=gateway.stops,
    )


def endpoints_of(gateway: Gateway) -> Endpoints:
    """Return what makes and changes endpoints."""
    settings = gateway.settings.webhooks
    return Endpoints(
        gateway.pool, gateway.guard, settings, gateway.clock, gateway.news, gateway.stops
    )


def explainer_of(gateway: Gateway) -> Explainer:
    """Return who is asked why a payment is not paid."""
    chains = [network.chain for network in gateway.settings.networks]
    return Explainer(chains, gateway.clients, gateway.pool, gateway.clock, gateway.health)


def refunds_of(gateway: Gateway) -> Refunds:
    """Return what takes in refunds."""
    chains = [network.chain for network in gateway.settings.networks]
    wallets = wallets_of(gateway.settings)
    return Refunds(chains, gateway.signer, gateway.pool, gateway.clock, wallets)


def wallets_of(settings: Settings) -> Wallets:
    """Return the wallets whose keys are elsewhere, as far as the configuration names them."""
    keys = settings.settlement
    return Wallets(
        gas=RawAddress(keys.gas_wallet.lower()) if keys.gas_wallet else None,
        payout=RawAddress(keys.payout_wallet.lower()) if keys.payout_wallet else None,
    )


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
        pricer=Pricer(gateway.clients, gateway.clock),
        on_open=lambda name: gateway.watchers[name].something_may_be_paid(),
    )
