"""Blocks that are read at a glance, and the logs that are owed: what nobody names is seen late."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.blocks import TokenLog
from ctrip.core.payment import Flag, Status
from ctrip.core.scan import UNNAMED_BLOCKS_MAX
from ctrip.flows.reread import Rereader
from ctrip.store.pool import DatabaseOutage, Pool
from tests.flows.glancing import BLOCK_SECONDS, a_slow_world, mine, owed, pay_silently
from tests.flows.world import USD, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool
from tests.support.log_lines import StandardError, logging_left_as_found

STATEMENTS_MAX = 60


class Overtaken(FakeChain):
    """A chain whose logs take so long that something happens first."""

    after_logs: Callable[[], Awaitable[object]] | None = None

    async def logs(self, *asked: Any, **how: Any) -> Sequence[TokenLog]:
        shown = await super().logs(*asked, **how)
        if self.after_logs:
            act, self.after_logs = self.after_logs, None
            await act()
        return shown


async def test_a_transfer_that_is_named_is_seen_with_its_block(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    await mine(world, 2)
    world.chain.pay_token(USD, address(payment), 7)
    await mine(world)
    assert await world.told(payment) == ["created", "detected"]
    assert not world.chain.asked["logs"]


async def test_a_transfer_that_no_transaction_names_is_credited_once_some_blocks_later(
    pool: Pool,
) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world)
    assert await world.told(payment) == ["created"]
    await mine(world, UNNAMED_BLOCKS_MAX)
    now = await world.now(payment)
    assert (now.status, now.amount_received, now.confirmations) == (Status.PAID, 7, 5)
    assert now.transfers[0].block_number == 1
    await mine(world, 2 * UNNAMED_BLOCKS_MAX)
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]


async def test_logs_of_several_blocks_are_asked_for_together(pool: Pool) -> None:
    world = await a_slow_world(pool)
    await world.create_usd(7)
    watcher = world.watcher()
    await mine(world, 20, watcher=watcher)
    assert world.chain.asked["logs"] == 20 / UNNAMED_BLOCKS_MAX - 1
    assert await owed(world) == UNNAMED_BLOCKS_MAX


async def test_what_was_seen_with_its_block_is_not_new_when_its_logs_are_read_again(
    pool: Pool,
) -> None:
    world = await a_slow_world(pool)
    named, unnamed = await world.create_usd(7), await world.create_usd(7)
    world.chain.pay_tokens(Move(USD, address(named), 3), Move(USD, address(named), 4))
    await mine(world)
    pay_silently(world, unnamed, 3)
    pay_silently(world, unnamed, 4)
    with logging_left_as_found():
        said = StandardError()
        said.configure()
        await mine(world, 8)
    whole_way = ["underpaid", "detected", "confirmed", "paid"]
    for payment in (named, unnamed):
        assert await world.told(payment) == ["created", *whole_way]
        assert len((await world.now(payment)).transfers) == 2
    assert [line["event"] for line in said.lines] == ["money that no transaction named"] * 2


async def test_a_death_at_any_statement_leaves_the_logs_owed_or_read(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world, UNNAMED_BLOCKS_MAX)
    world.chain.mine()
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        try:
            await world.watcher(dying.as_pool()).run_once()
        except DatabaseOutage:
            deaths += 1
            credited = (await world.now(payment)).amount_received
            assert credited == (0 if await owed(world) else 7), dying.statements[-1]
        else:
            break
    assert deaths >= 15
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]
    assert await owed(world) == 1


async def test_of_two_watchers_the_slower_one_credits_nothing_twice(pool: Pool) -> None:
    chain = Overtaken(finality_lag=50, block_seconds=BLOCK_SECONDS)
    world = await a_slow_world(pool, chain)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world, UNNAMED_BLOCKS_MAX)
    chain.mine()
    slow, fast = world.watcher(), world.watcher()
    chain.after_logs = fast.run_once
    await slow.run_once()
    assert chain.asked["logs"] == 2
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]
    assert (await world.now(payment)).amount_received == 7


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_a_reorg_among_owed_blocks_loses_nothing_and_credits_only_what_stays(
    pool: Pool, depth: int
) -> None:
    """One transfer is below the fork, one moves to another block, one is dropped."""
    world = await a_slow_world(pool)
    stays, moves, goes = [await world.create_usd(7) for _ in range(3)]
    pay_silently(world, stays)
    await mine(world)
    await mine(world, 3 - depth)
    tx_hash = world.chain.pay_tokens(Move(USD, address(moves), 7), silently=True)
    pay_silently(world, goes)
    await mine(world, depth)
    assert await owed(world) == 4
    world.chain.reorg(depth, keep=[tx_hash])
    await mine(world, 2)
    for payment in (stays, moves):
        assert (await world.now(payment)).amount_received == 7
        assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]
    assert await world.told(goes) == ["created"]
    assert await owed(world) <= 2


async def test_a_reorg_between_the_block_and_its_logs_is_noticed_first(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    pay_silently(world, payment)
    await mine(world, UNNAMED_BLOCKS_MAX)
    world.chain.before_next("logs", lambda: world.chain.reorg(3))
    with pytest.raises(InconsistentChain):
        await mine(world)
    assert await world.told(payment) == ["created"]
    await mine(world, 2)
    assert await world.told(payment) == ["created", "detected", "confirmed", "paid"]


async def test_what_nobody_asked_for_and_nobody_names_is_announced(pool: Pool) -> None:
    world = await a_slow_world(pool)
    payment = await world.create(100)
    pay_silently(world, payment)
    await mine(world, 1 + UNNAMED_BLOCKS_MAX)
    assert (await world.now(payment)).flags == {Flag.WRONG_TOKEN}


async def test_what_the_first_endpoint_leaves_out_of_the_range_is_found_when_it_is_final(
    pool: Pool,
) -> None:
    world = await a_slow_world(pool)
    payment = await world.create_usd(7)
    world.chain.hidden.add(world.chain.pay_tokens(Move(USD, address(payment), 7), silently=True))
    await mine(world, 55)
    assert await world.told(payment) == ["created"]
    await Rereader(world.served, world.chain, pool, world.clock, world.news).run_once()
    assert (await world.told(payment))[:2] == ["created", "detected"]
