"""Large amounts rest on two endpoints' word."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from ctrip.core.blocks import Opinion
from ctrip.core.finality import Terms
from ctrip.core.ids import Amount
from ctrip.core.payment import Status, Transfer
from ctrip.flows.vouch import Disagreement, Voucher
from ctrip.store.pool import Pool
from tests.flows.world import World, a_world, address
from tests.support.fake_chain import FakeChain

MUCH = 1_000


@pytest.fixture
async def world(pool: Pool) -> World:
    terms = Terms(second_opinion_above=Amount(MUCH - 1))
    return await a_world(pool, coin_terms=terms)


def voucher(world: World) -> Voucher:
    return Voucher(world.served, world.chain, world.pool, world.clock, world.news)


async def test_a_small_amount_needs_one_endpoint(world: World) -> None:
    payment = await world.create(MUCH - 1)
    world.chain.pay(address(payment), MUCH - 1)
    await world.mine(4)
    assert (await world.now(payment)).status is Status.SETTLED
    assert world.chain.asked["opinion"] == 0


async def test_a_large_amount_waits_for_a_second_endpoint_however_deep_it_is(world: World) -> None:
    payment = await world.create(MUCH)
    world.chain.pay(address(payment), MUCH)
    await world.mine(10)
    assert (await world.now(payment)).status is Status.DETECTED
    await voucher(world).run_once()
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid", "settled"]


async def test_a_disagreement_holds_the_payment_and_names_both_endpoints(world: World) -> None:
    payment = await world.create(MUCH)
    world.chain.pay(address(payment), MUCH)
    await world.mine(10)
    world.chain.disagrees = "it shows another block there"
    with pytest.raises(Disagreement) as told:
        await voucher(world).run_once()
    for word in (payment.id, "endpoint 1 of 2", "endpoint 2 of 2", "it shows another block there"):
        assert str(word) in str(told.value)
    assert await world.told(payment) == ["created", "detected"]
    world.chain.disagrees = ""
    await voucher(world).run_once()
    assert (await world.now(payment)).status is Status.SETTLED


async def test_one_payment_that_is_held_holds_up_no_other(world: World) -> None:
    """The first endpoint invented a payment (as at KelpDAO): the second has never heard of it."""
    honest, forged = await world.create(MUCH), await world.create(MUCH)
    world.chain.pay(address(honest), MUCH)
    invented = world.chain.pay(address(forged), MUCH)
    await world.mine(3)
    world.chain.forget(invented)
    with pytest.raises(Disagreement, match=str(forged.id)):
        await voucher(world).run_once()
    assert (await world.now(honest)).status is Status.SETTLED
    assert (await world.now(forged)).status is Status.DETECTED


async def test_what_was_vouched_for_in_a_dropped_block_is_asked_about_again(world: World) -> None:
    payment = await world.create(MUCH)
    paid = world.chain.pay(address(payment), MUCH)
    await world.mine(1)
    await voucher(world).run_once()
    world.chain.reorg(1, keep=[paid])
    await world.mine(5)
    assert (await world.now(payment)).status is Status.DETECTED
    await voucher(world).run_once()
    assert (await world.now(payment)).status is Status.SETTLED


async def test_every_part_of_a_large_amount_is_asked_about(world: World) -> None:
    payment = await world.create(MUCH)
    for amount in (400, 600, 5):
        world.chain.pay(address(payment), amount)
        await world.mine(1)
    await world.mine(5)
    await voucher(world).run_once()
    assert (await world.now(payment)).status is Status.SETTLED
    assert world.chain.asked["opinion"] == 2, "what is beyond the amount decides nothing"
    assert world.clock.now() - payment.created_at < timedelta(minutes=1)


class Outvoting(FakeChain):
    """A chain of whose three endpoints one shows no money."""

    async def opinion(self, transfer: Transfer) -> Opinion:
        both = await super().opinion(transfer)
        return replace(both, why="it shows no such transfer", outvoted="fake, endpoint 3 of 3")


async def test_whoever_is_outvoted_holds_nothing_and_is_named(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    terms = Terms(second_opinion_above=Amount(MUCH - 1))
    world = await a_world(pool, Outvoting(), coin_terms=terms)
    payment = await world.create(MUCH)
    world.chain.pay(address(payment), MUCH)
    await world.mine(10)
    await voucher(world).run_once()
    assert (await world.now(payment)).status is Status.SETTLED
    assert "endpoint outvoted" in caplog.text
    assert "fake, endpoint 3 of 3" in caplog.text
