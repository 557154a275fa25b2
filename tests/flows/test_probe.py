"""Native coin through contracts: found at once by a trace, at finality by its balance."""

from datetime import timedelta
from typing import Any

import pytest

from ctrip.core.chains import NativeSource
from ctrip.core.payment import Flag, Source, Status
from ctrip.store.pool import Pool
from tests.flows.probing import ShyChain, a_probe, probe, seen
from tests.flows.world import World, a_world, address
from tests.support.fake_chain import FakeChain

WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=8)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    return await a_world(pool, shy)


async def test_a_trace_names_what_a_contract_forwarded(world: World) -> None:
    payment = await world.create(100)
    tx_hash = world.chain.forward((address(payment), 100))
    await world.mine()
    await probe(world)
    [transfer] = (await world.now(payment)).transfers
    assert (transfer.source, transfer.key.tx_hash, transfer.key.ordinal) == (
        Source.TRACE,
        tx_hash,
        1,
    )
    await world.mine(9)
    assert await world.told(payment) == WHOLE_WAY
    assert (await world.now(payment)).amount_received == 100


async def test_without_traces_the_balance_counts_when_its_block_is_final(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine()
    paid_in = world.chain.tip.number
    looking = a_probe(world)
    for _ in range(7):
        await world.mine()
        await probe(world, looking)
        assert await world.told(payment) == ["created"], "a reorg may take it still"
    await world.mine()
    await probe(world, looking)
    assert await world.told(payment) == WHOLE_WAY
    assert await seen(world, payment) == [("balance", 100, paid_in)]


async def test_each_balance_counts_at_its_own_block(world: World) -> None:
    world.chain.traces = False
    payment = await world.create(100)
    for part in (20, 30):
        world.chain.forward((address(payment), part))
        await world.mine(3)
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(12)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 20, 1), ("balance", 30, 4)]


async def test_it_is_dated_by_the_block_where_the_balance_rose(world: World) -> None:
    """It came in time, though it is noticed after the deadline and counts later still."""
    world.chain.traces = False
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    world.chain.mine(at=payment.expires_at - timedelta(seconds=1))
    world.chain.mine(at=payment.expires_at + timedelta(seconds=1))
    await world.watch()
    world.clock.set(payment.expires_at + timedelta(seconds=2))
    await world.expire()
    assert (await world.now(payment)).status is Status.EXPIRED
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(9)
    await probe(world, looking)
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.SETTLED, frozenset())


async def test_a_trace_too_tells_that_money_came_in_time(world: World) -> None:
    payment = await world.create(100)
    await world.create(100, expires_in_seconds=7200)
    world.chain.forward((address(payment), 100))
    world.chain.mine(at=payment.expires_at)
    world.chain.mine(at=payment.expires_at + timedelta(minutes=20))
    await world.watch()
    world.clock.set(payment.expires_at + timedelta(minutes=21))
    await world.expire()
    await probe(world)
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.PAID, frozenset())


async def test_a_failed_inner_call_is_not_money(world: World) -> None:
    payment = await world.create(100)
    world.chain.forward((address(payment), 100), fails=True)
    await world.mine(12)
    await probe(world)
    assert await world.told(payment) == ["created"]


async def test_a_payout_to_many_costs_one_trace(world: World) -> None:
    made = [await world.create(n + 1) for n in range(40)]
    await world.mine(30)
    world.chain.forward(*((address(p), p.amount) for p in made))
    await world.mine(30)
    world.chain.asked.clear()
    await probe(world)
    assert world.chain.asked["moves"] == 1
    assert world.chain.asked["holdings"] <= 9, "halving asks for all at once"
    for payment in made:
        assert await seen(world, payment) == [("trace", payment.amount, 31)]


async def test_money_in_several_blocks_is_named_block_by_block(world: World) -> None:
    payment = await world.create(100)
    for part in (20, 30, 50):
        world.chain.forward((address(payment), part))
        await world.mine(3)
    await probe(world)
    assert await seen(world, payment) == [
        ("trace", 20, 1),
        ("trace", 30, 4),
        ("trace", 50, 7),
    ]


async def test_two_payouts_in_one_transaction_are_two_transfers(world: World) -> None:
    payment = await world.create(100)
    world.chain.forward((address(payment), 50), (address(payment), 50))
    await world.mine()
    await probe(world)
    assert (await world.now(payment)).amount_received == 100


