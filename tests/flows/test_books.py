"""The books: final facts, in double entry, each once, whenever and wherever it was found."""

import asyncio

import pytest

from ctrip.core.ids import NATIVE, BlockNumber
from ctrip.flows.books import ROUND_SECONDS_MIN, SENDINGS_PER_PASS_MAX, TRANSFERS_PER_PASS
from ctrip.store import ledger, rescans
from ctrip.store.pool import DatabaseOutage, Pool, connection, transaction
from tests.flows.bookkeeping import (
    a_bookkeeper,
    balances,
    deposit,
    entries,
    follow,
    fuel,
    note,
    sweep,
)
from tests.flows.probing import ShyChain, audit, read_all_again
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_blocks import FEE
from tests.support.flaky import FlakyPool
from tests.support.own_sendings import GAS, TREASURY

STATEMENTS_MAX = 60
LARGEST = 2**256 - 1


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=4)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    return await a_world(pool, shy)


async def book(world: World) -> None:
    """Enter what there is to enter."""
    while await a_bookkeeper(world).run_once():
        pass


async def look_again(world: World) -> None:
    """Compare all with the books again, as happens every hour."""
    world.clock.move(seconds=ROUND_SECONDS_MIN + 1)
    await a_bookkeeper(world).run_once()


async def test_a_deposit_is_booked_once_its_block_is_final(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    world.chain.pay_token(USD, address(payment), 7)
    await world.mine(4)
    await book(world)
    assert await entries(world) == []
    await world.mine()
    await book(world)
    await book(world)
    assert sorted(await entries(world)) == [("deposit", 7), ("deposit", 60)]
    assert await balances(world) == {
        deposit(payment): {NATIVE: 60, USD: 7},
        "payers": {NATIVE: -60, USD: -7},
    }


async def test_what_moves_a_token_on_is_booked_to_the_wei(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.pay_token(USD, address(payment), 100)
    own = await fuel(world, address(payment), 30)
    await world.mine()
    await follow(world, own)
    moved = await sweep(world, payment, 100)
    await world.mine()
    await follow(world, moved)
    await world.mine(4)
    await book(world)
    assert sorted(await entries(world)) == [
        ("deposit", 100),
        ("fee", FEE),
        ("fee", FEE),
        ("fuel", 30),
        ("swept", 100),
    ]
    assert await balances(world) == {
        deposit(payment): {NATIVE: 30 - FEE},
        f"treasury:{TREASURY}": {USD: 100},
        f"gas:{GAS}": {NATIVE: -30 - FEE},
        "fees": {NATIVE: 2 * FEE},
        "payers": {USD: -100},
    }


async def test_a_failed_sweep_costs_its_fee(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine()
    moved = await sweep(world, payment, 50, fails=True)
    await world.mine()
    await follow(world, moved, fails=True)
    await world.mine(5)
    await book(world)
    assert (await balances(world))[deposit(payment)] == {NATIVE: 100 - FEE}


async def test_what_is_not_final_of_ours_is_not_booked(world: World) -> None:
    payment = await world.create(100)
    own = await fuel(world, address(payment), 30)
    await world.mine()
    await follow(world, own, final=False)
    await book(world)
    assert await entries(world) == []


async def test_what_is_found_late_in_a_booked_block_is_booked(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine(9)
    await book(world)
    shy.hidden.clear()
    await read_all_again(world)
    await book(world)
    assert await entries(world) == []
    await look_again(world)
    assert await entries(world) == [("deposit", 100)]


async def test_all_is_booked_at_once_for_whoever_must_know(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine(9)
    await book(world)
    shy.hidden.clear()
    await read_all_again(world)
    await a_bookkeeper(world).book_all()
    assert await entries(world) == [("deposit", 100)]


async def test_a_balance_whose_transaction_is_found_is_booked_back(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine()
    await audit(world)
    await book(world)
    assert await balances(world) == {deposit(payment): {USD: 100}, "unknown": {USD: -100}}
    shy.hidden.clear()
    await read_all_again(world)
    await look_again(world)
    assert await balances(world) == {deposit(payment): {USD: 100}, "payers": {USD: -100}}
    assert sorted(await entries(world)) == [("deposit", -100), ("deposit", 100), ("deposit", 100)]


async def test_what_a_reorg_deeper_than_finality_took_is_booked_back(world: World) -> None:
    """As docs/operations.md has the operator mend it."""
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(9)
    await book(world)
    async with connection(world.pool) as conn:
        await conn.execute("UPDATE cursors SET finalized = 0; UPDATE transfers SET orphaned = true")
    await book(world)
    async with connection(world.pool) as conn:
        await conn.execute("UPDATE cursors SET finalized = 9")
    await book(world)
    assert await balances(world) == {}
    assert await entries(world) == [("deposit", 100), ("deposit", -100)]


async def test_nothing_is_booked_above_a_gap(world: World) -> None:
    payment = await world.create(100)
    await world.mine(3)
    world.chain.pay(address(payment), 100)
    await world.mine(9)
    now = world.clock.now()
    async with transaction(world.pool) as conn:
        await rescans.begin(
            conn, world.served.name, BlockNumber(2), BlockNumber(3), cause="gap",
            read_until=now, now=now,
        )  # fmt: skip
    await book(world)
    async with connection(world.pool) as conn:
        assert await ledger.booked_to(conn, world.served.name) == 1
    assert await entries(world) == []


async def test_a_pass_is_bounded_and_the_next_goes_on(world: World) -> None:
    payment = await world.create(100)
    for _ in range(2 * TRANSFERS_PER_PASS // 100):
        for _ in range(100):
            world.chain.pay(address(payment), 1)
        await world.mine()
    for _ in range(SENDINGS_PER_PASS_MAX + 1):
        own = await fuel(world, address(payment), 1)
        await follow(world, own)
    await world.mine(5)
    assert await a_bookkeeper(world).run_once()
    rows = await world.rows("SELECT kind, count(*) FROM ledger_entries GROUP BY kind")
    assert {row["kind"]: row["count"] for row in rows} == {
        "deposit": TRANSFERS_PER_PASS,
        "fuel": SENDINGS_PER_PASS_MAX,
        "fee": SENDINGS_PER_PASS_MAX,
    }
    await book(world)
    total = 2 * TRANSFERS_PER_PASS + (SENDINGS_PER_PASS_MAX + 1)
    assert (await balances(world, "deposit:%"))[deposit(payment)] == {NATIVE: total}


async def test_two_bookkeepers_book_once(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    own = await fuel(world, address(payment), 5)
    await world.mine(9)
    await follow(world, own)
    await asyncio.gather(*(a_bookkeeper(world).run_once() for _ in range(8)))
    assert sorted(await entries(world)) == [("deposit", 100), ("fee", FEE), ("fuel", 5)]


async def test_a_death_at_any_statement_books_nothing_twice(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    own = await fuel(world, address(payment), 5)
    await world.mine(9)
    await follow(world, own)
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        keeper = a_bookkeeper(world)
        keeper._pool = FlakyPool(world.pool, dies_at=n).as_pool()  # noqa: SLF001  dies as told
        try:
            await keeper.run_once()
        except DatabaseOutage:
            deaths += 1
        else:
            break
    assert deaths > 5
    assert sorted(await entries(world)) == [("deposit", 100), ("fee", FEE), ("fuel", 5)]


async def test_the_largest_amounts_lose_nothing(world: World) -> None:
    payment, other = await world.create(100), await world.create(100)
    for one in (payment, other):
        world.chain.pay(address(one), LARGEST)
    await world.mine(9)
    await book(world)
    held = await balances(world)
    assert held[deposit(payment)] == {NATIVE: LARGEST}
    assert held["payers"] == {NATIVE: -2 * LARGEST}


async def test_money_that_came_to_no_address_of_ours_is_unknown(world: World) -> None:
    elsewhere = await fuel(world, TREASURY, 5)
    await world.mine()
    await follow(world, elsewhere)
    await book(world)
    assert (await balances(world, "unknown")) == {"unknown": {NATIVE: 5}}


async def test_what_a_refund_pays_goes_back_to_payers(world: World) -> None:
    payer = await world.create(1)
    tx_hash = world.chain.pay(address(payer), 9, sender=TREASURY)
    await note(world, tx_hash, sender=TREASURY, to=GAS, amount=9)
    await world.rows("UPDATE sendings SET purpose = 'refund'")
    await world.mine()
    await follow(world, tx_hash)
    await book(world)
    assert await balances(world) == {
        f"payout:{TREASURY}": {NATIVE: -9 - FEE},
        "payers": {NATIVE: 9},
        "fees": {NATIVE: FEE},
    }
