"""The watcher: what counts as money, and when a payment moves."""

from datetime import timedelta

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.core import scan
from ctrip.core.finality import Depth
from ctrip.core.ids import RawAddress
from ctrip.core.payment import Flag, Status
from ctrip.store.pool import Pool
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]
UNLISTED = RawAddress("0x" + "bad0" * 10)


async def test_ether_takes_a_payment_the_whole_way(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    seen = []
    for _ in range(4):
        await world.mine()
        now = await world.now(payment)
        seen.append((now.status, now.confirmations))
    assert seen == [
        (Status.DETECTED, 1),
        (Status.PAID, 2),
        (Status.SETTLED, 3),
        (Status.SETTLED, 4),
    ]
    assert await world.told(payment) == WHOLE_WAY
    assert (await world.now(payment)).amount_received == 100


async def test_a_token_takes_a_payment_the_whole_way(world: World) -> None:
    payment = await world.create_usd(2**255)
    world.chain.pay_token(USD, address(payment), 2**255)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.amount_received) == (Status.SETTLED, 2**255)
    assert await world.told(payment) == WHOLE_WAY


async def test_two_parts_in_one_block_are_one_payment(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    world.chain.pay(address(payment), 40)
    await world.mine(3)
    assert await world.told(payment) == ["created", "underpaid", *WHOLE_WAY[1:]]
    now = await world.now(payment)
    assert (now.status, len(now.transfers), now.flags) == (Status.SETTLED, 2, frozenset())


async def test_two_parts_far_apart_are_one_payment(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 60)
    await world.mine()
    assert (await world.now(payment)).flags == {Flag.UNDERPAID}
    world.chain.pay(address(payment), 40)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.flags, now.amount_received) == (Status.SETTLED, frozenset(), 100)
    assert await world.told(payment) == ["created", "underpaid", *WHOLE_WAY[1:]]


async def test_transfers_of_one_transaction_are_told_apart(world: World) -> None:
    payment, other = await world.create_usd(100), await world.create_usd(7)
    to, elsewhere = address(payment), address(other)
    world.chain.pay_tokens(Move(USD, to, 50), Move(USD, elsewhere, 7), Move(USD, to, 50))
    await world.mine(3)
    assert await world.told(payment) == ["created", "underpaid", *WHOLE_WAY[1:]]
    assert await world.told(other) == WHOLE_WAY
    ordinals = sorted(t.key.ordinal for t in (await world.now(payment)).transfers)
    assert ordinals == [0, 1]


async def test_too_much_is_said(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 101)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.flags) == (Status.SETTLED, frozenset({Flag.OVERPAID}))
    assert await world.told(payment) == ["created", "detected", "overpaid", *WHOLE_WAY[2:]]


async def test_too_little_is_said_and_waits(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 99)
    await world.mine(5)
    now = await world.now(payment)
    assert (now.status, now.flags, now.amount_received) == (
        Status.PENDING,
        frozenset({Flag.UNDERPAID}),
        99,
    )
    assert await world.told(payment) == ["created", "underpaid"]


async def test_a_failed_transaction_is_not_money(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100, fails=True)
    world.chain.pay_tokens(Move(USD, address(payment), 100), fails=True)
    await world.mine(3)
    assert await world.told(payment) == ["created"]
    assert not (await world.now(payment)).transfers


async def test_a_token_that_is_not_listed_is_not_money(world: World) -> None:
    payment = await world.create_usd(100)
    world.chain.pay_token(UNLISTED, address(payment), 100)
    await world.mine(3)
    assert await world.told(payment) == ["created"]
    assert not await world.rows("SELECT FROM transfers")


async def test_a_listed_token_that_was_not_asked_for_is_announced_and_not_counted(
    world: World,
) -> None:
    payment = await world.create(100)
    world.chain.pay_token(USD, address(payment), 100)
    await world.mine(3)
    now = await world.now(payment)
    assert (now.status, now.flags, now.amount_received) == (
        Status.PENDING,
        frozenset({Flag.WRONG_TOKEN}),
        0,
    )
    assert await world.told(payment) == ["created", "unexpected_transfer"]