async def test_money_beside_a_transaction_that_was_seen_counts_beside_it(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 40)
    world.chain.forward((address(payment), 60))
    await world.mine()
    await probe(world)
    assert await seen(world, payment) == [("trace", 60, 1), ("transaction", 40, 1)]
    assert (await world.now(payment)).status is Status.DETECTED


async def test_what_a_trace_does_not_name_is_left_to_finality(world: World, shy: ShyChain) -> None:
    payment = await world.create(100)
    shy.untraced.add(shy.forward((address(payment), 30)))
    shy.forward((address(payment), 20))
    await world.mine()
    shy.forward((address(payment), 50))
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    assert await seen(world, payment) == [("trace", 20, 1), ("trace", 50, 2)]
    await world.mine(8)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 30, 1), ("trace", 20, 1), ("trace", 50, 2)]
    assert (await world.now(payment)).status is Status.SETTLED


async def test_what_was_named_is_not_looked_into_again(world: World) -> None:
    payment = await world.create(100)
    world.chain.forward((address(payment), 60))
    await world.mine(3)
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(2)
    world.chain.asked.clear()
    await probe(world, looking)
    assert world.chain.asked == {"holdings": 1}
    await world.mine(12)
    world.chain.asked.clear()
    await probe(world, looking)
    assert world.chain.asked == {"holdings": 1}, "nothing waited for finality"


async def test_what_stays_unnamed_is_looked_into_once(world: World, shy: ShyChain) -> None:
    payment = await world.create(100)
    shy.untraced.add(shy.forward((address(payment), 30)))
    await world.mine(2)
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(2)
    shy.asked.clear()
    await probe(world, looking)
    assert shy.asked == {"holdings": 1}
    shy.forward((address(payment), 5))
    await world.mine(3)
    await probe(world, looking)
    assert await seen(world, payment) == [("trace", 5, 5)]


async def test_nothing_is_asked_while_nothing_native_is_open(world: World) -> None:
    await world.create_usd(100)
    await world.mine(3)
    world.chain.asked.clear()
    await probe(world)
    assert not world.chain.asked


async def test_nothing_is_asked_twice_about_the_same_block(world: World) -> None:
    await world.create(100)
    await world.mine()
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.asked.clear()
    await probe(world, looking)
    assert not world.chain.asked


async def test_a_reorg_that_the_watcher_has_not_seen_is_waited_for(world: World) -> None:
    """The state that balances would be read in is gone, and that is nobody's fault."""
    await world.create(100)
    await world.mine(3)
    world.chain.reorg(1)
    assert not await a_probe(world).run_once()


@pytest.mark.parametrize(
    "served", [{"internal": False}, {"native": NativeSource.POLYGON}], ids=["off", "by logs"]
)
async def test_a_chain_may_do_without(pool: Pool, served: dict[str, Any]) -> None:
    world = await a_world(pool, FakeChain(), **served)
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine(5)
    world.chain.asked.clear()
    await probe(world)
    assert not world.chain.asked
    assert await world.told(payment) == ["created"]


async def test_late_money_through_a_contract_is_late(world: World) -> None:
    payment = await world.create(100)
    world.chain.mine(at=payment.expires_at + timedelta(seconds=1))
    world.chain.forward((address(payment), 100))
    world.chain.mine()
    await world.watch()
    world.clock.set(payment.expires_at + timedelta(minutes=1))
    await world.expire()
    await probe(world)
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.EXPIRED, frozenset({Flag.LATE}))
    assert await world.told(payment) == ["created", "expired", "late"]


async def test_confirmed_money_of_a_trace_that_only_moved_stays_confirmed(pool: Pool) -> None:
    world = await a_world(pool, FakeChain(finality_lag=20))
    payment = await world.create()
    paid = world.chain.forward((address(payment), 100))
    await world.mine(3)
    await probe(world)
    assert (await world.now(payment)).status is Status.PAID
    world.chain.reorg(3, keep=[paid])
    await world.mine(2)
    assert (await world.now(payment)).status is Status.PAID
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]
    world.chain.reorg(5)
    await world.mine(1)
    assert (await world.now(payment)).status is Status.FAILED
