"""Once a caller hears that an endpoint was stopped, nothing goes out that was not on the wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from socket import AF_INET, AddressFamily
from uuid import UUID

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.deliveries import Claim
from ctrip.core.endpoints import EndpointId
from ctrip.core.signature import hex_of
from ctrip.flows import deliver, lanes
from ctrip.flows.deliver import Sender
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.receivers import Receiver as Keys
from ctrip.flows.receivers import Receivers
from ctrip.flows.register import Change, New
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store.pool import Pool
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from tests.flows.sending import Gate
from tests.flows.test_lanes import a_claim
from tests.flows.world import World, a_world
from tests.support.receiver import Receiver, receiver
from tests.support.waiting import until

LOCAL = Guard(("127.0.0.0/8",))
SETTINGS = Webhooks(secret=Secret("s" * 32), secrets_key=Secret("k" * 64))
CLAIM = a_claim()
SLOTS = 2
DUE = 12
OCCASION = UUID(int=7)


class SlowNames(AbstractResolver):
    """Says where the shop is when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.let = asyncio.Event()
        self.let.set()

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: AddressFamily = AF_INET,  # noqa: ARG002  asked for by aiohttp
    ) -> list[ResolveResult]:
        self.asked += 1
        await self.let.wait()
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""


class SlowKeys(Receivers):
    """Finds keys when it is let."""

    let: asyncio.Event
    asked = 0
    at_once = 0  # so many are found without that

    async def of(self, claim: Claim) -> Keys:
        self.asked += 1
        if self.asked > self.at_once:
            await self.let.wait()
        return await super().of(claim)


class Bench(Struct):
    """A gateway that sends, an endpoint of its, and the shop behind it."""

    world: World
    shop: Receiver
    endpoints: Endpoints
    sender: Sender
    names: SlowNames
    keys: SlowKeys
    id: EndpointId = EndpointId("")

    async def waits(self) -> list[tuple[int, bool]]:
        """Return the attempts of what waits, and whether it is claimed."""
        rows = await self.world.rows(
            "SELECT attempts, claim_id IS NOT NULL AS claimed FROM deliveries ORDER BY attempts"
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def bench(pool: Pool) -> AsyncIterator[Bench]:
    world, names, stops = await a_world(pool), SlowNames(), Stops()
    await world.rows("DELETE FROM endpoints")
    endpoints = Endpoints(pool, LOCAL, SETTINGS, world.clock, world.news, stops)
    client = WebhookClient(LOCAL, timeout_seconds=30, resolver=names)
    keys = SlowKeys(pool, SETTINGS, world.clock)
    keys.let = asyncio.Event()
    keys.let.set()
    sender = Sender(
        pool,
        client,
        keys,
        world.clock,
        world.news,
        lease=timedelta(seconds=60),
        spawn=asyncio.create_task,
        stops=stops,
    )
    async with receiver() as shop:
        it = Bench(world, shop, endpoints, sender, names, keys)
        url = shop.url.replace("127.0.0.1", "shop.test")
        it.id = (await endpoints.create(New(url=url, concurrency_max=SLOTS)))[0].id
        for _ in range(DUE):
            await world.create()
        yield it
        await sender.close()
        await client.close()


Stop = Callable[[Bench], Awaitable[object]]
STOPS: dict[str, Stop] = {
    "disabled": lambda bench: bench.endpoints.disable(bench.id),
    "removed": lambda bench: bench.endpoints.remove(bench.id),
    "moved": lambda bench: bench.endpoints.change(bench.id, Change(url="http://127.0.0.1:65535/")),
}
each = pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)


@each
async def test_nothing_is_sent_that_was_claimed_ahead(
    bench: Bench, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "PACE_SECONDS", 0)
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", 1e9)
    monkeypatch.setattr(deliver, "KEPT_SECONDS_MAX", 60)
    gate = Gate(bench.shop)
    await bench.sender.run_once()
    await bench.shop.wait_for(SLOTS)
    await gate.let(1)
    await until("one is written", lambda: are_written(bench, 1))
    await bench.sender.run_once()
    await bench.shop.wait_for(SLOTS + 1)
    assert [claimed for _, claimed in await bench.waits()].count(True) > SLOTS, "some are ahead"
    await stop(bench)
    await gate.open()
    await until("what is on the wire is written", lambda: are_written(bench, SLOTS + 1))
    await bench.sender.settled()
    assert len(bench.shop.received) == SLOTS + 1
    assert await bench.waits() == [(0, False)] * (DUE - SLOTS - 1), "given back, at no cost"


