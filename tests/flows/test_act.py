"""What a shop decides about a payment happens once, with its news, or not at all."""

import asyncio
from datetime import timedelta

import pytest

from ctrip.core.acts import WrongState
from ctrip.core.changes import Accepted, Cancelled, Decision, Extended
from ctrip.core.payment import Flag, Payment, Status
from ctrip.flows.act import Acts
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.world import World, address
from tests.support.builders import OWNER
from tests.support.flaky import FlakyPool

STATEMENTS_MAX = 40
HOUR = timedelta(hours=1)


def acts(world: World, pool: Pool | None = None) -> Acts:
    return Acts(pool or world.pool, world.clock, world.news)


async def decide(world: World, payment: Payment, decision: Decision) -> Payment:
    decided = await acts(world).decide(payment.id, decision)
    assert decided is not None
    assert decided == await world.now(payment)
    return decided


async def test_a_payment_that_is_cancelled_ends_and_its_receivers_hear_of_it(world: World) -> None:
    payment = await world.create()
    world.news.clear()
    decided = await decide(world, payment, Cancelled())
    assert (decided.status, decided.flags) == (Status.EXPIRED, frozenset({Flag.CANCELLED}))
    assert world.news.is_set()
    assert await decide(world, payment, Cancelled()) == decided
    assert await world.told(payment) == ["created", "expired", "cancelled"]


async def test_a_part_that_is_accepted_goes_the_whole_way_and_the_rest_is_told(
    world: World,
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    await world.mine()
    assert (await decide(world, payment, Accepted())).status is Status.DETECTED
    world.chain.pay(address(payment), 30)
    await world.mine(10)
    assert (await world.now(payment)).status is Status.SETTLED
    assert await world.told(payment) == [
        "created", "underpaid", "detected", "confirmed", "paid", "unexpected_transfer", "settled",
    ]  # fmt: skip


async def test_late_money_is_accepted_though_the_late_window_has_closed(world: World) -> None:
    payment = await world.create(100)
    late = payment.expires_at + HOUR
    world.clock.set(late)
    world.chain.mine(at=late)
    await world.watch()
    await world.expire()
    world.chain.pay(address(payment), 100)
    await world.mine()
    world.clock.set(payment.watched_until)
    world.chain.mine(at=payment.watched_until)
    await world.watch()
    await world.expire()
    assert (await world.now(payment)).closed
    assert (await decide(world, payment, Accepted())).status is Status.PAID
    assert await world.told(payment) == [
        "created", "expired", "late", "detected", "confirmed", "paid",
    ]  # fmt: skip


async def test_a_payment_that_is_extended_waits_until_then_and_no_longer(world: World) -> None:
    payment = await world.create()
    until = payment.expires_at + HOUR
    world.news.clear()
    assert (await decide(world, payment, Extended(until))).expires_at == until
    assert not world.news.is_set(), "nobody is told"
    for moment, told in [(payment.expires_at, ["created"]), (until, ["created", "expired"])]:
        world.clock.set(moment)
        world.chain.mine(at=moment)
        await world.watch()
        await world.expire()
        assert await world.told(payment) == told
    with pytest.raises(WrongState, match="expired"):
        await decide(world, payment, Extended(until + HOUR))


async def test_a_payment_of_somebody_else_is_none_and_stays_as_it_is(world: World) -> None:
    payment = await world.create()
    assert await acts(world).decide(payment.id, Cancelled(), owner=OWNER) is None
    assert await world.now(payment) == payment


async def test_a_refusal_changes_nothing_and_wakes_nobody(world: World) -> None:
    payment = await world.create()
    world.news.clear()
    with pytest.raises(WrongState):
        await decide(world, payment, Accepted())
    assert await world.now(payment) == payment
    assert await world.told(payment) == ["created"]
    assert not world.news.is_set()


async def test_a_death_at_any_statement_of_an_act_changes_nothing_and_it_can_be_repeated(
    world: World,
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    await world.mine()
    before = await world.now(payment)
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(world.pool, dies_at=n)
        try:
            await acts(world, dying.as_pool()).decide(payment.id, Accepted())
        except DatabaseOutage:
            assert await world.now(payment) == before, dying.statements[-1]
            assert await world.told(payment) == ["created", "underpaid"]
        else:
            break
    assert n == 11, "BEGIN, three pairs of reads, two writes, COMMIT, then it lives"
    assert await world.told(payment) == ["created", "underpaid", "detected"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_cancellation_and_money_that_meet_come_one_after_the_other(
    world: World, seed: int
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    world.chain.mine()

    async def cancel() -> None:
        for _ in range(seed * 3):
            await asyncio.sleep(0)
        try:
            await acts(world).decide(payment.id, Cancelled())
        except WrongState as refusal:
            assert refusal.is_now is Status.DETECTED  # noqa: PT017  either of two is right

    await asyncio.gather(world.watch(), cancel())
    told = await world.told(payment)
    assert told in (["created", "detected"], ["created", "expired", "cancelled", "late"])
