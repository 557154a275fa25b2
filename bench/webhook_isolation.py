"""What bad receivers cost the good ones: latency from an event written to its webhook received.

Fifty endpoints with a name, a port and a secret of their own hear of every event; events come
steadily. Seven of them are bad: one never answers, one drips, one never ends, one hangs up, one
sends a bomb, one is busy, and the zone of one's name is dead. Rounds without them and with them
take turns, each with a fresh database, and what counts is the ratio of the percentiles of the
other 43. The offered load leaves most of the machine idle, so that what is seen is waiting for
one another and not for the processor.

    make bench, or: .venv/bin/python -m bench.webhook_isolation
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, redirect_stderr
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Final, NamedTuple
from uuid import uuid4

import uvloop

from bench.stub_shops import Bomb, Busy, Drip, Endless, Good, Resetting, Shop, Silent, Street, shops
from bench.webhooks import BODY, SECRET
from ctrip import logs
from ctrip.app import DELIVERY_POLL_SECONDS, settle_in
from ctrip.clock import SystemClock
from ctrip.core.endpoints import ANY, CONCURRENCY_DEFAULT, EndpointId, Format
from ctrip.core.errors import InvariantError
from ctrip.core.events import EventType
from ctrip.core.ids import PaymentId, event_id
from ctrip.dev import postgres
from ctrip.flows.deliver import LEASE_MARGIN, Sender
from ctrip.flows.health import Health
from ctrip.flows.receivers import Receivers
from ctrip.flows.supervise import every
from ctrip.settings import Log, Secret, Webhooks
from ctrip.store import endpoint_secrets, endpoints, outbox, queue
from ctrip.store.endpoint_secrets import SealedSecret
from ctrip.store.endpoints import Wish
from ctrip.store.migrate import migrate, read_files
from ctrip.store.outbox import Row
from ctrip.store.pool import Pool, connect, connection, transaction
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.resolver import Resolver
from ctrip.webhooks.seal import Sealer
from tests.webhooks.nameserver import NameServer, a_nameserver

GOOD: Final = 43
BAD: Final[Sequence[type[Shop]]] = (Silent, Drip, Endless, Resetting, Bomb, Busy)
DEAD_ZONE: Final = "dead.test"
ROUNDS: Final = 3  # of each kind
ROUND_SECONDS: Final = 16.0
EVENTS_PER_SECOND: Final = 10
WARM_UP: Final = 10  # events, while connections are made
REST_SECONDS: Final = 2.0  # for what is on the wire at the end
TIMEOUT_SECONDS: Final = 3.0  # short, so that a round sees timeouts, and what follows
KEY: Final = Secret("k" * 64)


class Saw(NamedTuple):
    """What a round saw."""

    p50: float  # milliseconds
    p99: float
    cpu_share: float  # of one core, by the process that sends


async def main() -> None:
    """Let rounds without and with bad receivers take turns."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ctrip-bench-")))
        cluster = stack.enter_context(postgres.start(folder / "postgres"))
        good = stack.enter_context(shops([Good] * GOOD))
        bad = stack.enter_context(shops(BAD))
        names = await stack.enter_async_context(a_nameserver())
        lines = stack.enter_context((folder / "log").open("w"))
        with redirect_stderr(lines):
            logs.configure(Log(), [SECRET, KEY])
        urls = [url_of(names, f"good-{n}.test", port) for n, port in enumerate(good.ports)]
        worse = [url_of(names, f"bad-{n}.test", port) for n, port in enumerate(bad.ports)]
        names.silent = DEAD_ZONE
        worse.append(f"http://shop.{DEAD_ZONE}:8080/hook")
        settle_in()
        without: list[Saw] = []
        among: list[Saw] = []
        for number in range(ROUNDS):
            for kind, asked, seen in (("a", urls, without), ("b", [*urls, *worse], among)):
                pool = await connect(Secret(cluster.create(f"round_{number}{kind}")), size_max=8)
                try:
                    seen.append(await a_round(pool, asked, good, names))
                finally:
                    await pool.close()
    report(without, among)


def url_of(names: NameServer, name: str, port: int) -> str:
    """Give a shop its name."""
    names.names[name] = ["127.0.0.1"]
    return f"http://{name}:{port}/hook"


