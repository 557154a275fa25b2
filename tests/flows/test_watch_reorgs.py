"""Reorgs: money that a chain takes back, moves or gives again is counted once or not at all."""

import asyncio

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.finality import Depth
from ctrip.core.payment import Flag, Status
from ctrip.store.pool import Pool
from tests.flows.world import ANVIL, USD, World, a_world, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain
from tests.support.log_lines import StandardError, logging_left_as_found

WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]


@pytest.fixture
async def world(pool: Pool) -> World:
    """A chain that is slow to be final, already some blocks long."""
    chain = FakeChain(finality_lag=20)
    chain.mine(30)
    return await a_world(pool, chain, confirmations=Depth(3))


async def test_a_payment_whose_transaction_was_dropped_is_pending_again(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine()
    world.chain.reorg(1)
    await world.watch()
    now = await world.now(payment)
    assert (now.status, now.amount_received, now.flags) == (
        Status.PENDING,
        0,
        frozenset({Flag.REORGED}),
    )
    assert [t.orphaned for t in now.transfers] == [True], "kept, for the record"
    assert await world.told(payment) == ["created", "detected", "reorged"]


async def test_what_is_mined_again_is_detected_again_and_counted_once(world: World) -> None:
    payment = await world.create_usd(100)
    paid = world.chain.pay_token(USD, address(payment), 100)
    await world.mine()
    world.chain.reorg(1)
    await world.watch()
    world.chain.pay_tokens(Move(USD, address(payment), 0), Move(USD, USD, 1))
    world.chain.resend(paid)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.amount_received, now.flags) == (Status.PAID, 100, frozenset())
    assert [t.log_index for t in now.transfers] == [2], "other block, other place"
    assert await world.told(payment) == ["created", "detected", "reorged", *WHOLE_WAY[1:4]]


async def test_what_only_moved_to_another_block_is_no_news(world: World) -> None:
    payment = await world.create(100)
    paid = world.chain.pay(address(payment), 100)
    await world.mine()
    world.chain.reorg(1, keep=[paid])
    world.chain.mine(2)
    await world.watch()
    assert await world.told(payment) == WHOLE_WAY[:4]
    (transfer,) = (await world.now(payment)).transfers
    assert transfer.block_hash == (await world.chain.headers([transfer.block_number]))[0].hash


async def test_blocks_that_were_dropped_confirm_nothing(world: World) -> None:
    """The chain gets shorter, and the payment moves to its tip: it has one confirmation."""
    payment = await world.create(100)
    await world.mine(5)
    paid = world.chain.pay(address(payment), 100)
    await world.mine(2)
    world.chain.shorten(5)
    world.chain.mine(1)
    world.chain.resend(paid)
    world.chain.mine(1)
    await world.watch()
    now = await world.now(payment)
    assert (now.status, now.confirmations, now.head) == (Status.DETECTED, 1, world.chain.tip.number)
    await world.mine(2)
    assert await world.told(payment) == WHOLE_WAY[:4]


async def test_money_that_moved_together_is_not_confirmed_at_its_old_place(world: World) -> None:
    """Each of two transfers covers the amount; while one has moved, the other must not count."""
    payment = await world.create_usd(100)
    to = address(payment)
    paid = world.chain.pay_tokens(Move(USD, to, 100), Move(USD, to, 100))
    await world.mine(2)
    world.chain.reorg(2)
    world.chain.resend(paid)
    world.chain.pay_token(USD, to, 100)
    world.chain.mine(1)
    await world.watch()
    now = await world.now(payment)
    assert (now.status, now.confirmations) == (Status.DETECTED, 1)


async def test_a_reorg_while_we_were_down_takes_the_money_back(world: World) -> None:
    payment, moved = await world.create(100), await world.create(50)
    world.chain.pay(address(payment), 100)
    again = world.chain.pay(address(moved), 50)
    await world.mine()
    world.chain.reorg(1, keep=[again])
    world.chain.mine(60)
    await world.watch()
    assert await world.told(payment) == ["created", "detected", "reorged"]
    assert (await world.now(payment)).amount_received == 0
    assert await world.told(moved) == WHOLE_WAY
    assert (await world.now(moved)).amount_received == 50


async def test_confirmed_money_that_is_taken_back_fails_the_payment(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(3)
    world.chain.reorg(4)
    await world.watch()
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.FAILED, frozenset({Flag.REORGED}))
    assert await world.told(payment) == [*WHOLE_WAY[:4], "failed", "reorged"]


