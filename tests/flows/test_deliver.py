"""Deliveries, with a real receiver: signed, repeated, given up, and never lost."""

import asyncio
from datetime import timedelta

import pytest
from msgspec import json

from ctrip.clock import SystemClock
from ctrip.core.endpoints import CONFIG
from ctrip.core.ids import EventId
from ctrip.flows.deliver import Sender
from ctrip.store.pool import DatabaseOutage
from ctrip.webhooks.client import WebhookClient
from tests.flows.delivering import LEASE, SECRET, send, sender_of, states
from tests.flows.world import World, address
from tests.support.flaky import FlakyPool
from tests.support.receiver import Receiver, hang, receiver, reset, verify
from tests.support.receivers_on_record import has_receiver


async def test_news_is_signed_and_delivered_once(
    world: World, shop: Receiver, sender: Sender
) -> None:
    payment = await world.create(2**100, order_id="Käse", metadata={"a": "b"})
    world.chain.pay(address(payment), 2**100)
    world.clock.set(SystemClock().now())  # verifiers allow five minutes, of real time
    await world.mine(3)
    await send(sender)
    await send(sender)
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
    await send(sender)
    await send(sender)
    assert len(shop.received) == 1, "not before it is due"
    world.clock.move(seconds=7)
    await send(sender)
    assert await states(world) == [(CONFIG, "waiting", 2, "closed")]
    world.clock.move(minutes=7)
    await send(sender)
    assert await states(world) == [(CONFIG, "delivered", 3, "200")]
    assert len({r.headers["webhook-id"] for r in shop.received}) == 1
    assert len({r.body for r in shop.received}) == 1


async def test_after_the_last_attempt_it_is_dead(
    world: World, shop: Receiver, sender: Sender
) -> None:
    await world.create()
    shop.answers(503)
    begun = world.clock.now()
    while due := await world.rows("SELECT due_at FROM deliveries"):
        world.clock.set(due[0]["due_at"])
        await send(sender)
    assert await states(world) == [(CONFIG, "dead", 10, "503")]
    assert len(shop.received) == 10
    assert world.clock.now() - begun >= timedelta(hours=72)


async def test_an_address_inside_is_never_called(world: World, client: WebhookClient) -> None:
    await has_receiver(world.pool, "https://10.0.0.1/hook")
    await world.create()
    await send(sender_of(world, client))
    assert await states(world) == [(CONFIG, "dead", 1, "blocked")]


async def test_a_payment_has_a_receiver_of_its_own(
    world: World, shop: Receiver, sender: Sender
) -> None:
    async with receiver() as own:
        payment = await world.create(webhook_url=own.url)
        other = await world.create()
        await send(sender)
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
    await sender.run_once()
    await shop.wait_for(1)
    await sender.close()
    assert await states(world) == [(CONFIG, "waiting", 0, None)]
    await send(sender)
    assert await states(world) == [(CONFIG, "delivered", 1, "200")]


async def test_a_sender_that_dies_before_it_notes_the_answer_sends_again(
    world: World, shop: Receiver, client: WebhookClient, sender: Sender
) -> None:
    await world.create()
    dying = sender_of(world, client, FlakyPool(world.pool, dies_at=3).as_pool())
    with pytest.raises(DatabaseOutage):
        await send(dying)
    await send(sender)
    assert len(shop.received) == 1, "its lease still holds"
    world.clock.move(seconds=LEASE.total_seconds())
    await send(sender)
    assert await states(world) == [(CONFIG, "delivered", 2, "200")]
    first, second = shop.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    await dying.close()
    assert len(await states(world)) == 1, "the stale answer changes nothing"


async def test_an_answer_is_kept_until_it_can_be_written(
    world: World, shop: Receiver, client: WebhookClient
) -> None:
    await has_receiver(world.pool, shop.url)
    await world.create()
    hurt = sender_of(world, client, FlakyPool(world.pool, dies_at=3).as_pool())
    with pytest.raises(DatabaseOutage):
        await send(hurt)
    await send(hurt)
    assert await states(world) == [(CONFIG, "delivered", 1, "200")]
    assert len(shop.received) == 1


async def test_senders_side_by_side_deliver_each_once(
    world: World, shop: Receiver, client: WebhookClient
) -> None:
    await has_receiver(world.pool, shop.url)
    await asyncio.gather(*(world.create() for _ in range(60)))
    senders = [sender_of(world, client) for _ in range(4)]
    for _ in range(60):
        await asyncio.gather(*(sender.run_once() for sender in senders))
        await asyncio.gather(*(sender.settled() for sender in senders))
        if len(shop.received) >= 60:
            break
    ids = [EventId(r.headers["webhook-id"]) for r in shop.received]
    assert len(ids) == len(set(ids)) == 60


def payment_of(body: bytes) -> str:
    return str(json.decode(body)["data"]["id"])
