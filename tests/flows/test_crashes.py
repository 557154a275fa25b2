"""Criterion 6: a connection that dies at any statement leaves everything or nothing."""

from ctrip.core.changes import TransferSeen
from ctrip.flows.apply import apply
from ctrip.store.pool import DatabaseOutage, Pool, transaction
from tests.flows.world import USD, World, a_world, address
from tests.support.builders import a_transfer
from tests.support.clock import START
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

STATEMENTS_MAX = 40


async def test_a_death_at_any_statement_of_apply_changes_nothing(world: World) -> None:
    payment = await world.create(100)
    transfer = a_transfer(to=payment.address, block=0, block_time=START)
    changes = {payment.id: [TransferSeen(transfer)]}
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(world.pool, dies_at=n)
        try:
            async with transaction(dying.as_pool()) as conn:
                await apply(conn, changes, now=START)
        except DatabaseOutage:
            assert await snapshot(world) == ({"pending": 1}, 0, 1, 1, 0)
        else:
            break
    else:
        raise AssertionError("apply never came to an end")
    assert n == 8, "BEGIN, two reads, three writes, COMMIT, then it lives"
    assert await world.told(payment) == ["created", "detected"]
    assert (await world.now(payment)).amount_received == 100


async def test_a_death_at_any_statement_of_a_pass_changes_nothing(pool: Pool) -> None:
    """A pass in which much happens: a reorg drops one payment's money and brings another's."""
    chain = FakeChain(finality_lag=20)
    world = await a_world(pool, chain)
    dropped, paid, deep = [await world.create(100) for _ in range(3)]
    token = await world.create_usd(7)
    chain.pay(address(deep), 100)
    await world.mine()
    chain.pay(address(dropped), 100)
    chain.mine(at=chain.tip.time)
    await world.watcher().run_once()
    chain.reorg(1)
    chain.pay(address(paid), 60)
    chain.pay(address(paid), 40)
    chain.pay_token(USD, address(token), 8)
    chain.mine()
    before = await snapshot(world)
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        try:
            await world.watcher(dying.as_pool()).run_once()
        except DatabaseOutage:
            deaths += 1
            assert await snapshot(world) == before, dying.statements[-1]
        else:
            break
    assert deaths >= 15
    await world.watch()
    assert await world.told(dropped) == ["created", "detected", "reorged"]
    assert await world.told(paid) == ["created", "underpaid", "detected"]
    assert await world.told(token) == ["created", "detected", "overpaid"]
    assert await world.told(deep) == ["created", "detected", "confirmed", "paid"]
    assert await world.credited() == {
        address(dropped): 0,
        address(paid): 100,
        address(deep): 100,
        address(token): 8,
    }


async def test_a_death_at_any_statement_of_a_create_makes_one_payment_or_none(
    world: World,
) -> None:
    for n in range(1, STATEMENTS_MAX):
        before = await world.rows("SELECT id FROM payments")
        dying = FlakyPool(world.pool, dies_at=n)
        creator, world.creator = world.creator, world.creator_on(dying.as_pool())
        try:
            made = await world.create(100)
        except DatabaseOutage:
            assert await world.rows("SELECT id FROM payments") == before
        else:
            rows = await world.rows("SELECT id FROM payments")
            assert {row["id"] for row in rows} - {row["id"] for row in before} == {made.id}
            assert await world.told(made) == ["created"]
        finally:
            world.creator = creator
        if not dying.died:
            break
    indexes = await world.rows("SELECT derivation_index AS n FROM payments")
    assert len({row["n"] for row in indexes}) == len(indexes) >= 2
    assert not await world.rows(
        "SELECT FROM events e LEFT JOIN deliveries d ON d.event_id = e.id WHERE d.event_id IS NULL"
    )


async def test_a_death_at_any_statement_of_the_deadlines_changes_nothing(world: World) -> None:
    payment = await world.create(100)
    world.clock.set(payment.expires_at)
    world.chain.mine(at=payment.expires_at)
    await world.watch()
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(world.pool, dies_at=n)
        flaky = World(dying.as_pool(), world.chain, world.clock, world.served)
        try:
            await flaky.expire()
        except DatabaseOutage:
            assert await world.told(payment) == ["created"]
        else:
            break
    assert await world.told(payment) == ["created", "expired"]


async def snapshot(world: World) -> tuple[dict[str, int], int, int, int, int]:
    """Return how many payments there are of each status, and of the rest, and the cursor."""
    statuses = await world.rows("SELECT status, count(*) FROM payments GROUP BY 1")
    (rest,) = await world.rows(
        "SELECT (SELECT count(*) FROM transfers), (SELECT count(*) FROM events), "
        "(SELECT count(*) FROM deliveries), (SELECT number FROM cursors)"
    )
    transfers, events, deliveries, cursor = rest
    return {row[0]: row[1] for row in statuses}, transfers, events, deliveries, cursor
