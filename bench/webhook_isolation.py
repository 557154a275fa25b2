"""What bad receivers cost the good ones: latency from an event written to its webhook received.

Fifty endpoints with a name, a port and a secret of their own hear of every event; events come
steadily. Seven of them are bad: one never answers, one drips, one never ends, one hangs up, one
sends a bomb, one is busy, and the zone of one's name is dead. Rounds without them and with them
take turns, each with a fresh database. What counts is the ratio of the percentiles of the other
43 over all rounds of a kind. The offered load leaves most of the machine idle, so that what is
seen is waiting for one another and not for the processor.

The deliveries of an event wait together, so a hundredth of them is a hundredth of the events: a
round has two of those, and its p99 is chance. How sure the ratio is, is found by drawing events
from those that there were, with replacement, again and again.

    make bench, or: .venv/bin/python -m bench.webhook_isolation
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, redirect_stderr
from datetime import timedelta
from itertools import chain
from pathlib import Path
from random import Random
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
from ctrip.flows.stops import Stops
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
ROUNDS: Final = 6  # of each kind
ROUND_SECONDS: Final = 7.0
EVENTS_PER_SECOND: Final = 20
WARM_UP: Final = 10  # events, while connections are made
REST_SECONDS: Final = 1.0  # for what is on the wire at the end
DRAWS: Final = 200
TIMEOUT_SECONDS: Final = 3.0  # short, so that a round sees timeouts, and what follows
KEY: Final = Secret("k" * 64)


class Saw(NamedTuple):
    """What a round saw."""

    waits: Sequence[Sequence[float]]  # milliseconds: of each event, to each good receiver
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
            kinds = [("a", urls, without), ("b", [*urls, *worse], among)]
            for kind, asked, seen in kinds if number % 2 else reversed(kinds):
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
    sender = Sender(pool, client, receivers, clock, news, lease=lease, spawn=spawn, stops=Stops())
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
    """Return the waits; every event came to every good receiver once, or it is refused."""
    came = [(event, shop, at) for event, shop, at in good.came() if event in written]
    if len({one[:2] for one in came}) != len(came) or len(came) != GOOD * len(written):
        raise InvariantError(f"{len(came)} came of {GOOD * len(written)}")
    waits: dict[str, list[float]] = {event: [] for event in written}
    for event, _, at in came:
        waits[event].append((at - written[event]) * 1_000)
    saw = Saw([*waits.values()], share)
    p50, p99 = percentiles(saw.waits)
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {share:.2f} of a core", flush=True)
    return saw


def percentiles(waits: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return p50 and p99 of all deliveries of these events."""
    times = sorted(chain.from_iterable(waits))
    return times[len(times) // 2], times[int(len(times) * 0.99)]


def report(without: Sequence[Saw], among: Sequence[Saw]) -> None:
    """Print both sides, the ratios over all rounds, and how sure they are."""
    sides = [[wait for saw in seen for wait in saw.waits] for seen in (without, among)]
    for name, waits in zip(("without the bad", "with the bad"), sides, strict=True):
        p50, p99 = percentiles(waits)
        print(f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, of {len(waits)} events")
    low, high = likely(*sides)
    p50, p99 = ratios(*sides)
    pairs = [ratios(a.waits, b.waits)[1] for a, b in zip(without, among, strict=True)]
    print(
        f"isolation: with seven bad receivers p50 is {p50:.2f} and p99 {p99:.2f} times what it is "
        f"without them ({low:.2f} to {high:.2f} in 90 of 100 draws of the events, "
        f"{min(pairs):.2f} to {max(pairs):.2f} in pairs of rounds)"
    )


def ratios(
    without: Sequence[Sequence[float]], among: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """Return what the bad ones make of p50 and p99."""
    (p50, p99), (worse50, worse99) = percentiles(without), percentiles(among)
    return worse50 / p50, worse99 / p99


def likely(
    without: Sequence[Sequence[float]], among: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """Return between what the ratio of p99 lies nine times of ten, if other events had come."""
    dice = Random(0)  # noqa: S311  a sample
    drawn = sorted(
        ratios(*(dice.choices(waits, k=len(waits)) for waits in (without, among)))[1]
        for _ in range(DRAWS)
    )
    return drawn[DRAWS // 20], drawn[-DRAWS // 20]


if __name__ == "__main__":
    uvloop.run(main())
