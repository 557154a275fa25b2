"""Ranges that are read beside the newest blocks: credited once, whatever breaks off."""

import asyncio
from typing import Any

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.core.blocks import Block
from ctrip.core.ids import BlockNumber, ChainName, RawAddress
from ctrip.core.payment import Status
from ctrip.core.scan import BLOCKS_PER_WINDOW_MAX
from ctrip.flows import rescan as rescanning
from ctrip.flows.rescan import WINDOWS_AT_ONCE_MAX, RangeRefused
from ctrip.store.pool import DatabaseOutage, Pool, connection
from tests.flows.reading import (
    WHOLE_WAY,
    as_of,
    finish,
    next_of,
    order,
    rescanner,
    with_hidden_money,
)
from tests.flows.world import USD, World, a_world, address
from tests.support.clock import FakeClock
from tests.support.fake_chain import FakeChain
from tests.support.flaky import FlakyPool

STATEMENTS_MAX = 80


async def test_a_range_finds_what_the_first_read_missed(world: World) -> None:
    first, second = await with_hidden_money(world)
    rescan = await order(world, 1, 68)
    world.news.clear()
    assert await finish(world) == 1
    assert await next_of(world, rescan) == 69
    assert await world.told(first) == await world.told(second) == WHOLE_WAY
    assert (await world.now(first)).confirmations == 70, "by the head it was written under"
    assert world.news.is_set()


async def test_a_range_that_was_read_already_changes_nothing(world: World) -> None:
    payment, token = await world.create(100), await world.create_usd(7)
    world.chain.pay(address(payment), 100)
    world.chain.pay_token(USD, address(token), 7)
    await world.mine(20)
    before = await everything(world)
    for _ in range(2):
        await order(world, 0, 18)
        await finish(world)
    assert await everything(world) == before
    assert await world.told(payment) == WHOLE_WAY


async def test_money_of_a_closed_payment_is_found_and_said_to_be_late(world: World) -> None:
    payment = await world.create_usd(100)
    world.clock.move(days=2)
    world.chain.hidden = {world.chain.pay_token(USD, address(payment), 100)}
    world.chain.mine(at=world.clock.now())
    await world.watch()
    await world.expire()
    await world.mine(5)
    world.chain.hidden = set()
    await order(world, 1, 3)
    await finish(world)
    told = await world.told(payment)
    assert told[:3] == ["created", "expired", "failed"]
    assert "late" in told
    assert (await world.now(payment)).amount_received == 100


async def test_a_death_at_any_statement_leaves_a_range_that_goes_on(pool: Pool) -> None:
    world = await a_world(pool)
    first, second = await with_hidden_money(world)
    rescan = await order(world, 0, 68)
    deaths = 0
    for n in range(1, STATEMENTS_MAX):
        dying = FlakyPool(pool, dies_at=n)
        at = await next_of(world, rescan)
        try:
            await rescanner(world, pool=dying.as_pool()).read(await as_of(world, rescan))
        except DatabaseOutage:
            deaths += 1
            assert await next_of(world, rescan) in {at, at + 32, at + 64, 69}, "whole windows"
        if not dying.died:
            break
    assert deaths >= 15
    assert await finish(world) <= 1
    assert await world.told(first) == await world.told(second) == WHOLE_WAY
    assert await world.credited() == {address(first): 100, address(second): 7}


async def test_of_two_readers_the_slower_writes_nothing(world: World) -> None:
    payment, _ = await with_hidden_money(world)
    rescan = await order(world, 1, 68)
    steps = await asyncio.gather(*(rescanner(world).read(rescan) for _ in range(3)))
    assert sum(step.blocks for step in steps) == 68, "each window is written once"
    assert sum(step.raced for step in steps) == 2
    assert await next_of(world, rescan) == 69
    assert await world.told(payment) == WHOLE_WAY


async def test_a_watcher_and_a_rescanner_do_not_disturb_each_other(world: World) -> None:
    payment, _ = await with_hidden_money(world)
    other = await world.create(5)
    world.chain.pay(address(other), 5)
    rescan = await order(world, 1, 60)
    world.chain.mine(3)
    await asyncio.gather(world.watch(), finish(world))
    assert await next_of(world, rescan) == 61
    assert await world.told(payment) == await world.told(other) == WHOLE_WAY


async def test_what_is_not_final_waits_until_it_is(world: World) -> None:
    await world.mine(10)
    rescan = await order(world, 1, 10)
    assert await finish(world) == 1
    assert await next_of(world, rescan) == 9, "block 8 is the final one"
    await world.mine(2)
    await finish(world)
    assert await next_of(world, rescan) == 11


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(5, 4, "--from"), (5, 11, "--to: anvil was read up to block 10 only")],
)
async def test_a_range_that_cannot_be_read_is_refused(
    world: World, first: int, last: int, words: str
) -> None:
    await world.mine(10)
    with pytest.raises(RangeRefused, match=words):
        await order(world, first, last)
    assert not await world.rows("SELECT FROM rescans")


