"""The composition root's other half: runs what assembly.py built, and ends it in order.

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
from functools import partial
from typing import Any, Final

import uvloop

from ctrip import logs
from ctrip.assembly import (
    Gateway,
    assemble,
    creator_of,
    endpoints_of,
    explainer_of,
    refunds_of,
    sender_of,
)
from ctrip.core.chains import Chain
from ctrip.core.payment import Settles
from ctrip.flows.act import Acts
from ctrip.flows.audience import POLL_SECONDS
from ctrip.flows.audit import AUDIT_SECONDS, Auditor
from ctrip.flows.books import BOOKS_SECONDS, Bookkeeper
from ctrip.flows.deliver import Sender
from ctrip.flows.expire import Expirer
from ctrip.flows.follow import Follower
from ctrip.flows.key_uses import USES_SECONDS
from ctrip.flows.keybook import READ_SECONDS
from ctrip.flows.leases import RENEW_SECONDS
from ctrip.flows.plan import PLAN_SECONDS, Planner
from ctrip.flows.probe import PROBE_SECONDS, Probe
from ctrip.flows.prune import PRUNE_SECONDS, Pruner
from ctrip.flows.reconcile import RECONCILE_SECONDS, Reconciler
from ctrip.flows.refund import REFUND_SECONDS, Refunder
from ctrip.flows.repeat import Repeats
from ctrip.flows.replay import REPLAY_SECONDS, Replayer
from ctrip.flows.reread import REREAD_SECONDS, Rereader
from ctrip.flows.rescan import Rescanner
from ctrip.flows.stage import Player, Stage
from ctrip.flows.supervise import every, then
from ctrip.flows.sweep import SWEEP_SECONDS, Sweeper
from ctrip.flows.vouch import Voucher
from ctrip.flows.watch import Watcher
from ctrip.server import http_server, listen, url_of
from ctrip.settings import Settings, secrets_of
from ctrip.store.bell import LOOK_SECONDS
from ctrip.web.site import Parts, build

RunOnce = Callable[[], Awaitable[bool]]

DELIVERY_POLL_SECONDS: Final = 1.0  # the guarantee; news comes by nudge
EXPIRY_POLL_SECONDS: Final = 1.0
RESCAN_POLL_SECONDS: Final = 1.0  # asks Postgres only, unless there is a gap
VOUCH_SECONDS: Final = 1.0  # asks Postgres only, unless a large amount waits
FOLLOW_HELD_SECONDS: Final = 60.0  # asks Postgres only, unless money was moved before
RECURSION_MAX: Final = 1_000  # calls; Python's own default
GARBAGE_MIN: Final = (
    20_000  # objects between looks for cycles; 700, the default, is 3 % of a create
)
TASK_SECONDS_LEFT: Final = 2.0
LARGEST_KEPT_BYTES: Final = 2**25 - 2**16  # just below 32 MB, the most that glibc takes for this

log = logs.get("ctrip.app")


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run serve(), or something around it, on the loop that serves best."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[str], None] | None = None,
    player: Player | None = None,
) -> None:
    """Build everything, serve, and take it down again.

    `on_ready` is told our URL once every chain was read, so that payments can be created.
    With a `player`, payments may name a test case.
    """
    logs.configure(settings.log, secrets_of(settings))
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.server))
        gateway = await assemble(settings, stack)
        settle_in()
        sender = sender_of(gateway, asyncio.create_task)
        stack.push_async_callback(sender.close)
        stack.push_async_callback(gateway.leases.close)
        stack.push_async_callback(end, start(gateway, sender))
        stage = Stage(gateway.pool, player, asyncio.create_task)
        stack.push_async_callback(stage.close)
        await serve_http(gateway, stage, listener, stopping, on_ready)
    log.info("stopped")


def start(gateway: Gateway, sender: Sender) -> list[asyncio.Task[None]]:
    """Start every duty as a task of its own, so that none can stop another."""
    duty = partial(begin, gateway, None)
    tasks = []
    for watcher in gateway.watchers.values():
        tasks += watch(gateway, watcher)
    pool, clock, webhooks = gateway.pool, gateway.clock, gateway.settings.webhooks
    replay = Replayer(pool, clock, gateway.news).run_once
    prune = Pruner(pool, clock, webhooks).run_once
    bell, audience, keybook = gateway.bell, gateway.audience, gateway.keybook
    leases = gateway.leases.run_once
    return [
        *tasks,
        duty("deliver", sender.run_once, DELIVERY_POLL_SECONDS, nudge=gateway.wake),
        duty("replay", replay, REPLAY_SECONDS),
        duty("prune", prune, PRUNE_SECONDS),
        duty("leases", leases, RENEW_SECONDS, nudge=bell.connected),
        duty("bell", bell.run_once, LOOK_SECONDS, nudge=bell.wake),
        duty("keys", keybook.run_once, READ_SECONDS),
        duty("key uses", keybook.uses.run_once, USES_SECONDS),
        duty("stream", audience.run_once, POLL_SECONDS, nudge=audience.wake),
    ]


def watch(gateway: Gateway, watcher: Watcher) -> list[asyncio.Task[None]]:
    """Start the duties of one chain."""
    chain = watcher.chain
    duty = partial(begin, gateway, chain)
    look, wake = watcher.pause_seconds, watcher.wake
    common = (gateway.pool, gateway.clock, gateway.news)
    seeing = (chain, gateway.clients[chain.name], *common)
    duties: Mapping[str, tuple[RunOnce, float]] = {
        "expire": (Expirer(chain.name, *common).run_once, EXPIRY_POLL_SECONDS),
        "vouch": (Voucher(*seeing).run_once, VOUCH_SECONDS),
        "probe": (Probe(*seeing).run_once, PROBE_SECONDS),
        "rescan": (Rescanner(*seeing).run_once, RESCAN_POLL_SECONDS),
        "reread": (Rereader(*seeing).run_once, REREAD_SECONDS),
        "audit": (Auditor(*seeing).run_once, AUDIT_SECONDS),
        "books": (Bookkeeper(chain.name, gateway.pool, gateway.clock).run_once, BOOKS_SECONDS),
        "reconcile": (Reconciler(*seeing).run_once, RECONCILE_SECONDS),
    }
    return [
        duty("watch", watcher.run_once, look, nudge=wake),
        *(duty(verb, run_once, seconds) for verb, (run_once, seconds) in duties.items()),
        *settlement(gateway, chain),
    ]


def settlement(gateway: Gateway, chain: Chain) -> list[asyncio.Task[None]]:
    """Start the duties that move a chain's money; what is under way is followed in any mode."""
    duty = partial(begin, gateway, chain)
    mode, common = chain.settlement.mode, (gateway.pool, gateway.clock, gateway.news)
    transactor = gateway.clients[chain.name].transactor()
    moving = (chain, transactor, *common, gateway.signer)
    plan = Planner(chain, gateway.pool, gateway.clock, gateway.wallet.fingerprint).run_once
    warn = partial(gateway.health.warns, f"transactions on {chain.name}")
    follower = Follower(*moving, warn=warn)
    if mode is Settles.HOLD:
        return [duty("follow", follower.run_once, FOLLOW_HELD_SECONDS)]
    pause, due = follower.pause_seconds(), asyncio.Event()
    duties = [
        duty("plan", then(plan, due.set), PLAN_SECONDS),
        duty("follow", then(follower.run_once, due.set), pause),
    ]
    if mode is Settles.SWEEP:
        warn = partial(gateway.health.warns, f"sweeps of {chain.name}")
        sweep, refund = Sweeper(*moving, warn=warn).run_once, Refunder(*moving).run_once
        duties += [
            duty("sweep", sweep, SWEEP_SECONDS, nudge=due),
            duty("refund", refund, REFUND_SECONDS),
        ]
    return duties


