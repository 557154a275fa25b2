"""What only a balance showed counts when another endpoint shows it too, or nobody else can tell."""

import pytest

from ctrip.core.payment import Payment, Status
from ctrip.flows.audit import Auditor
from ctrip.flows.on_chain import EndpointsDisagree
from ctrip.flows.probe import Probe
from ctrip.store.pool import Pool
from tests.flows.probing import TwoMinds, a_probe, an_auditor, audit, probe, seen
from tests.flows.world import World, a_world, address
from tests.support.log_lines import StandardError, logging_left_as_found

FINAL_AFTER = 8  # blocks


@pytest.fixture
def chain() -> TwoMinds:
    return TwoMinds(finality_lag=FINAL_AFTER)


@pytest.fixture
async def world(pool: Pool, chain: TwoMinds) -> World:
    return await a_world(pool, chain)


@pytest.fixture
def looking(world: World) -> Probe:
    return a_probe(world)


async def forwarded(world: World) -> Payment:
    """Return a payment that a contract has paid."""
    payment = await world.create(100)
    world.chain.forward((address(payment), 100))
    await world.mine()
    return payment


async def invented(world: World, chain: TwoMinds) -> Payment:
    """Return a payment of which one endpoint says that it is paid."""
    payment = await world.create(100)
    chain.invented[address(payment)] = 100
    await world.mine()
    return payment


async def test_what_a_second_endpoint_shows_too_counts(
    world: World, looking: Probe, chain: TwoMinds
) -> None:
    payment = await forwarded(world)
    await probe(world, looking)
    await probe(world, looking)
    assert chain.asked["holdings again"] == 1, "and is asked about once"
    await world.mine(FINAL_AFTER + 1)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 1)]
    assert chain.asked["opinion"] == 0


async def test_what_one_endpoint_invents_does_not_count_and_is_said(
    world: World, looking: Probe, chain: TwoMinds
) -> None:
    liar, honest = await invented(world, chain), await forwarded(world)
    await probe(world, looking)
    for _ in range(FINAL_AFTER + 2):
        await world.mine()
        with pytest.raises(EndpointsDisagree, match="endpoint 2 of 2 does not: it shows less"):
            await probe(world, looking)
    assert (await world.now(liar)).status is Status.PENDING
    assert (await world.now(honest)).status is Status.SETTLED, "nor does it hold up others"
    chain.invented.clear()
    await probe(world, looking)
    assert (await world.now(liar)).status is Status.PENDING


async def test_an_audit_is_told_no_more_than_a_probe(world: World, chain: TwoMinds) -> None:
    payment = await invented(world, chain)
    auditing: Auditor = an_auditor(world)
    with pytest.raises(EndpointsDisagree, match=f"a balance of {address(payment)} after block 1"):
        await audit(world, auditing)
    chain.invented.clear()
    await auditing.run_once()
    assert (await world.now(payment)).status is Status.PENDING


async def test_a_second_endpoint_that_most_contradict_is_outvoted(
    world: World, looking: Probe, chain: TwoMinds
) -> None:
    chain.has_third = True
    payment = await invented(world, chain)  # as two of three see it
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        await probe(world, looking)
        await world.mine(FINAL_AFTER + 1)
        await probe(world, looking)
    assert (await world.now(payment)).status is Status.SETTLED
    outvoted = [line["endpoint"] for line in said.lines if line["event"] == "endpoint outvoted"]
    assert outvoted == ["fake, endpoint 2 of 3"]


async def test_where_nobody_else_remembers_that_block_one_word_is_enough(
    world: World, looking: Probe, chain: TwoMinds
) -> None:
    chain.second_forgets = True
    payment = await forwarded(world)
    await probe(world, looking)
    await world.mine(FINAL_AFTER + 1)
    await probe(world, looking)
    assert await seen(world, payment) == [("balance", 100, 1)]
