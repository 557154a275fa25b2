"""Deadlines pass by two clocks: ours and the chain's."""

from datetime import timedelta

from ctrip.core.payment import Flag, Payment, Status
from ctrip.flows import expire
from ctrip.settings import Payments
from tests.flows.world import World, address

MINUTE = timedelta(minutes=1)


async def reach(world: World, payment: Payment, beyond: timedelta = MINUTE) -> None:
    """Let both clocks come past a payment's deadline."""
    world.clock.set(payment.expires_at + beyond)
    world.chain.mine(at=payment.expires_at + beyond)
    await world.watch()
    await world.expire()


async def test_nothing_expires_before_its_time(world: World) -> None:
    payment = await world.create()
    await reach(world, payment, -timedelta(seconds=1))
    assert await world.told(payment) == ["created"]


async def test_an_unpaid_payment_expires_and_fails_when_the_late_window_closes(
    world: World,
) -> None:
    payment = await world.create()
    await reach(world, payment)
    assert (await world.now(payment)).status is Status.EXPIRED
    assert await world.told(payment) == ["created", "expired"]
    await reach(world, payment, timedelta(hours=23))
    assert (await world.now(payment)).status is Status.EXPIRED
    await reach(world, payment, timedelta(hours=24))
    assert await world.told(payment) == ["created", "expired", "failed"]
    (row,) = await world.rows("SELECT closed FROM payments")
    assert row["closed"], "nobody looks for its money any more"


async def test_a_chain_that_halts_stops_the_deadlines(world: World) -> None:
    payment = await world.create()
    world.clock.set(payment.expires_at + 60 * MINUTE)
    await world.expire()
    assert await world.told(payment) == ["created"]
    await reach(world, payment)
    assert await world.told(payment) == ["created", "expired"]


async def test_a_chain_whose_clock_is_ahead_does_not_hurry_us(world: World) -> None:
    payment = await world.create()
    world.chain.mine(at=payment.expires_at + MINUTE)
    await world.watch()
    await world.expire()
    assert await world.told(payment) == ["created"]


async def test_money_before_the_deadline_counts_when_it_is_seen_after_it(world: World) -> None:
    """Nobody read the chain for a while; what was paid in time is paid."""
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    world.chain.mine(at=payment.expires_at)
    world.clock.set(payment.expires_at + MINUTE)
    await world.expire()
    assert await world.told(payment) == ["created"], "the chain was not read past the deadline"
    world.chain.mine(at=payment.expires_at + MINUTE)
    await world.watch()
    await world.expire()
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.PAID, frozenset())


async def test_what_is_detected_never_expires(world: World) -> None:
    world.chain.finality_lag = 50
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    await world.mine()
    await reach(world, payment, timedelta(days=3))
    assert (await world.now(payment)).status is Status.PAID
    (row,) = await world.rows("SELECT closed FROM payments")
    assert not row["closed"], "it stays watched until it is settled"


async def test_a_settled_payment_is_watched_until_its_window_closes(world: World) -> None:
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    await world.mine(4)
    assert (await world.now(payment)).status is Status.SETTLED
    await reach(world, payment, timedelta(days=3))
    (row,) = await world.rows("SELECT closed FROM payments")
    assert row["closed"]
    assert len(await world.told(payment)) == 5


async def test_late_money_is_recorded_and_announced_and_changes_nothing(world: World) -> None:
    payment = await world.create()
    await reach(world, payment)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.flags, now.amount_received) == (
        Status.EXPIRED,
        frozenset({Flag.LATE}),
        100,
    )
    assert await world.told(payment) == ["created", "expired", "late"]
    await reach(world, payment, timedelta(days=3))
    assert (await world.now(payment)).status is Status.EXPIRED, (
        "there is money; an operator decides"
    )


async def test_late_money_is_taken_where_the_operator_says_so(world: World) -> None:
    world.creator = world.creator_on(world.pool, Payments(late_payments="accept"))
    payment = await world.create()
    await reach(world, payment)
    world.chain.pay(address(payment), 100)
    await world.mine(4)
    told = await world.told(payment)
    assert told[:2] == ["created", "expired"]
    assert (await world.now(payment)).status is Status.SETTLED


async def test_a_reorg_after_the_deadline_expires_what_it_takes_back(world: World) -> None:
    world.chain.finality_lag = 50
    payment = await world.create()
    world.chain.pay(address(payment), 100)
    world.chain.mine(at=payment.expires_at)
    await world.watch()
    world.clock.set(payment.expires_at + MINUTE)
    world.chain.reorg(1)
    world.chain.mine(at=payment.expires_at + MINUTE)
    await world.watch()
    await world.expire()
    assert await world.told(payment) == ["created", "detected", "reorged", "expired"]


async def test_more_than_a_batch_comes_in_passes(world: World) -> None:
    count = expire.PAYMENTS_PER_PASS_MAX + 1
    first = await world.create()
    await world.rows(
        "INSERT INTO payments SELECT (json_populate_record(p, json_build_object("
        "'id', gen_random_uuid(), 'address', '0x' || lpad(to_hex(n), 40, '0')))).* "
        "FROM payments p, generate_series(2, $1) AS n",
        count,
    )
    world.clock.set(first.expires_at)
    world.chain.mine(at=first.expires_at)
    await world.watch()
    assert await world.expirer.run_once(), "there is more"
    assert not await world.expirer.run_once()
    rows = await world.rows("SELECT count(*) FROM events WHERE type = 'payment.expired'")
    assert rows[0][0] == count
