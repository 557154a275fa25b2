"""The daily comparison: what it finds, what it holds, and when it lets go."""

from typing import Any

import pytest

from ctrip.cli import audit as command
from ctrip.core.books import Difference
from ctrip.core.chains import Settlement
from ctrip.core.ids import NATIVE, Asset
from ctrip.core.payment import Payment, Settles
from ctrip.flows.reconcile import PAUSE, PAUSE_AFTER_DIFFERENCES, Reconciler, reconcile
from ctrip.store import reconciliations
from ctrip.store.pool import Pool, connection
from tests.flows.bookkeeping import follow, fuel, sweep
from tests.flows.probing import ShyChain
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_blocks import FEE
from tests.support.own_sendings import GAS

TOKEN = Asset(USD)
PURSE = 1_000


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=2)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    """A shop whose money is swept, with coin in its gas wallet."""
    world = await a_world(pool, shy, settlement=Settlement(mode=Settles.SWEEP))
    shy.pay(GAS, PURSE)
    await world.mine()
    return world


async def swept_tokens(world: World) -> Payment:
    """Return a payment whose tokens are in the treasury, and some coin for gas left."""
    payment = await world.create_usd(100)
    world.chain.pay_token(USD, address(payment), 100)
    own = await fuel(world, address(payment), 30)
    await world.mine()
    await follow(world, own)
    moved = await sweep(world, payment, 100)
    await world.mine()
    await follow(world, moved)
    await world.mine(3)
    return payment


async def look(world: World, *, accept: bool = False) -> list[Difference]:
    """Compare, and return what differs."""
    done = await reconcile(world.served, world.chain, world.pool, world.clock, accept=accept)
    assert not done.uncompared
    return list(done.differences)


async def held(world: World) -> dict[Asset, str]:
    async with connection(world.pool) as conn:
        return await reconciliations.held_assets(conn, world.served.name)


async def test_books_that_agree_with_the_chain_differ_in_nothing(world: World) -> None:
    await swept_tokens(world)
    done = await reconcile(world.served, world.chain, world.pool, world.clock)
    assert (done.differences, done.balances, done.under_way) == ([], 3, 0)
    text = command.as_text([done])
    assert "3 balances compared after block" in text
    assert text.endswith("anvil: everything agrees")
    assert '"differences": []' in command.as_json([done])
    assert await held(world) == {}


async def test_money_that_left_without_us_holds_its_asset_until_it_is_back(
    world: World, shy: ShyChain
) -> None:
    payment = await swept_tokens(world)
    shy.taken[address(payment)] = 5
    [one] = await look(world)
    assert (one.name, one.asset, one.holds) == ("balance", NATIVE, True)
    assert "5 less than it should" in (await held(world))[NATIVE]
    assert TOKEN not in await held(world)
    del shy.taken[address(payment)]
    assert await look(world) == []
    assert await held(world) == {}


async def test_what_its_owner_moved_is_accepted_once(world: World, shy: ShyChain) -> None:
    payment = await swept_tokens(world)
    shy.taken[address(payment)] = 5
    assert len(await look(world)) == 1
    assert await look(world, accept=True) == []
    assert await look(world) == []
    assert await held(world) == {}
    shy.taken[address(payment)] = 6
    assert len(await look(world)) == 1


async def test_money_that_nobody_named_yet_is_said_and_holds_nothing(
    world: World, shy: ShyChain
) -> None:
    payment = await swept_tokens(world)
    shy.hidden.add(shy.pay_token(USD, address(payment), 9))
    await world.mine(3)
    [one] = await look(world)
    assert (one.asset, one.holds) == (TOKEN, False)
    assert await held(world) == {}


async def test_a_gas_wallet_may_be_filled_up_and_not_be_emptied_by_others(
    world: World, shy: ShyChain
) -> None:
    await swept_tokens(world)
    assert await look(world) == []
    shy.pay(GAS, 50)
    await world.mine(3)
    assert await look(world) == []
    shy.taken[GAS] = 20
    [one] = await look(world)
    assert f"gas address {GAS} holds" in one.what
    assert "20 less" in one.what


