"""What users of other senders complained about, tried on ours; webhooks.complaints says who did."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.app import DELIVERY_POLL_SECONDS
from ctrip.assembly import Gateway, sender_of
from ctrip.core.endpoints import EndpointId
from ctrip.core.retry import OWN_FAULT_WAIT, OWN_FAULTS_MAX, SCHEDULE, next_attempt
from ctrip.flows.deliver import LEASE_MARGIN, Sender
from ctrip.flows.stops import Stops
from ctrip.settings import Webhooks
from ctrip.store.pool import Pool
from ctrip.webhooks.client import Outcome
from tests.flows.sender_world import LEASE, SETTINGS, Seat, SenderWorld
from tests.support.flaky import FlakyPool

ALL = ("payment.*",)
PASSES = 12  # more than any of these needs


@pytest.fixture
async def life(pool: Pool) -> SenderWorld:
    return SenderWorld(pool)


async def shops(life: SenderWorld, count: int, *, rate: float | None = None) -> list[EndpointId]:
    for _ in range(count):
        await life.open_shop(ALL, 4, rate, "hmac")
    return list(life.shops)


async def settle(seat: Seat) -> None:
    """Let a seat send until it has written everything down."""
    for _ in range(PASSES):
        await seat.send()
    await seat.sender.settled()


async def test_an_endpoint_that_fails_gets_new_events_and_holds_up_no_other(
    life: SenderWorld,
) -> None:
    bad, good = await shops(life, 2)
    life.shops[bad].mode = "down"
    for _ in range(3):
        await life.announce(1)
        await settle(life.seats[0])
        life.clock.move(seconds=1)
    assert sum(to == good for _, to in life.taken) == 3
    assert len({event for event, to in life.seen if to == bad}) == 3
    life.shops[bad].mode = "up"
    (fresh,) = await life.announce(1)
    await settle(life.seats[0])
    assert (fresh, bad) in life.taken, "what failed before is not waited for"


async def test_what_raises_in_one_delivery_takes_no_other_along(
    life: SenderWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await shops(life, 2)
    seat = life.seats[0]
    post = seat.post

    async def raises(url: str, body: bytes, headers: Any, still: Any) -> Outcome:
        if url.endswith(bad):
            raise RuntimeError("a mistake of ours")
        return await post(url, body, headers, still)

    monkeypatch.setattr(seat, "post", raises)
    events = await life.announce(3)
    await settle(seat)
    assert life.taken == {(event, good) for event in events}
    monkeypatch.setattr(seat, "post", post)
    life.clock.move(seconds=OWN_FAULT_WAIT.total_seconds())
    await settle(seat)
    assert life.taken == {(event, to) for event in events for to in (bad, good)}


@given(
    attempt=st.integers(1, len(SCHEDULE) + 5),
    jitter=st.floats(0, 1),
    days=st.floats(0, 400),
    asked=st.none() | st.integers(0, 10**9),
    busy=st.booleans(),
)
def test_the_next_attempt_is_never_in_the_past(
    *, attempt: int, jitter: float, days: float, asked: int | None, busy: bool
) -> None:
    wait = next_attempt(
        attempt, jitter=jitter, age=timedelta(days=days), retry_after_seconds=asked, busy=busy
    )
    assert (wait is None) == (attempt >= len(SCHEDULE))
    assert wait is None or wait >= timedelta(seconds=4)


async def test_attempts_are_counted_and_end(life: SenderWorld) -> None:
    (bad,) = await shops(life, 1)
    life.shops[bad].mode = "busy"
    (event,) = await life.announce(1)
    while due := await life.rows("SELECT due_at FROM deliveries"):
        life.clock.set(max(due[0]["due_at"], life.clock.now() + timedelta(minutes=5)))
        await settle(life.seats[0])
    assert life.seen[event, bad] == len(SCHEDULE)
    numbers = await life.rows("SELECT attempt FROM attempts ORDER BY at")
    assert [row["attempt"] for row in numbers] == list(range(1, len(SCHEDULE) + 1))


async def test_a_rate_has_its_effect(life: SenderWorld) -> None:
    await shops(life, 1, rate=2)
    await life.announce(9)
    got = []
    for _ in range(4):
        await settle(life.seats[0])
        got.append(sum(life.seen.values()))
        life.clock.move(seconds=1)
    assert got == [2, 4, 6, 8]


async def test_an_endpoint_is_removed_with_deliveries_waiting_and_on_the_wire(
    life: SenderWorld,
) -> None:
    gone, other = await shops(life, 2)
    life.shops[gone].mode = "slow"
    events = await life.announce(6)
    seat = life.seats[0]
    for _ in range(PASSES):
        await seat.send()
    assert len(seat.waiting) == 4
    await life.endpoints.remove(gone)
    life.shops[gone].there = False
    await life.pruner.run_once()
    await seat.answer()
    await settle(seat)
    assert sum(count for (_, to), count in life.seen.items() if to == gone) == 4, "and no more"
    assert {event for event, to in life.taken if to == other} == set(events)
    assert not await life.rows("SELECT FROM deliveries")
    ends = await life.rows("SELECT outcome FROM deliveries_done WHERE endpoint_id = $1", gone)
    assert [row["outcome"] for row in ends] == ["disabled"] * 6
    assert not life.faults


@pytest.mark.parametrize("timeout_seconds", [0.1, 15.0, 60.0])
async def test_a_lease_is_longer_than_a_request_may_take(
    life: SenderWorld, timeout_seconds: float
) -> None:
    (slow,) = await shops(life, 1)
    life.shops[slow].mode = "slow"
    await life.announce(1)
    sender = a_gateways_sender(life, life.pool, timeout_seconds)
    await sender.run_once()
    (row,) = await life.rows("SELECT due_at FROM deliveries WHERE claim_id IS NOT NULL")
    lasts = row["due_at"] - life.clock.now()
    assert lasts >= timedelta(seconds=timeout_seconds) + LEASE_MARGIN
    assert timedelta(seconds=10) <= LEASE_MARGIN
    await sender.close()


async def test_faults_of_our_own_end(life: SenderWorld) -> None:
    (one,) = await shops(life, 1)
    await life.rows("DELETE FROM endpoint_secrets")
    await life.announce(1)
    for _ in range(OWN_FAULTS_MAX):
        await life.seats[0].send()
        await life.seats[0].sender.settled()
        life.clock.move(seconds=OWN_FAULT_WAIT.total_seconds())
    assert not await life.rows("SELECT FROM deliveries")
    (row,) = await life.rows("SELECT delivered, outcome FROM deliveries_done")
    assert (row["delivered"], row["outcome"]) == (False, "internal")
    assert not life.seen
    (endpoint,) = await life.rows("SELECT enabled, failures FROM endpoints WHERE id = $1", one)
    assert (endpoint["enabled"], endpoint["failures"]) == (True, 0)


async def test_a_sender_with_nothing_to_do_asks_little(life: SenderWorld) -> None:
    await shops(life, 3)
    counting = FlakyPool(life.pool)
    sender = a_gateways_sender(life, counting.as_pool())
    for _ in range(10):
        await sender.run_once()
    assert len(counting.statements) <= 11, "a claim each time, and the rates once"
    assert DELIVERY_POLL_SECONDS >= 0.5


def a_gateways_sender(life: SenderWorld, pool: Pool, timeout_seconds: float = 15.0) -> Sender:
    """Return a sender as a gateway builds it."""
    settings = Webhooks(secrets_key=SETTINGS.secrets_key, timeout_seconds=timeout_seconds)
    gateway = SimpleNamespace(
        settings=SimpleNamespace(webhooks=settings),
        pool=pool,
        webhooks=life.seats[0],
        clock=life.clock,
        wake=asyncio.Event(),
        stops=Stops(),
    )
    return sender_of(cast("Gateway", gateway), asyncio.create_task)


async def test_a_sender_that_is_told_to_stop_leaves_nothing_claimed(life: SenderWorld) -> None:
    (slow,) = await shops(life, 1)
    life.shops[slow].mode = "slow"
    await life.announce(6)
    await life.seats[0].send()
    assert len(life.seats[0].waiting) == 4
    await life.seats[0].close()
    rows = await life.rows("SELECT attempts, claim_id, due_at FROM deliveries")
    assert {tuple(row) for row in rows} == {(0, None, life.clock.now())}
    life.shops[slow].mode = "up"
    await settle(life.seats[1])
    assert len(life.taken) == 6, "another sender takes over at once, with all slots"


async def test_what_was_sent_leaves_the_queue(life: SenderWorld) -> None:
    await shops(life, 2)
    for _ in range(5):
        await life.announce(10)
        await settle(life.seats[0])
        (left,) = await life.rows("SELECT count(*) FROM deliveries")
        assert left[0] == 0, "so a claim reads what waits, however much was ever sent"
    (done,) = await life.rows("SELECT count(*) FROM deliveries_done")
    assert done[0] == 100


async def test_what_a_dead_sender_had_in_hand_goes_on_after_its_lease(life: SenderWorld) -> None:
    (one,) = await shops(life, 1)
    life.shops[one].mode = "slow"
    await life.announce(4)
    await life.seats[0].send()
    await life.seats[0].crash()
    life.shops[one].mode = "up"
    await settle(life.seats[1])
    assert not life.taken, "another may still be at it"
    life.clock.move(seconds=LEASE.total_seconds())
    await settle(life.seats[1])
    assert len(life.taken) == 4


async def test_an_answer_after_the_lease_changes_nothing(life: SenderWorld) -> None:
    (one,) = await shops(life, 1)
    life.shops[one].mode = "slow"
    await life.announce(3)
    late, other = life.seats
    await late.send()
    life.clock.move(seconds=LEASE.total_seconds())
    life.shops[one].mode = "up"
    await settle(other)
    before = await books(life)
    await late.answer()
    await settle(late)
    assert sum(life.seen.values()) == 6
    assert await books(life) == before


async def test_a_sender_that_lost_a_lease_to_itself_writes_down_one_end(life: SenderWorld) -> None:
    (one,) = await shops(life, 1)
    life.shops[one].mode = "slow"
    (event,) = await life.announce(1)
    seat = life.seats[0]
    await seat.send()
    life.clock.move(seconds=LEASE.total_seconds())
    await seat.send()
    assert len(seat.waiting) == 2
    await seat.answer()
    await settle(seat)
    assert life.seen[event, one] == 2
    done, attempts = await books(life)
    assert len(done) == len(attempts) == 1
    assert attempts[0][2] == 2, "of the claim that was its own"


async def books(life: SenderWorld) -> tuple[list[Any], list[Any]]:
    """Return what is on record of everything that was sent."""
    done = await life.rows("SELECT * FROM deliveries_done ORDER BY event_id")
    attempts = await life.rows("SELECT * FROM attempts ORDER BY event_id, attempt")
    return [tuple(row) for row in done], [tuple(row) for row in attempts]