def begin(
    gateway: Gateway,
    chain: Chain | None,
    verb: str,
    run_once: RunOnce,
    seconds: float | Callable[[], float],
    nudge: asyncio.Event | None = None,
) -> asyncio.Task[None]:
    """Start one duty; what is of a chain no other process does meanwhile."""
    if chain:
        verb, run_once = f"{verb} {chain.name}", gateway.leases.in_turn(chain.name, run_once)
    loop = every(seconds, run_once, task=verb, health=gateway.health, nudge=nudge)
    return asyncio.create_task(loop, name=verb)


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Stop every duty and wait, not for ever, until it has let go of what it held."""
    for task in tasks:
        task.cancel()
    _, stuck = await asyncio.wait(tasks, timeout=TASK_SECONDS_LEFT)
    for task in stuck:
        log.warning("task did not stop in time", task=task.get_name())


def settle_in() -> None:
    """Set the process up for a long life, once everything is built."""
    # Decoders recurse on the C stack up to this limit; a library that is imported may raise it.
    sys.setrecursionlimit(RECURSION_MAX)
    gc.freeze()  # what was built lives as long as we do; requests leave few cycles behind
    gc.set_threshold(GARBAGE_MIN)
    # glibc gives large memory back at once, and its first touch is half of what reading blocks
    # costs. It keeps memory as large as the largest that it has seen freed (mallopt(3),
    # M_MMAP_THRESHOLD); elsewhere this does nothing.
    bytearray(LARGEST_KEPT_BYTES)


async def serve_http(
    gateway: Gateway,
    stage: Stage,
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
            acts=Acts(gateway.pool, gateway.clock, gateway.news),
            refunds=refunds_of(gateway),
            endpoints=endpoints_of(gateway),
            tidings=gateway.tidings,
            audience=gateway.audience,
            health=gateway.health,
            explainer=explainer_of(gateway),
            keybook=gateway.keybook,
            repeats=Repeats(gateway.pool, gateway.clock, gateway.settings.webhooks),
            stage=stage,
            chains=[network.chain for network in gateway.settings.networks],
            tokens=gateway.tokens,
            server=gateway.settings.server,
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
    gateway.tidings.stop()
    gateway.audience.stop()
    server.should_exit = True
    await serving