async def test_money_that_is_held_may_be_moved_by_its_owner(pool: Pool, shy: ShyChain) -> None:
    world = await a_world(pool, shy)
    payment = await world.create(100)
    shy.pay(address(payment), 100)
    await world.mine(4)
    shy.taken[address(payment)] = 100
    done = await reconcile(world.served, shy, pool, world.clock)
    assert (done.differences, done.left_alone) == ([], 1)
    assert "1 lower because their owner moved" in command.as_text([done])


@pytest.mark.parametrize("final", [False, None])
async def test_an_address_with_a_transaction_under_way_waits_for_the_next_time(
    world: World, *, final: bool | None
) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    moved = await sweep(world, payment, 100 - FEE)
    await world.mine()
    if final is not None:
        await follow(world, moved, final=final)
    await world.mine(3)
    done = await reconcile(world.served, world.chain, world.pool, world.clock)
    assert (done.differences, done.balances, done.under_way) == ([], 0, 1)
    assert "1 left out because a transaction is under way" in command.as_text([done])


async def test_a_contradiction_of_the_tables_holds_every_asset_it_may_concern(
    world: World,
) -> None:
    await swept_tokens(world)
    await world.rows("UPDATE wallets SET next_index = 0")
    [one] = await look(world)
    assert (one.name, one.asset) == ("I21", None)
    assert (await held(world)).keys() == {NATIVE, TOKEN}
    text = command.sentence(one)
    assert text.startswith("[I21] all assets: An address was given to one payment only")
    assert "Remedy: rows were changed by hand" in text


async def test_what_holds_no_money_is_said_all_the_same(world: World) -> None:
    await swept_tokens(world)
    await world.rows("DELETE FROM events WHERE type = 'payment.detected'")
    assert {one.name for one in await look(world)} == {"I13"}
    assert await held(world) == {}


async def test_without_old_state_nothing_is_lifted(world: World, shy: ShyChain) -> None:
    payment = await swept_tokens(world)
    shy.taken[address(payment)] = 5
    await look(world)
    shy.state_depth = 0
    done = await reconcile(world.served, shy, world.pool, world.clock)
    assert done.differences == []
    assert "were not compared: fake: missing trie node" in done.uncompared
    assert done.uncompared in command.as_text([done])
    assert NATIVE in await held(world)


async def test_a_difference_that_is_gone_at_the_second_look_is_none(
    world: World, shy: ShyChain
) -> None:
    payment = await swept_tokens(world)
    shy.taken[address(payment)] = 5
    shy.before_next("headers", lambda: shy.before_next("headers", shy.taken.clear))
    assert await look(world) == []


async def test_it_is_done_once_a_day_and_hourly_while_something_differs(
    world: World, shy: ShyChain
) -> None:
    payment = await swept_tokens(world)
    reconciler = Reconciler(world.served, shy, world.pool, world.clock, world.news)

    async def compares() -> bool:
        shy.asked.clear()
        await reconciler.run_once()
        return shy.asked["holdings"] > 0

    assert await compares()
    assert not await compares()
    world.clock.move(seconds=PAUSE.total_seconds())
    shy.taken[address(payment)] = 5
    assert await compares()
    assert not await compares()
    world.clock.move(seconds=PAUSE_AFTER_DIFFERENCES.total_seconds())
    shy.taken.clear()
    assert await compares()
    assert await held(world) == {}
    world.clock.move(seconds=PAUSE_AFTER_DIFFERENCES.total_seconds())
    assert not await compares()


async def test_health_says_that_the_books_differ_and_stays_green(
    world: World, shy: ShyChain
) -> None:
    payment = await swept_tokens(world)
    shy.taken[address(payment)] = 5
    await look(world)
    books: Any = (await world.health.parts(world.pool))["books"]
    assert (books.ok, books.differences) == (True, 1)
    assert "5 less than it should" in books.warning


async def test_a_chain_without_books_says_so(world: World) -> None:
    await world.rows("DELETE FROM cursors")
    done = await reconcile(world.served, world.chain, world.pool, world.clock)
    assert command.as_text([done]) == "anvil: nothing is booked yet"
