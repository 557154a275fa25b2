"""After hours of downtime: the newest blocks first, then what lies between, and all of it once."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from ctrip.core.blocks import Block
from ctrip.core.ids import BlockNumber, RawAddress
from ctrip.core.payment import Payment, Status
from ctrip.core.scan import BEHIND_MAX, BLOCKS_PER_WINDOW_MAX
from ctrip.flows.reread import Rereader
from ctrip.flows.rescan import WINDOWS_AT_ONCE_MAX
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.reading import WHOLE_WAY, finish, rescanner
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

BLOCK_SECONDS = 12
HOURS_OF_BLOCKS = 1_000  # more than three hours
STATEMENTS_MAX = 120


async def a_slow_world(pool: Pool, chain: FakeChain | None = None) -> World:
    """Return a world whose clock goes with its chain."""
    on = chain or FakeChain(block_seconds=BLOCK_SECONDS)
    world = await a_world(pool, on, block_seconds=BLOCK_SECONDS)
    await pass_by(world, 5)
    await world.watch()
    return world


async def pass_by(world: World, blocks: int) -> None:
    """Let blocks be made while nobody looks."""
    world.chain.mine(blocks)
    world.clock.set(world.chain.tip.time)


async def gaps(world: World) -> list[tuple[int, int, int]]:
    rows = await world.rows("SELECT first, last, next FROM rescans WHERE ended_at IS NULL")
    return [(row["first"], row["last"], row["next"]) for row in rows]


async def test_a_payment_at_the_tip_does_not_wait_for_what_was_missed(pool: Pool) -> None:
    world = await a_slow_world(pool)
    before = await world.create(100)
    await pass_by(world, 500)
    world.chain.pay(address(before), 100)
    await pass_by(world, 500)
    assert await world.watcher().run_once(), "the newest blocks are still to be read"
    assert await gaps(world) == [(6, 1_003, 6)]
    fresh = await world.create(7)
    world.chain.pay(address(fresh), 7)
    await pass_by(world, 1)
    await world.watch()
    assert (await world.now(fresh)).status is Status.DETECTED
    assert (await world.now(before)).status is Status.PENDING
    assert world.chain.asked["blocks"] == 1, "the newest"
    await finish(world)
    assert await gaps(world) == []
    assert await world.told(before) == WHOLE_WAY
    assert (await world.now(before)).confirmations == 501
    await world.mine(3)
    assert await world.told(fresh) == WHOLE_WAY
    assert await world.credited() == {address(before): 100, address(fresh): 7}


async def test_a_little_behind_is_read_in_order_and_leaves_no_gap(pool: Pool) -> None:
    world = await a_slow_world(pool)
    await world.create(100)
    await pass_by(world, BEHIND_MAX + world.chain.finality_lag)
    await world.watch()
    assert not await world.rows("SELECT FROM rescans")


async def test_nothing_to_be_paid_leaves_no_gap(pool: Pool) -> None:
    world = await a_slow_world(pool)
    await pass_by(world, HOURS_OF_BLOCKS)
    await world.watch()
    assert not await world.rows("SELECT FROM rescans")
    assert not await finish(world)


async def test_deadlines_move_by_the_downtime(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create(100)
    await pass_by(world, HOURS_OF_BLOCKS)
    await world.watch()
    now = await world.now(payment)
    away = timedelta(seconds=BLOCK_SECONDS * HOURS_OF_BLOCKS)
    assert now.expires_at == payment.expires_at + away
    assert now.extended_seconds == away.total_seconds()
    await world.expire()
    assert await world.told(payment) == ["created"]
    world.chain.pay(address(payment), 100)
    await pass_by(world, 3)
    await world.watch()
    await finish(world)
    assert await world.told(payment) == WHOLE_WAY, "paid after the deadline that it had first"


async def test_deadlines_wait_for_the_gap(pool: Pool) -> None:
    """The tip goes on past a deadline; there may still be money in the gap."""
    world = await a_slow_world(pool)
    paid, unpaid = await world.create(100), await world.create(100)
    await pass_by(world, HOURS_OF_BLOCKS // 2)
    world.chain.pay(address(paid), 100)
    await pass_by(world, HOURS_OF_BLOCKS // 2)
    await world.watch()
    for _ in range(32):
        await pass_by(world, 5)
        await world.watch()
    assert world.clock.now() > (await world.now(unpaid)).expires_at
    await world.expire()
    assert await world.told(paid) == await world.told(unpaid) == ["created"]
    assert await rescanner(world).run_once(), "part of the gap"
    await world.expire()
    assert await world.told(unpaid) == ["created"]
    await finish(world)
    await world.expire()
    assert await world.told(paid) == WHOLE_WAY
    assert await world.told(unpaid) == ["created", "expired"]


async def test_what_was_under_way_before_the_downtime_is_finished_at_once(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create(100)
    world.chain.pay(address(payment), 100)
    await pass_by(world, 1)
    await world.watch()
    assert (await world.now(payment)).status is Status.DETECTED
    await pass_by(world, HOURS_OF_BLOCKS)
    await world.watcher().run_once()
    assert await world.told(payment) == WHOLE_WAY


async def test_money_that_came_in_parts_before_in_and_after_a_gap_is_one_payment(
    pool: Pool,
) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(100)
    for amount, blocks in ((20, 1), (30, 100), (40, HOURS_OF_BLOCKS - 100), (10, 3)):
        world.chain.pay_token(USD, address(payment), amount)
        await pass_by(world, blocks)
        if blocks < 100 or amount == 40:
            await world.watch()
    assert (await world.now(payment)).amount_received == 30, "20 before and 10 after"
    await finish(world)
    now = await world.now(payment)
    assert (now.status, now.amount_received) == (Status.SETTLED, 100)
    told = await world.told(payment)
    assert [name for name in told if name != "underpaid"] == WHOLE_WAY


async def test_a_second_downtime_makes_a_second_gap(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payments = []
    for _ in range(2):
        payment = await world.create(100)
        await pass_by(world, 300)
        world.chain.pay(address(payment), 100)
        await pass_by(world, 300)
        await world.watch()
        payments.append(payment)
    assert await gaps(world) == [(6, 603, 6), (606, 1_203, 606)]
    await finish(world)
    for payment in payments:
        assert await world.told(payment) == WHOLE_WAY


async def test_a_reorg_at_the_tip_while_a_gap_is_open(pool: Pool) -> None:
    world = await a_slow_world(pool)
    before = await world.create(100)
    world.chain.pay(address(before), 100)
    await pass_by(world, HOURS_OF_BLOCKS)
    await world.watch()
    world.chain.finality_lag = 20
    fresh = await world.create(7)
    world.chain.pay(address(fresh), 7)
    await pass_by(world, 3)
    await world.watch()
    world.chain.reorg(3)
    await pass_by(world, 1)
    await world.watch()
    await finish(world)
    assert await world.told(before) == WHOLE_WAY
    assert await world.told(fresh) == [*WHOLE_WAY[:4], "failed", "reorged"]


async def test_a_death_anywhere_while_catching_up_credits_once(pool: Pool) -> None:
    """Watcher and rescanner die in turn at each of their statements, and are started again."""
    world = await a_slow_world(pool)
    payment = await world.create(100)
    await pass_by(world, 200)
    world.chain.pay(address(payment), 100)
    await pass_by(world, 200)
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        try:
            await world.watcher(dying.as_pool()).run_once()
            await finish(world, pool=dying.as_pool())
        except DatabaseOutage:
            deaths += 1
        if not dying.died:
            break
    assert deaths >= 20
    await world.watch()
    assert not await finish(world)
    assert await gaps(world) == []
    assert await world.told(payment) == WHOLE_WAY
    assert await world.credited() == {address(payment): 100}


class Measured(FakeChain):
    """An endpoint that takes its time, and counts the blocks that are asked for at once."""

    def __init__(self) -> None:
        super().__init__(block_seconds=BLOCK_SECONDS)
        self.now = self.most = 0

    async def blocks(self, first: BlockNumber, last: BlockNumber, **asked: Any) -> list[Block]:
        self.now += last - first + 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        read = await super().blocks(first, last, **asked)
        self.now -= last - first + 1
        return read


@pytest.mark.parametrize("blocks", [1_000, 3_000])
async def test_what_is_held_in_memory_does_not_grow_with_the_downtime(
    pool: Pool, blocks: int
) -> None:
    chain = Measured()
    world = await a_slow_world(pool, chain)
    await world.create(100)
    await pass_by(world, blocks)
    await world.watch()
    await finish(world)
    assert await gaps(world) == []
    assert chain.most == WINDOWS_AT_ONCE_MAX * BLOCKS_PER_WINDOW_MAX == 128


async def live(world: World, random: Random) -> dict[RawAddress, int]:
    """Let hours pass in which shops and payers go on, and the gateway comes and goes."""
    made: list[Payment] = []
    sent: dict[RawAddress, int] = {}
    for _ in range(6):
        made += [await world.create(100), await world.create(100), await world.create_usd(100)]
        for _ in range(8):
            to, amount = random.choice(made), random.choice((30, 70, 100))
            sent[address(to)] = sent.get(address(to), 0) + amount
            if to.contract is None:
                world.chain.pay(address(to), amount)
            else:
                tx = world.chain.pay_token(USD, address(to), amount)
                world.chain.hidden |= {tx} if random.random() < 0.2 else set()
            await pass_by(world, random.choice((1, 10, 100, 300)))
            if random.random() < 0.4:
                await world.watch()
            if random.random() < 0.3:
                await rescanner(world).run_once()
                await world.expire()
    return sent


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_downtimes_all_money_is_credited_once(pool: Pool, seed: int) -> None:
    """Some logs are hidden from the first read, and found at finality."""
    world = await a_slow_world(pool)
    sent = await live(world, Random(seed))
    await pass_by(world, 5)
    await world.watch()
    await finish(world)
    reader = Rereader(world.served, world.chain, pool, world.clock, world.news)
    more = True
    while more:
        more = await reader.run_once()
    assert {to: got for to, got in (await world.credited()).items() if got} == sent