@pytest.mark.parametrize("confirmations", [1, 2, 12])
async def test_each_chain_has_its_own_confirmations(pool: Pool, confirmations: int) -> None:
    chain = FakeChain(finality_lag=50)
    world = await a_world(pool, chain, confirmations=Depth(confirmations))
    payment = await world.create(100)
    chain.pay(address(payment), 100)
    await world.mine(confirmations)
    assert (await world.now(payment)).status is Status.PAID
    if confirmations > 1:
        told = await world.rows(
            "SELECT body::text FROM events WHERE type = 'payment.confirmed'",
        )
        assert len(told) == 1
    assert (await world.now(payment)).confirmations == confirmations


async def test_finality_without_a_new_block_settles(world: World) -> None:
    world.chain.finality_lag = 50
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await world.mine(5)
    assert (await world.now(payment)).status is Status.PAID
    world.chain.finality_lag = 0
    await world.watch()
    assert (await world.now(payment)).status is Status.SETTLED
    assert await world.told(payment) == WHOLE_WAY


async def test_a_payment_made_after_the_head_was_asked_is_seen(world: World) -> None:
    """The address is shown and paid between the questions for the head and for the blocks."""
    world.chain.mine()
    payment = await world.create(100)
    world.chain.before_next("blocks", lambda: world.chain.pay(address(payment), 100))
    world.chain.before_next("blocks", world.chain.mine)
    await world.watch()
    await world.mine(3)
    assert await world.told(payment) == WHOLE_WAY


async def test_an_hour_offline_makes_the_same_news_as_watching(world: World) -> None:
    payment = await world.create(100)
    world.chain.mine(70)
    world.chain.pay(address(payment), 100)
    world.chain.mine(70)
    first = await world.watcher().run_once()
    assert first, "more than one window"
    await world.watch()
    assert await world.told(payment) == WHOLE_WAY
    assert world.chain.asked["blocks"] == 5, "windows of 32 blocks"


async def test_an_outage_in_the_middle_writes_nothing_and_loses_nothing(world: World) -> None:
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    world.chain.mine()
    for question in ("head", "blocks", "receipts"):
        world.chain.before_next(question, lambda: setattr(world.chain, "is_down", True))
        with pytest.raises(ChainOutage):
            await world.watch()
        world.chain.is_down = False
        assert await world.told(payment) == ["created"]
    await world.mine(2)
    assert await world.told(payment) == WHOLE_WAY


async def test_a_block_that_pays_many_takes_as_many_statements_as_one_that_pays_one(
    pool: Pool,
) -> None:
    world = await a_world(pool)
    counts = []
    for many in (1, 200):
        made = [await world.create(100) for _ in range(many)]
        for payment in made:
            world.chain.pay(address(payment), 100)
        world.chain.mine()
        counting = FlakyPool(pool)
        await world.watcher(counting.as_pool()).run_once()
        counts.append(len(counting.statements))
        assert {(await world.now(p)).status for p in made} == {Status.DETECTED}
    assert counts[0] == counts[1] <= 20


async def test_the_clock_of_a_transfer_is_that_of_its_block(world: World) -> None:
    payment = await world.create(100)
    world.clock.move(hours=1)
    world.chain.pay(address(payment), 100)
    in_time = payment.expires_at - timedelta(seconds=1)
    world.chain.mine(at=in_time)
    await world.watch()
    now = await world.now(payment)
    assert (now.status, now.transfers[0].block_time) == (Status.DETECTED, in_time)


async def test_blocks_below_the_final_one_are_forgotten(world: World) -> None:
    await world.create()
    await world.mine(20)
    kept = await world.rows("SELECT number FROM blocks ORDER BY number")
    assert [row["number"] for row in kept] == [18, 19, 20]
    assert world.chain.asked["headers"] == 1, "of the start"
    assert scan.BLOCKS_KNOWN_MAX > 20


async def test_health_knows_how_far_a_chain_was_read(world: World) -> None:
    world.chain.mine(3)
    await world.watch()
    part = world.health.chain(world.served.name)
    assert (part.ok, part.head, part.read, part.lag_blocks) == (True, 3, 3, 0)
