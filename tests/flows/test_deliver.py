"""Deliveries, with a real receiver: signed, repeated, given up, and never lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import json

from ctrip.clock import SystemClock
from ctrip.core.ids import EventId
from ctrip.flows.deliver import LEASE_MARGIN, Sender
from ctrip.settings import Secret, Webhooks
from ctrip.store.pool import DatabaseOutage
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from tests.flows.world import World, address
from tests.support.flaky import FlakyPool
from tests.support.receiver import Receiver, hang, receiver, reset, status, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (published, in Standard Webhooks)


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    async with receiver() as shop:
        yield shop


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    client = WebhookClient(Guard(("127.0.0.0/8",)), timeout_seconds=5)
    yield client
    await client.close()


@pytest.fixture
def sender(world: World, shop: Receiver, client: WebhookClient) -> Sender:
    return Sender(world.pool, client, settings(shop.url), world.clock)


def settings(url: str) -> Webhooks:
    return Webhooks(url=url, secret=Secret(SECRET), timeout_seconds=5)


async def states(world: World) -> list[tuple[str, str, int, str | None]]:
    rows = await world.rows(
        "SELECT target, state, attempts, outcome FROM deliveries ORDER BY event_id, target"
    )
    return [tuple(row) for row in rows]


async def test_news_is_signed_and_delivered_once(
    world: World, shop: Receiver, sender: Sender
) -> None:
    payment = await world.create(2**100, order_id="Käse", metadata={"a": "b"})
    world.chain.pay(address(payment), 2**100)
    world.clock.set(SystemClock().now())  # verifiers allow five minutes, of real time
    await world.mine(3)
    await sender.run_once()
    await sender.run_once()
    bodies = [verify(r, SECRET) for r in shop.received]
    assert sorted(b["sequence"] for b in bodies) == [1, 2, 3, 4, 5]
    last = max(bodies, key=lambda b: b["sequence"])
    assert (last["type"], last["data"]["status"]) == ("payment.settled", "settled")
    assert (last["data"]["amount"], last["data"]["order_id"]) == (2**100, "Käse")
    assert last["data"]["amount_received"] == 2**100
    assert {s[1:] for s in await states(world)} == {("delivered", 1, "200")}


async def test_a_receiver_that_fails_is_asked_again_later(
    world: World, shop: Receiver, sender: Sender
) -> None:
    await world.create()
    shop.answers(500, reset, 200)
    await sender.run_once()
    await sender.run_once()
    assert len(shop.received) == 1, "not before it is due"
    world.clock.move(seconds=7)
    await sender.run_once()
    assert await states(world) == [("global", "waiting", 2, "closed")]
    world.clock.move(minutes=7)
    await sender.run_once()
    assert await states(world) == [("global", "delivered", 3, "200")]
    assert len({r.headers["webhook-id"] for r in shop.received}) == 1
    assert len({r.body for r in shop.received}) == 1


async def test_after_the_last_attempt_it_is_dead(
    world: World, shop: Receiver, sender: Sender
) -> None:
    await world.create()
    shop.answers(503)
    for _ in range(12):
        await sender.run_once()
        world.clock.move(days=2)
    assert await states(world) == [("global", "dead", 10, "503")]
    assert len(shop.received) == 10


async def test_a_receiver_that_is_gone_is_not_asked_again(
    world: World, shop: Receiver, sender: Sender
) -> None:
    await world.create()
    shop.answers(410)
    await sender.run_once()
    assert await states(world) == [("global", "dead", 1, "410")]


async def test_a_busy_receiver_says_when(world: World, shop: Receiver, sender: Sender) -> None:
    await world.create()
    shop.answers(status(429, headers={"Retry-After": "100"}), 200)
    await sender.run_once()
    world.clock.move(seconds=59)
    await sender.run_once()
    assert len(shop.received) == 1
    world.clock.move(seconds=61)
    await sender.run_once()
    assert len(shop.received) == 2


async def test_an_address_inside_is_never_called(world: World, client: WebhookClient) -> None:
    await world.create()
    sender = Sender(world.pool, client, settings("https://10.0.0.1/hook"), world.clock)
    await sender.run_once()
    assert await states(world) == [("global", "dead", 1, "blocked")]


async def test_a_payment_has_a_receiver_of_its_own(
    world: World, shop: Receiver, sender: Sender
) -> None:
    async with receiver() as own:
        payment = await world.create(webhook_url=own.url)
        other = await world.create()
        await sender.run_once()
        assert {payment_of(r.body) for r in own.received} == {str(payment.id)}
        assert {payment_of(r.body) for r in shop.received} == {str(payment.id), str(other.id)}
        assert own.received[0].headers["webhook-id"] in {
            r.headers["webhook-id"] for r in shop.received
        }


async def test_what_is_stopped_on_the_wire_is_given_back(
    world: World, shop: Receiver, sender: Sender
) -> None:
    await world.create()
    shop.answers(hang, 200)
    sending = asyncio.create_task(sender.run_once())
    await shop.wait_for(1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await states(world) == [("global", "waiting", 0, None)]
    await sender.run_once()
    assert await states(world) == [("global", "delivered", 1, "200")]


async def test_a_sender_that_dies_before_it_notes_the_answer_sends_again(
    world: World, shop: Receiver, client: WebhookClient, sender: Sender
) -> None:
    await world.create()
    dying = FlakyPool(world.pool, dies_at=2)
    with pytest.raises(DatabaseOutage):
        await Sender(dying.as_pool(), client, settings(shop.url), world.clock).run_once()
    await sender.run_once()
    assert len(shop.received) == 1, "its lease still holds"
    world.clock.move(seconds=5 + LEASE_MARGIN.total_seconds())
    await sender.run_once()
    assert await states(world) == [("global", "delivered", 2, "200")]
    first, second = shop.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_lanes_side_by_side_deliver_each_once(
    world: World, shop: Receiver, client: WebhookClient
) -> None:
    await asyncio.gather(*(world.create() for _ in range(60)))
    senders = [Sender(world.pool, client, settings(shop.url), world.clock) for _ in range(4)]
    more = [True]
    while any(more):
        more = list(await asyncio.gather(*(sender.run_once() for sender in senders)))
    ids = [EventId(r.headers["webhook-id"]) for r in shop.received]
    assert len(ids) == len(set(ids)) == 60


def payment_of(body: bytes) -> str:
    return str(json.decode(body)["data"]["id"])
