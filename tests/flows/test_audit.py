"""The standing audit: what addresses hold beyond the record is found, sooner or later."""

from datetime import timedelta

import pytest

from ctrip.core.blocks import Holding
from ctrip.core.ids import NATIVE, BlockNumber
from ctrip.core.payment import Flag, Status
from ctrip.flows.audit import AUDIT_ADDRESSES_PER_PASS, AUDIT_SECONDS, ROUND_SECONDS_MIN
from ctrip.store import audits, rescans
from ctrip.store.pool import DatabaseOutage, Pool, connection, transaction
from tests.flows.probing import ShyChain, a_probe, an_auditor, audit, probe, seen
from tests.flows.world import USD, World, a_world, address
from tests.support.flaky import FlakyPool

WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]
STATEMENTS_MAX = 60


@pytest.fixture
def shy() -> ShyChain:
    return ShyChain(finality_lag=4)


@pytest.fixture
async def world(pool: Pool, shy: ShyChain) -> World:
    return await a_world(pool, shy)


async def place(world: World) -> audits.Round:
    """Return how far the round has come, as a process that starts now would read it."""
    async with connection(world.pool) as conn:
        return await audits.find(conn, world.served.name)


async def test_a_token_whose_logs_nobody_showed_is_found(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine(2)
    await audit(world)
    assert await seen(world, payment) == [("balance", 100, 2)]
    assert await world.told(payment) == WHOLE_WAY


async def test_nothing_counts_before_its_block_is_final(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine(2)
    auditing = an_auditor(world)
    for _ in range(shy.finality_lag):
        await auditing.run_once()
        await world.mine()
        assert await world.told(payment) == ["created"]
    await auditing.run_once()
    assert await world.told(payment) == WHOLE_WAY


async def test_money_that_was_found_is_not_found_again(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 60))
    await world.mine(2)
    for _ in range(3):
        await audit(world)
    assert await world.told(payment) == ["created", "underpaid"]
    shy.pay_token(USD, address(payment), 40)
    await world.mine()
    await audit(world)
    assert (await world.now(payment)).amount_received == 100
    assert len(await seen(world, payment)) == 2


async def test_what_the_record_explains_is_nothing(world: World, shy: ShyChain) -> None:
    ether, token = await world.create(100), await world.create_usd(100)
    shy.pay(address(ether), 100)
    shy.pay_token(USD, address(token), 100)
    await world.mine(2)
    await audit(world)
    assert await seen(world, ether) == [("transaction", 100, 1)]
    assert await seen(world, token) == [("log", 100, 1)]


async def test_money_that_was_moved_on_takes_nothing_back(world: World, shy: ShyChain) -> None:
    payment = await world.create(100)
    shy.pay(address(payment), 100)
    await world.mine(10)
    shy.taken[address(payment)] = 100
    await audit(world)
    assert await world.told(payment) == WHOLE_WAY
    assert (await world.now(payment)).amount_received == 100


async def test_native_coin_by_ways_that_nothing_shows_is_found(world: World, shy: ShyChain) -> None:
    token, closed = await world.create_usd(100), await world.create(100)
    world.chain.mine(at=closed.watched_until + timedelta(seconds=1))
    await world.watch()
    world.clock.set(closed.watched_until + timedelta(seconds=2))
    await world.expire()
    shy.untraced.add(shy.forward((address(token), 3), (address(closed), 4)))
    await world.mine()
    await audit(world)
    assert (await world.now(token)).flags == {Flag.WRONG_TOKEN}
    now = await world.now(closed)
    assert (now.status, now.flags) == (Status.FAILED, frozenset({Flag.LATE, Flag.UNDERPAID}))


async def test_a_round_is_many_passes_and_then_a_pause(world: World) -> None:
    count = AUDIT_ADDRESSES_PER_PASS + 10
    for _ in range(count):
        await world.create()
    await world.mine()
    world.chain.asked.clear()
    await an_auditor(world).run_once()
    assert (await place(world)).rounds == 0
    await an_auditor(world).run_once()  # another process goes on where the first one was
    assert (await place(world)).rounds == 1
    assert world.chain.asked == {"headers": 2, "holdings": 4}
    await an_auditor(world).run_once()
    assert world.chain.asked["holdings"] == 4
    world.clock.move(seconds=ROUND_SECONDS_MIN)
    await an_auditor(world).run_once()
    assert world.chain.asked["holdings"] == 6


def test_the_cost_that_is_promised_is_the_cost() -> None:
    """As the docstring of ctrip/flows/audit.py has it, for native coin and three tokens."""
    calls_of_a_pass = 1 + 4
    passes_of_a_round = -(-10_000 // AUDIT_ADDRESSES_PER_PASS)
    day = 24 * 3600
    assert passes_of_a_round * calls_of_a_pass * day / ROUND_SECONDS_MIN == 680
    assert day / AUDIT_SECONDS == 1_440


async def test_what_was_found_is_not_forgotten_before_it_is_final(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create_usd(100)
    for _ in range(AUDIT_ADDRESSES_PER_PASS):
        await world.create()
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine()
    auditing = an_auditor(world)
    await auditing.run_once()
    assert (await place(world)).after == audits.BEFORE_ALL, "a restart would find it again"
    shy.asked.clear()
    await auditing.run_once()
    assert shy.asked["holdings"] == 2, "the round goes on meanwhile"
    await world.mine(4)
    await auditing.run_once()
    assert ((await place(world)).rounds, await world.told(payment)) == (1, WHOLE_WAY)


async def test_a_find_that_a_reorg_takes_is_looked_for_again(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    await world.mine(3)
    tx_hash = shy.pay_token(USD, address(payment), 100)
    shy.hidden.add(tx_hash)
    await world.mine()
    auditing = an_auditor(world)
    await auditing.run_once()
    shy.reorg(1)
    shy.resend(tx_hash)
    await world.mine(6)
    await auditing.run_once()
    assert await world.told(payment) == ["created"]
    await world.mine(5)
    await auditing.run_once()
    assert await world.told(payment) == WHOLE_WAY
    assert (await world.now(payment)).amount_received == 100


async def test_what_probe_and_audit_both_notice_counts_once(world: World, shy: ShyChain) -> None:
    payment = await world.create(200)
    shy.untraced.add(shy.forward((address(payment), 100)))
    await world.mine(3)
    looking, auditing = a_probe(world), an_auditor(world)
    await auditing.run_once()
    await probe(world, looking)
    await world.mine(6)
    await auditing.run_once()
    await probe(world, looking)
    assert (await world.now(payment)).amount_received == 100
    await audit(world)
    assert (await world.now(payment)).amount_received == 100


async def test_a_round_waits_for_a_gap(world: World, shy: ShyChain) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine(9)
    first, last, now = BlockNumber(3), BlockNumber(9), world.clock.now()
    async with transaction(world.pool) as conn:
        await rescans.begin(
            conn, world.served.name, first, last, cause="gap", read_until=now, now=now
        )
    shy.asked.clear()
    auditing = an_auditor(world)
    await auditing.run_once()
    assert not shy.asked


async def test_a_death_at_any_statement_of_a_pass_counts_nothing_twice(
    world: World, shy: ShyChain
) -> None:
    payment = await world.create_usd(100)
    shy.hidden.add(shy.pay_token(USD, address(payment), 100))
    await world.mine()
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(world.pool, dies_at=n)
        auditing = an_auditor(world, dying.as_pool())
        try:
            await auditing.run_once()
            await world.mine(5)
            await auditing.run_once()
        except DatabaseOutage:
            deaths += 1
            assert len(await world.told(payment)) in {1, 5}, dying.statements[-1]
        else:
            break
    assert deaths > 8
    assert await world.told(payment) == WHOLE_WAY
    held = await shy.holdings(shy.tip, [Holding(NATIVE, address(payment))])
    assert held == [0]
