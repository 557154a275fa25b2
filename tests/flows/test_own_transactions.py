"""What we send ourselves is no payer's money, and hides none."""

import pytest

from ctrip.core.payment import Status
from ctrip.store.pool import Pool, connection
from tests.flows.bookkeeping import follow, fuel, sweep
from tests.flows.probing import ShyChain, a_probe, an_auditor, audit, probe, read_all_again, seen
from tests.flows.world import USD, World, a_world, address
from tests.support import own_sendings
from tests.support.fake_blocks import FEE


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=4)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    return await a_world(pool, shy)


async def test_coin_for_gas_pays_nothing(world: World) -> None:
    payment, other = await world.create(100), await world.create(100)
    own = await fuel(world, address(payment), 100)
    world.chain.pay(address(other), 100)
    await world.mine()
    await follow(world, own)
    await world.mine(9)
    await audit(world)
    await probe(world)
    await read_all_again(world)
    assert await world.told(payment) == ["created"]
    assert (await world.now(other)).status is Status.SETTLED


async def test_coin_for_gas_pays_nothing_before_we_know_that_it_was_mined(world: World) -> None:
    payment = await world.create(100)
    await fuel(world, address(payment), 100)
    await world.mine(9)
    await probe(world)
    await audit(world)
    assert await world.told(payment) == ["created"]


async def test_coin_for_gas_pays_nothing_where_it_seemed_to_be_in_a_later_block(
    world: World,
) -> None:
    """A reorg moved it to an earlier block, which is final before the record was corrected."""
    payment = await world.create(100)
    own = await fuel(world, address(payment), 100)
    await world.mine(8)
    looking, auditing = a_probe(world), an_auditor(world)
    async with connection(world.pool) as conn:
        await own_sendings.mined(conn, own, block=world.chain.tip.number + 1)
    await probe(world, looking)
    await auditing.run_once()
    await world.mine(5)
    await probe(world, looking)
    await auditing.run_once()
    assert await world.told(payment) == ["created"]


@pytest.mark.parametrize("traces", [True, False])
async def test_hidden_money_beside_our_own_is_found(world: World, *, traces: bool) -> None:
    world.chain.traces = traces
    payment = await world.create(100)
    own = await fuel(world, address(payment), 30)
    world.chain.forward((address(payment), 100))
    await world.mine()
    paid_in = world.chain.tip.number
    await follow(world, own)
    looking = a_probe(world)
    await probe(world, looking)
    await world.mine(9)
    await probe(world, looking)
    source = "trace" if traces else "balance"
    assert await seen(world, payment) == [(source, 100, paid_in)]
    assert (await world.now(payment)).status is Status.SETTLED


@pytest.mark.parametrize("traces", [True, False])
async def test_hidden_money_after_a_sweep_is_found_where_it_came(
    world: World, *, traces: bool
) -> None:
    world.chain.traces = traces
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    await world.mine()
    moved = await sweep(world, payment, 60 - FEE)
    await world.mine()
    await follow(world, moved)
    looking = a_probe(world)
    await probe(world, looking)
    world.chain.forward((address(payment), 40))
    await world.mine(2)
    await probe(world, looking)
    await world.mine(9)
    await probe(world, looking)
    source = "trace" if traces else "balance"
    assert await seen(world, payment) == sorted([(source, 40, 3), ("transaction", 60, 1)])


async def test_what_gas_left_over_is_no_money(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.pay_token(USD, address(payment), 100)
    own = await fuel(world, address(payment), 30)
    await world.mine()
    await follow(world, own)
    moved = await sweep(world, payment, 100)
    await world.mine()
    await follow(world, moved)
    await world.mine(9)
    await audit(world)
    assert await seen(world, payment) == [("log", 100, 1)]


async def test_a_sweep_hides_no_later_money(world: World, shy: ShyChain) -> None:
    payment, coin = await world.create_usd(100), await world.create(100)
    world.chain.pay_token(USD, address(payment), 100)
    world.chain.pay(address(coin), 100)
    own = await fuel(world, address(payment), FEE)
    await world.mine()
    await follow(world, own)
    for one, amount in ((payment, 100), (coin, 100 - FEE)):
        moved = await sweep(world, one, amount)
        await world.mine()
        await follow(world, moved)
    shy.hidden.add(shy.pay_token(USD, address(payment), 40))
    shy.untraced.add(shy.forward((address(coin), 5)))
    await world.mine()
    came_in = world.chain.tip.number
    await audit(world)
    assert await seen(world, payment) == [("balance", 40, came_in), ("log", 100, 1)]
    assert await seen(world, coin) == [("balance", 5, came_in), ("transaction", 100, 1)]


async def test_money_that_left_with_a_sweep_unnoticed_is_found(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    world.chain.pay_token(USD, address(payment), 60)
    shy.hidden.add(shy.pay_token(USD, address(payment), 40))
    own = await fuel(world, address(payment), FEE)
    await world.mine()
    await follow(world, own)
    moved = await sweep(world, payment, 100)
    await world.mine()
    await follow(world, moved)
    await audit(world)
    assert (await world.now(payment)).amount_received == 100


@pytest.mark.parametrize("fails", [True, False])
async def test_what_a_failed_sweep_cost_is_on_record(
    world: World, shy: ShyChain, *, fails: bool
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(2)
    moved = await sweep(world, payment, 50, fails=fails)
    shy.untraced.add(shy.forward((address(payment), 7)))
    await world.mine()
    await follow(world, moved, fails=fails)
    await audit(world)
    assert (await world.now(payment)).amount_received == 107


async def test_a_reorg_that_takes_our_own_takes_nothing_from_a_payer(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    moved = await sweep(world, payment, 50)
    await world.mine()
    await follow(world, moved, final=False)
    world.chain.reorg(1, keep=[moved])
    await world.mine(9)
    await audit(world)
    assert await seen(world, payment) == [("transaction", 100, 1)]
