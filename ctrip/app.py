"""The composition root: builds every part, owns every task, and ends them in order.

Order of the end: the listener closes and requests under way finish; watchers and
deadlines stop between or within transactions, which then never happened; deliveries on
the wire give their claims back; the pool closes last. All of it within five seconds.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import uvloop
from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.clock import Clock, SystemClock
from ctrip.core.chains import Token
from ctrip.core.ids import ChainName
from ctrip.flows.create import Creator
from ctrip.flows.deliver import Sender
from ctrip.flows.expire import Expirer
from ctrip.flows.health import Health
from ctrip.flows.supervise import every
from ctrip.flows.watch import Watcher
from ctrip.server import http_server, listen, url_of
from ctrip.settings import Network, Secret, Settings
from ctrip.store import pool as store
from ctrip.store import tokens
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import Wallet, open_wallet
from ctrip.web.site import Parts, build
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard

DELIVERY_LANES: Final = 4
DELIVERY_POLL_SECONDS: Final = 1.0  # the guarantee; news comes by nudge
EXPIRY_POLL_SECONDS: Final = 1.0
RECURSION_MAX: Final = 1_000  # calls; Python's own default
GARBAGE_MIN: Final = (
    20_000  # objects between looks for cycles; 700, the default, is 3 % of a create
)
TASK_SECONDS_LEFT: Final = 2.0

log = logs.get("ctrip.app")


class Gateway(Struct, frozen=True, kw_only=True):
    """Everything that lives as long as the process."""

    settings: Settings
    pool: Pool
    wallet: Wallet
    webhooks: WebhookClient
    guard: Guard
    clients: Mapping[ChainName, ChainClient]
    tokens: Sequence[Token]
    clock: Clock
    health: Health
    news: asyncio.Event  # something new is in the outbox


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run serve(), or something around it, on the loop that serves best."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


async def serve(settings: Settings, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Build everything, serve, and take it down again.

    `on_ready` is told our URL once every chain was read, so that payments can be created.
    """
    logs.configure(settings.log, secrets_of(settings))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.server))
        gateway = await assemble(settings, stack)
        # Decoders recurse on the C stack up to this limit; a library that is imported may raise it.
        sys.setrecursionlimit(RECURSION_MAX)
        gc.freeze()  # what was built lives as long as we do; requests leave few cycles behind
        gc.set_threshold(GARBAGE_MIN)
        stack.push_async_callback(end, start(gateway))
        await serve_http(gateway, listener, stopping, on_ready)
    log.info("stopped")


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
    clients = {network.chain.name: client_of(network) for network in settings.networks}
    for client in clients.values():
        stack.push_async_callback(client.close)
    return Gateway(
        settings=settings,
        pool=pool,
        wallet=wallet,
        webhooks=webhooks,
        guard=guard,
        clients=clients,
        tokens=await prepare(pool, settings.networks),
        clock=clock,
        health=Health(clock, tuple(clients)),
        news=asyncio.Event(),
    )


def client_of(network: Network) -> ChainClient:
    """Return a client for a network's endpoints."""
    chain = network.chain
    return RpcChain(
        chain.name,
        network.rpc_urls,
        chain_id=chain.chain_id,
        finality_depth=chain.finality_depth,
    )


async def prepare(pool: Pool, networks: Sequence[Network]) -> list[Token]:
    """Bring schema and token list up to date; return the tokens of the networks served."""
    async with connection(pool) as conn:
        for name in await migrate(conn, read_files()):
            log.info("migrated", file=name)
        await tokens.sync(conn, [token for n in networks for token in n.chain.tokens])
        served = {network.chain.name for network in networks}
        return [token for token in await tokens.all_known(conn) if token.chain in served]


async def close(pool: Pool) -> None:
    """Close a pool, by force if its connections do not come back."""
    try:
        async with asyncio.timeout(TASK_SECONDS_LEFT):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def start(gateway: Gateway) -> list[asyncio.Task[None]]:
    """Start every duty as a task of its own, so that none can stop another."""
    tasks = []
    to_global = bool(gateway.settings.webhooks.url)
    common = (gateway.pool, gateway.clock)
    for network in gateway.settings.networks:
        chain, client = network.chain, gateway.clients[network.chain.name]
        watcher = Watcher(chain, client, *common, gateway.health, gateway.news, to_global=to_global)
        expirer = Expirer(chain.name, *common, gateway.news, to_global=to_global)
        tasks += [
            duty(gateway, f"watch {chain.name}", watcher.run_once, chain.poll_interval_seconds),
            duty(gateway, f"expire {chain.name}", expirer.run_once, EXPIRY_POLL_SECONDS),
        ]
    for number in range(DELIVERY_LANES):
        sender = Sender(gateway.pool, gateway.webhooks, gateway.settings.webhooks, gateway.clock)
        name = f"deliver {number}"
        tasks.append(
            duty(gateway, name, sender.run_once, DELIVERY_POLL_SECONDS, nudge=gateway.news)
        )
    return tasks


def duty(
    gateway: Gateway,
    name: str,
    run_once: Callable[[], Awaitable[bool]],
    seconds: float,
    nudge: asyncio.Event | None = None,
) -> asyncio.Task[None]:
    """Start one duty."""
    loop = every(seconds, run_once, task=name, health=gateway.health, nudge=nudge)
    return asyncio.create_task(loop, name=name)


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Stop every duty and wait, not for ever, until it has let go of what it held."""
    for task in tasks:
        task.cancel()
    _, stuck = await asyncio.wait(tasks, timeout=TASK_SECONDS_LEFT)
    for task in stuck:
        log.warning("task did not stop in time", task=task.get_name())


async def serve_http(
    gateway: Gateway,
    listener: socket.socket,
    stopping: asyncio.Event,
    on_ready: Callable[[str], None] | None,
) -> None:
    """Answer requests until told to stop."""
    site = build(
        Parts(
            pool=gateway.pool,
            clock=gateway.clock,
            creator=creator_of(gateway),
            health=gateway.health,
            chains=[network.chain for network in gateway.settings.networks],
            tokens=gateway.tokens,
            auth_is_off=gateway.settings.server.auth == "off",
        )
    )
    server = http_server(site)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    url = url_of(listener)
    log.info("serving", url=url)
    stopped = asyncio.create_task(stopping.wait(), name="stopping")
    ready = asyncio.create_task(gateway.health.all_seen.wait(), name="ready")
    await asyncio.wait([serving, stopped, ready], return_when=asyncio.FIRST_COMPLETED)
    if on_ready and ready.done():
        on_ready(url)
    await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    ready.cancel()
    server.should_exit = True
    await serving


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
    )