async def test_a_reorg_of_empty_blocks_is_no_news(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(2)
    world.chain.reorg(1)
    await world.watch()
    await world.mine(1)
    assert await world.told(payment) == WHOLE_WAY[:4]


async def test_a_chain_that_got_shorter_is_followed(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(2)
    world.chain.shorten(5)
    await world.watch()
    assert await world.told(payment) == ["created", "detected"], "it may be a node that lags"
    await world.mine(1)
    assert await world.told(payment) == ["created", "detected", "reorged"]
    (cursor,) = await world.rows("SELECT number FROM cursors")
    assert cursor["number"] == world.chain.tip.number


async def test_a_node_that_lags_is_waited_for(world: World) -> None:
    await world.create()
    await world.mine(2)
    blocks = world.chain.shorten(2)
    await world.watch()
    assert world.chain.asked["headers"] == 1, "no search for a fork"
    world.chain.lengthen(blocks)
    await world.mine(1)
    assert world.chain.asked["headers"] == 1


async def test_a_node_that_is_behind_the_final_block_is_an_outage_and_no_reorg(
    world: World,
) -> None:
    blocks = world.chain.shorten(25)
    with pytest.raises(InconsistentChain):
        await world.watch()
    world.chain.lengthen(blocks)
    await world.mine(1)


async def test_settled_money_that_is_taken_back_fails_its_payment_and_stops_no_other(
    world: World,
) -> None:
    """Somebody mended the chain's cursor as docs/operations.md says, and forgot the payments."""
    settled, other = await world.create(100), await world.create(50)
    fork = world.chain.tip
    world.chain.pay(address(settled), 100)
    await world.mine(25)
    assert await world.told(settled) == WHOLE_WAY
    place = (fork.number, fork.hash)
    await world.rows(
        "UPDATE cursors SET number = $1, hash = $2, finalized = $1, logged = $1", *place
    )
    await world.rows("DELETE FROM blocks")
    await world.rows("INSERT INTO blocks VALUES ($1, $2, $3, now())", ANVIL.name, *place)
    world.chain.reorg(25)
    world.chain.pay(address(other), 50)
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        await world.mine()
    now = await world.now(settled)
    assert (now.status, now.amount_received, now.flags) == (
        Status.FAILED,
        0,
        frozenset({Flag.REORGED}),
    )
    assert await world.told(settled) == [*WHOLE_WAY, "failed", "reorged"]
    assert (await world.now(other)).status is Status.DETECTED
    assert [(line["level"], line["payment_id"]) for line in said.lines if "payment_id" in line] == [
        ("error", str(settled.id))
    ]


async def test_a_final_transfer_that_is_shown_again_elsewhere_holds_nobody_up(
    world: World,
) -> None:
    settled, other = await world.create(100), await world.create(50)
    paid = world.chain.pay(address(settled), 100)
    await world.mine(25)
    before = await world.now(settled)
    world.chain.resend(paid)
    world.chain.pay(address(other), 50)
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        await world.mine()
    after = await world.now(settled)
    assert (after.transfers, after.status) == (before.transfers, Status.SETTLED)
    assert await world.told(settled) == WHOLE_WAY
    assert (await world.now(other)).status is Status.DETECTED
    [line] = [line for line in said.lines if line["level"] == "error"]
    assert f"{paid} is final in block 31, and was shown in block 56 now" in line["why"]


async def test_a_reorg_between_two_questions_is_asked_again(world: World) -> None:
    payment = await world.create(100)
    paid = world.chain.pay(address(payment), 100)
    await world.mine(2)
    world.chain.mine(2)
    world.chain.before_next("blocks", lambda: world.chain.reorg(4, keep=[paid]))
    await world.watch()
    world.chain.reorg(4, keep=[paid])
    world.chain.before_next("receipts", lambda: world.chain.reorg(4, keep=[paid]))
    with pytest.raises(InconsistentChain):
        await world.watch()
    await world.mine(3)
    assert await world.told(payment) == WHOLE_WAY[:4]


async def test_watchers_that_race_credit_once(world: World) -> None:
    made = [await world.create(100) for _ in range(5)]
    for payment in made:
        world.chain.pay(address(payment), 100)
    world.chain.mine()
    await asyncio.gather(*(world.watcher().run_once() for _ in range(4)))
    world.chain.reorg(1)
    await asyncio.gather(*(world.watcher().run_once() for _ in range(4)))
    for payment in made:
        assert await world.told(payment) == ["created", "detected", "reorged"]


async def test_watchers_that_start_together_agree(pool: Pool) -> None:
    world = await a_world(pool)
    await world.rows("DELETE FROM cursors")
    await world.rows("DELETE FROM blocks")
    world.chain.mine(3)
    world.chain.before_next("headers", lambda: world.chain.reorg(1))
    with pytest.raises(InconsistentChain):
        await world.watcher().run_once()
    await asyncio.gather(*(world.watcher().run_once() for _ in range(4)))
    kept = await world.rows("SELECT number FROM blocks ORDER BY number")
    assert [row["number"] for row in kept] == [1, 2, 3]