@each
async def test_nothing_is_sent_that_waits_for_a_connection(bench: Bench, stop: Stop) -> None:
    bench.names.let.clear()
    await bench.sender.run_once()
    while not bench.names.asked:  # noqa: ASYNC110  a resolver has no event
        await asyncio.sleep(0)
    await stop(bench)
    bench.names.let.set()
    await bench.sender.settled()
    assert bench.shop.received == []
    assert await bench.waits() == [(0, False)] * DUE


@each
async def test_nothing_is_sent_that_waits_for_keys(bench: Bench, stop: Stop) -> None:
    bench.keys.let.clear()
    await bench.sender.run_once()
    await asyncio.sleep(0)
    assert bench.keys.asked == SLOTS
    await stop(bench)
    bench.keys.let.set()
    await bench.sender.settled()
    assert bench.shop.received == []
    assert bench.names.asked == 0, "nothing is dialled either"


async def test_who_is_enabled_again_is_sent_all_of_it(bench: Bench) -> None:
    bench.keys.let.clear()
    await bench.sender.run_once()
    await bench.endpoints.disable(bench.id)
    bench.keys.let.set()
    await bench.sender.settled()
    await bench.endpoints.enable(bench.id)
    while len(bench.shop.received) < DUE:
        await bench.sender.run_once()
        await bench.sender.settled()
    assert len(bench.shop.received) == DUE, "each once"


@pytest.mark.parametrize("is_repeated", [False, True], ids=["told", "told-again"])
async def test_a_secret_that_was_ended_signs_nothing_that_was_claimed(
    bench: Bench, *, is_repeated: bool
) -> None:
    bench.names.let.clear()
    await bench.sender.run_once()
    while not bench.names.asked:  # noqa: ASYNC110  a resolver has no event
        await asyncio.sleep(0)
    if is_repeated:  # the first try was of a process that ended, or its answer was lost
        other = Endpoints(
            bench.world.pool, LOCAL, SETTINGS, bench.world.clock, bench.world.news, Stops()
        )
        await other.rotate(bench.id, overlap=timedelta(0), occasion=OCCASION)
    secret = await bench.endpoints.rotate(bench.id, overlap=timedelta(0), occasion=OCCASION)
    bench.names.let.set()
    while len(bench.shop.received) < DUE:
        await bench.sender.run_once()
        await bench.sender.settled()
    signatures = {(one.headers["x-webhook-signature"], one.body) for one in bench.shop.received}
    assert signatures == {(hex_of(secret.encode(), body), body) for _, body in signatures}
    assert len(signatures) == DUE


async def test_who_failed_once_too_often_is_sent_nothing_of_what_was_claimed(
    bench: Bench,
) -> None:
    await bench.world.rows("UPDATE endpoints SET failures = 4, failing_since = created_at")
    bench.shop.answers(500)
    bench.keys.let.clear()
    bench.keys.at_once = 1
    await bench.sender.run_once()
    await until("it is paused", lambda: is_paused(bench))
    bench.keys.let.set()
    await bench.sender.settled()
    assert bench.keys.asked == SLOTS
    assert len(bench.shop.received) == 1


async def test_a_stop_is_not_undone_by_an_older_one_that_is_heard_of_later() -> None:
    stops = Stops()
    for revision in (3, 2):
        stops.note(CLAIM.endpoint_id, revision)
    assert [stops.lets_go(replace(CLAIM, revision=revision)) for revision in (2, 3)] == [
        False,
        True,
    ]
    stops.forget(CLAIM.endpoint_id)
    assert stops.lets_go(CLAIM)


async def is_paused(bench: Bench) -> bool:
    (row,) = await bench.world.rows("SELECT paused_until FROM endpoints")
    return row["paused_until"] is not None


async def are_written(bench: Bench, count: int) -> bool:
    (row,) = await bench.world.rows("SELECT count(*) FROM attempts")
    return bool(row[0] >= count)