async def test_a_chain_that_was_never_read_has_nothing_to_read_again(pool: Pool) -> None:
    async with connection(pool) as conn:
        with pytest.raises(RangeRefused, match="never read; start `ctrip serve`"):
            await rescanning.ask(
                conn, ChainName("moon"), BlockNumber(1), BlockNumber(2), now=FakeClock().now()
            )


async def test_the_same_range_is_the_same_order_until_it_is_read(world: World) -> None:
    await world.mine(10)
    rescan = await order(world, 1, 5)
    assert await order(world, 1, 5) == rescan
    assert (await order(world, 1, 6)).id != rescan.id
    await finish(world)
    assert (await order(world, 1, 5)).id != rescan.id


class OtherBranch(FakeChain):
    """An endpoint that is on another branch than the one that is watched."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.pay(RawAddress("0x" + "0b" * 20), 1)
        self.mine(blocks)


async def test_a_range_of_another_branch_is_not_written(world: World) -> None:
    payment = await world.create(100)
    await world.mine(100)
    rescan = await order(world, 1, 90)
    lying = OtherBranch(0)
    lying.pay(address(payment), 100)
    lying.mine(110)
    with pytest.raises(InconsistentChain, match="another branch"):
        await rescanner(world, client=lying).run_once()
    assert await next_of(world, rescan) == 1
    assert await world.told(payment) == ["created"]


class Torn(FakeChain):
    """An endpoint with a hole in each range, or with windows of two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.other: FakeChain | None = None
        self.holes = False

    async def blocks(self, first: BlockNumber, last: BlockNumber, **asked: Any) -> list[Block]:
        if self.other and first > 1:
            return await self.other.blocks(first, last, **asked)
        read = await super().blocks(first, last, **asked)
        return read[:3] + read[4:] if self.holes else read


@pytest.mark.parametrize("holes", [True, False])
async def test_a_range_that_does_not_hang_together_is_not_written(
    pool: Pool,
    holes: bool,  # noqa: FBT001  a case
) -> None:
    chain = Torn()
    world = await a_world(pool, chain)
    await world.mine(100)
    rescan = await order(world, 1, 90)
    chain.holes, chain.other = holes, None if holes else OtherBranch(110)
    with pytest.raises(InconsistentChain):
        await rescanner(world).run_once()
    assert await next_of(world, rescan) == (1 if holes else 33), "up to where it hangs together"
    chain.holes, chain.other = False, None
    await finish(world)
    assert await next_of(world, rescan) == 91


async def test_a_range_ends_in_the_block_that_the_watcher_knows(pool: Pool) -> None:
    chain = Torn()
    world = await a_world(pool, chain)
    await world.mine(10)
    rescan = await order(world, 2, 8)
    chain.other = OtherBranch(10)
    with pytest.raises(InconsistentChain):
        await rescanner(world).run_once()
    assert await next_of(world, rescan) == 2


async def test_passes_follow_each_other_by_hash(pool: Pool) -> None:
    """The chain between two passes is checked too, not only within one."""
    chain = Torn()
    world = await a_world(pool, chain)
    await world.mine(300)
    rescan = await order(world, 1, 290)
    reader = rescanner(world)
    assert await reader.run_once()
    at = await next_of(world, rescan)
    chain.other = OtherBranch(310)
    with pytest.raises(InconsistentChain):
        await reader.run_once()
    assert await next_of(world, rescan) == at


async def test_an_outage_keeps_the_windows_before_it(world: World) -> None:
    await world.mine(200)
    rescan = await order(world, 0, 198)
    await rescanner(world).run_once()
    at = await next_of(world, rescan)
    assert at == WINDOWS_AT_ONCE_MAX * BLOCKS_PER_WINDOW_MAX
    world.chain.is_down = True
    with pytest.raises(ChainOutage):
        await rescanner(world).run_once()
    assert await next_of(world, rescan) == at
    world.chain.is_down = False
    await finish(world)
    assert await next_of(world, rescan) == 199


class Measured(FakeChain):
    """An endpoint that takes its time, and counts the blocks that are asked for at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def blocks(self, first: BlockNumber, last: BlockNumber, **asked: Any) -> list[Block]:
        self.now += last - first + 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        read = await super().blocks(first, last, **asked)
        self.now -= last - first + 1
        return read


async def test_no_more_than_some_windows_are_held_at_once(pool: Pool) -> None:
    chain = Measured()
    world = await a_world(pool, chain)
    chain.mine(1_000)
    await world.watch()
    rescan = await order(world, 1, 990)
    chain.most = 0
    assert await finish(world) == 8
    assert chain.most == WINDOWS_AT_ONCE_MAX * BLOCKS_PER_WINDOW_MAX == 128
    assert await next_of(world, rescan) == 991


async def everything(world: World) -> list[Any]:
    queries = ("payments", "transfers", "events", "deliveries")
    return [await world.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in queries]


async def test_status_of_money_in_a_range_is_that_of_its_depth(world: World) -> None:
    first, _ = await with_hidden_money(world)
    await order(world, 1, 1)
    await finish(world)
    assert (await world.now(first)).status is Status.SETTLED