async def a_round(pool: Pool, urls: Sequence[str], good: Street, names: NameServer) -> Saw:
    """Let events come for a while, and see when the good receivers heard of them."""
    await prepare(pool, urls)
    clock, news = SystemClock(), asyncio.Event()
    client = WebhookClient(
        Guard(("127.0.0.0/8",)),
        timeout_seconds=TIMEOUT_SECONDS,
        resolver=Resolver(deadline_seconds=TIMEOUT_SECONDS / 2, nameservers=[names.address]),
    )
    receivers = Receivers(pool, Webhooks(secrets_key=KEY), clock)
    lease = timedelta(seconds=TIMEOUT_SECONDS) + LEASE_MARGIN
    spawn = asyncio.create_task
    sender = Sender(pool, client, receivers, clock, news, lease=lease, spawn=spawn)
    health = Health(clock, [])
    duty = asyncio.create_task(
        every(DELIVERY_POLL_SECONDS, sender.run_once, task="deliver", health=health, nudge=news)
    )
    start, cpu = perf_counter(), process_time()
    try:
        written = await offer(pool, news)
        share = (process_time() - cpu) / (perf_counter() - start)
        await asyncio.sleep(REST_SECONDS)
    finally:
        duty.cancel()
        await asyncio.wait([duty])
        await sender.close()
        await client.close()
    return seen_by(good, written, share)


async def prepare(pool: Pool, urls: Sequence[str]) -> None:
    """Make a database with an endpoint for each URL."""
    now, sealer = SystemClock().now(), Sealer(KEY)
    async with connection(pool) as conn:
        await migrate(conn, read_files())
        await queue.keep_months(conn, now=now, kept_from=now)
        for number, url in enumerate(urls):
            name = EndpointId(f"we_{number:03}")
            wish = Wish(
                url=url,
                description="",
                event_types=(ANY,),
                format=Format.STANDARD,
                headers=None,
                concurrency_max=CONCURRENCY_DEFAULT,
                rate_max=None,
            )
            await endpoints.add(conn, name, wish, now=now)
            secret = SealedSecret(
                id=uuid4(),
                endpoint_id=name,
                sealed=sealer.seal(SECRET.reveal().encode(), owner=name),
                created_at=now,
                expires_at=None,
            )
            await endpoint_secrets.add(conn, secret)


async def offer(pool: Pool, news: asyncio.Event) -> Mapping[str, float]:
    """Write events at random moments, so many a second; return when each was committed."""
    dice = Random(0)  # noqa: S311  a load, the same each round
    written: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in range(WARM_UP + int(ROUND_SECONDS * EVENTS_PER_SECOND)):
        due += dice.uniform(0.5, 1.5) / EVENTS_PER_SECOND
        await asyncio.sleep(due - loop.time())
        payment = PaymentId(uuid4())
        row = Row(event_id(payment, 1), payment, 1, EventType.CREATED, BODY, None)
        async with transaction(pool) as conn:
            await outbox.write(conn, outbox.columns([row], now=SystemClock().now()))
        if number >= WARM_UP:
            written[row.id] = perf_counter()
        news.set()
    return written


def seen_by(good: Street, written: Mapping[str, float], share: float) -> Saw:
    """Return the percentiles; every event came to every good receiver once, or it is refused."""
    came = [(event, shop, at) for event, shop, at in good.came() if event in written]
    if len({one[:2] for one in came}) != len(came) or len(came) != GOOD * len(written):
        raise InvariantError(f"{len(came)} came of {GOOD * len(written)}")
    times = sorted((at - written[event]) * 1_000 for event, _, at in came)
    saw = Saw(times[len(times) // 2], times[int(len(times) * 0.99)], share)
    print(f"p50 {saw.p50:.1f} ms, p99 {saw.p99:.1f} ms, {share:.2f} of a core")
    return saw


def report(without: Sequence[Saw], among: Sequence[Saw]) -> None:
    """Print both sides and the ratios of their medians, and those of each pair of rounds."""
    for name, seen in (("without the bad", without), ("with the bad", among)):
        print(
            f"{name}: p50 {median(s.p50 for s in seen):.1f} ms, "
            f"p99 {median(s.p99 for s in seen):.1f} ms"
        )
    pairs = list(zip(without, among, strict=True))
    print(
        f"isolation: with seven bad receivers p50 is {median(b.p50 / a.p50 for a, b in pairs):.2f} "
        f"and p99 {median(b.p99 / a.p99 for a, b in pairs):.2f} times what it is without them "
        f"({min(b.p99 / a.p99 for a, b in pairs):.2f} to {max(b.p99 / a.p99 for a, b in pairs):.2f}"
        f"; medians of {len(pairs)} pairs of rounds)"
    )


if __name__ == "__main__":
    uvloop.run(main())
