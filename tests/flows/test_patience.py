"""Receivers that fail, are slow, gone or limited: they are left alone, and harm nobody else."""

from msgspec import json

from ctrip.core.endpoints import CONFIG, FAILED_TOO_LONG, GONE, PAUSE_MIN
from ctrip.core.retry import OWN_FAULTS_MAX
from ctrip.flows.deliver import Sender
from ctrip.flows.health import Part
from ctrip.settings import Secret
from ctrip.store.pool import connection
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.seal import Sealer
from tests.flows.delivering import KEY, SECRET, send, sender_of, states
from tests.flows.world import World
from tests.support.receiver import Receiver, hang, receiver, status
from tests.support.receivers_on_record import an_endpoint, made, signs


async def test_a_receiver_that_is_gone_is_disabled_and_the_others_hear_of_it(
    world: World, shop: Receiver, sender: Sender
) -> None:
    async with connection(world.pool) as conn, receiver() as other:
        await made(conn, an_endpoint("we_other", other.url, event_types=("webhook.*",)))
        await world.create()
        shop.answers(410)
        await send(sender)
        await world.create()
        await send(sender)
    assert len(shop.received) == 1
    assert (CONFIG, "dead", 1, "410") in await states(world)
    part = (await world.health.parts(world.pool))["outbox"]
    assert isinstance(part, Part)
    assert part.ok
    assert f"{CONFIG} is disabled: {GONE}" in part.warning
    (event,) = await world.rows("SELECT body FROM events WHERE type = 'webhook.endpoint_disabled'")
    said = json.decode(event["body"])["data"]
    assert (said["endpoint_id"], said["reason"]) == (CONFIG, GONE)


async def test_a_busy_receiver_says_when(world: World, shop: Receiver, sender: Sender) -> None:
    await world.create()
    shop.answers(status(429, headers={"Retry-After": "100"}), 200)
    await send(sender)
    world.clock.move(seconds=59)
    await send(sender)
    assert len(shop.received) == 1
    world.clock.move(seconds=61)
    await send(sender)
    assert len(shop.received) == 2


async def test_a_receiver_that_does_not_answer_holds_up_nobody_else(
    world: World, shop: Receiver, sender: Sender
) -> None:
    async with connection(world.pool) as conn, receiver() as dead:
        dead.answers(hang)
        await made(conn, an_endpoint("we_dead", dead.url, concurrency_max=2))
        await signs(conn, "we_dead", SECRET, Sealer(Secret(KEY)))
        for _ in range(30):
            await world.create()
        await sender.run_once()
        for number in range(1, 30):
            await shop.wait_for(min(number, 16))
            await sender.run_once()
        await shop.wait_for(30)
        assert len(dead.received) == 2
        await sender.close()


async def test_a_breaker_costs_no_attempt_and_closes_by_itself(
    world: World, shop: Receiver, sender: Sender
) -> None:
    for _ in range(8):
        await world.create()
    shop.answers(*[503] * 8, 200)
    await send(sender)
    (row,) = await world.rows("SELECT failures, paused_until FROM endpoints")
    assert (row["failures"], row["paused_until"]) == (8, world.clock.now() + PAUSE_MIN)
    world.clock.move(seconds=14)
    await send(sender)
    assert len(shop.received) == 8, "it is left alone"
    world.clock.move(seconds=1)
    await sender.run_once()
    await sender.settled()
    assert len(shop.received) == 9, "then it is asked once"
    await send(sender)
    await send(sender)
    assert {state[1:3] for state in await states(world)} == {("delivered", 2)}
    (row,) = await world.rows("SELECT failures, failing_since, paused_until FROM endpoints")
    assert tuple(row) == (0, None, None)


async def test_five_days_of_failure_disable(world: World, shop: Receiver, sender: Sender) -> None:
    shop.answers(500)
    for _ in range(7):
        await world.create()
        await send(sender)
        world.clock.move(days=1)
    assert len(shop.received) >= 6
    (row,) = await world.rows("SELECT enabled, disabled_reason FROM endpoints")
    assert tuple(row) == (False, FAILED_TOO_LONG)


async def test_without_a_key_it_waits_and_the_receiver_is_not_blamed(
    world: World, shop: Receiver, client: WebhookClient
) -> None:
    async with connection(world.pool) as conn:
        await made(conn, an_endpoint(url=shop.url))
    await world.create()
    sender = sender_of(world, client)
    for _ in range(OWN_FAULTS_MAX):
        await send(sender)
        world.clock.move(minutes=2)
    rows = [state for state in await states(world) if state[0] == "we_1"]
    assert rows == [("we_1", "dead", 1, "internal")]
    (row,) = await world.rows("SELECT failures FROM endpoints WHERE id = 'we_1'")
    assert row["failures"] == 0
    assert not shop.received


async def test_a_rate_is_kept(world: World, shop: Receiver, sender: Sender) -> None:
    await world.rows("UPDATE endpoints SET rate_max = 2 RETURNING 1")
    for _ in range(7):
        await world.create()
    for seconds, count in ((0, 2), (0.4, 2), (0.1, 3), (1, 5), (60, 7)):
        world.clock.move(seconds=seconds)
        await sender.run_once()
        await sender.settled()
        await sender.run_once()
        await sender.settled()
        assert len(shop.received) == count
    assert {state[2] for state in await states(world)} == {1}, "waiting costs no attempt"
