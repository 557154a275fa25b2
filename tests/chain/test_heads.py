"""Where the chain is, when its endpoints do not agree."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.heads import LOOK_POLLS, LOOK_SECONDS
from ctrip.chain.rpc import RpcChain
from ctrip.chain.tags import majority
from ctrip.core.chains import Chain
from ctrip.core.finality import Depth, Tag, Terms, Tier
from ctrip.core.ids import Amount, BlockNumber
from tests.chain.asking import a_chain, client_of, numbers, read
from tests.chain.lies import response
from tests.chain.lying_node import (
    BLOCKS,
    FINALIZED,
    HEIGHT,
    SAFE,
    LyingNode,
    lying_node,
    says,
    word,
)
from tests.support.clock import FakeClock

SLOW = 1_000.0  # seconds a block: nobody is behind by the age of its tip alone


@asynccontextmanager
async def some(
    *heights: int, clock: FakeClock | None = None, block_seconds: float = SLOW
) -> AsyncIterator[tuple[RpcChain, list[LyingNode]]]:
    """Yield a client of nodes that are at these heights."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(lying_node()) for _ in heights]
        for node, height in zip(nodes, heights, strict=True):
            node.height = height
        chain = client_of(*nodes, clock=clock, chain=a_chain(block_seconds=block_seconds))
        stack.push_async_callback(chain.close)
        yield chain, nodes


async def height(chain: RpcChain) -> int:
    return (await chain.head()).latest.number


@pytest.mark.parametrize(
    ("heights", "reached"),
    [([5], 5), ([5, 7], 5), ([7, 5], 5), ([5, 6, 9], 6), ([9, 9, 5], 9), ([4, 5, 6, 7], 5)],
)
def test_a_majority_has_reached_the_head(heights: list[int], reached: int) -> None:
    assert majority([BlockNumber(height) for height in heights]) == reached


@pytest.mark.parametrize(
    ("heights", "reached"),
    [((18, 20), 18), ((20, 18), 18), ((20, 19, 18), 19), ((18, 20, 20), 18), ((20, 3, 19), 19)],
)
async def test_the_head_is_one_that_a_majority_has(heights: tuple[int, ...], reached: int) -> None:
    async with some(*heights) as (chain, _):
        assert await height(chain) == reached


async def test_the_others_are_looked_at_now_and_then() -> None:
    clock = FakeClock()
    async with some(HEIGHT, HEIGHT, clock=clock) as (chain, [first, second]):
        for _ in range(LOOK_POLLS):
            await chain.head()
        asked = len(second.asked)
        assert asked == 2  # its chain id, and its tip
        assert len(first.asked) == 1 + LOOK_POLLS
        await chain.head()
        assert len(second.asked) == asked + 1
        clock.move(seconds=LOOK_SECONDS)
        await chain.head()
        assert len(second.asked) == asked + 2


async def test_a_look_finds_who_is_behind_and_reads_from_another() -> None:
    async with some(2, HEIGHT, block_seconds=1) as (chain, [first, _]):
        assert await height(chain) == HEIGHT  # the tip of the first is 18 seconds older
        assert [state.ok for state in chain.endpoints()] == [False, True]
        asked = len(first.asked)
        await read(chain)
        assert len(first.asked) == asked
        first.height = HEIGHT
        for _ in range(LOOK_POLLS):
            await chain.head()
        assert all(state.ok for state in chain.endpoints())


async def test_a_frozen_endpoint_is_left() -> None:
    async with some(10, 12) as (chain, [_, second]):
        seen = []
        for tip in range(12, HEIGHT):
            second.height = tip
            seen += [await height(chain) for _ in range(LOOK_POLLS)]
        assert seen[0] == 10
        assert seen[-1] == HEIGHT - 1
        assert seen == sorted(seen)


async def test_one_that_is_ten_thousand_blocks_off_is_on_another_chain() -> None:
    async with some(HEIGHT, HEIGHT, HEIGHT) as (chain, [first, *_]):
        await chain.head()
        far = {**first.blocks[HEIGHT], "number": hex(HEIGHT + 10_001)}
        first.alter(BLOCKS, lambda c, r: {**r, "result": far} if "latest" in c["params"] else r)
        assert await height(chain) == HEIGHT
        assert chain.endpoints()[0].why == "its head is 10001 blocks off: it is on another chain"


async def test_a_head_that_is_ten_thousand_blocks_back_is_an_outage() -> None:
    async with some(HEIGHT) as (chain, [node]):
        node.alter(BLOCKS, says({**node.blocks[HEIGHT], "number": hex(HEIGHT + 10_001)}))
        assert await height(chain) == HEIGHT + 10_001
        node.tell_the_truth()
        with pytest.raises(ChainOutage, match="its head is 10001 blocks back"):
            await chain.head()


async def test_a_head_far_above_the_last_one_must_be_there() -> None:
    async with some(HEIGHT) as (chain, [node]):
        await chain.head()
        high = {**node.blocks[HEIGHT], "number": hex(HEIGHT + 10_001)}
        node.alter(BLOCKS, lambda c, r: {**r, "result": high} if "latest" in c["params"] else r)
        with pytest.raises(InconsistentChain, match="not have a block that should be there"):
            await chain.head()
        node.tell_the_truth()
        assert await height(chain) == HEIGHT


async def test_the_head_does_not_go_back_with_a_node_that_falls_behind() -> None:
    async with some(HEIGHT) as (chain, [node]):
        for tip in (17, 18, HEIGHT):
            node.height = tip
            await chain.head()
        before = await chain.head()
        for tip in (HEIGHT - 1, 18, 17, 5):
            node.height = tip
            assert await chain.head() == before


async def test_the_head_goes_back_with_the_chain() -> None:
    async with some(17) as (chain, [node]):
        await chain.head()
        node.height = HEIGHT
        await chain.head()
        node.blocks[17] = {**node.blocks[17], "hash": word(0xF17)}
        node.blocks[18] = {**node.blocks[18], "parentHash": word(0xF17), "hash": word(0xF18)}
        node.height = 18
        head = await chain.head()
        assert (head.latest.number, head.latest.hash) == (18, word(0xF18))
        assert head.finalized == FINALIZED


@pytest.mark.parametrize("is_other_down", [False, True])
async def test_a_head_that_nobody_has_is_forgotten(*, is_other_down: bool) -> None:
    async with some(HEIGHT, HEIGHT) as (chain, [first, second]):
        await chain.head()
        if is_other_down:
            second.lie_about(BLOCKS, response(status=402))
        ahead = {**first.blocks[HEIGHT], "number": hex(HEIGHT + 2), "hash": word(0xA)}
        first.alter(BLOCKS, lambda c, r: {**r, "result": ahead} if "latest" in c["params"] else r)
        assert await height(chain) == HEIGHT + 2
        with pytest.raises(InconsistentChain):
            await chain.blocks(*numbers(HEIGHT + 1, HEIGHT + 2), tokens=[])
        if is_other_down:
            first.tell_the_truth()
        assert await height(chain) == HEIGHT


async def test_two_forks_stop_the_reading_until_they_agree() -> None:
    async with some(HEIGHT, HEIGHT) as (chain, [_, second]):
        true = second.blocks[HEIGHT]
        second.blocks[HEIGHT] = {**true, "hash": word(0xF0F0)}
        for _ in range(3):
            with pytest.raises(
                InconsistentChain,
                match=r"endpoint \d of 2 and testnet, endpoint \d of 2 show different blocks at he",
            ):
                await chain.head()
        second.blocks[HEIGHT] = true
        heads = [await ended(chain.head) for _ in range(LOOK_POLLS)]
        assert heads[-1] == HEIGHT


async def ended(ask: Callable[[], object]) -> int:
    try:
        return (await ask()).latest.number  # type: ignore[misc, no-any-return]
    except InconsistentChain:
        return -1


async def test_the_fork_of_a_minority_is_left() -> None:
    async with some(HEIGHT, HEIGHT, HEIGHT) as (chain, [first, second, _]):
        first.blocks[HEIGHT] = {**first.blocks[HEIGHT], "hash": word(0xF0F0)}
        assert (await chain.head()).latest.hash == second.blocks[HEIGHT]["hash"]
        assert "another block 20" in chain.endpoints()[0].why


async def test_nothing_is_final_above_the_block_on_which_endpoints_agreed() -> None:
    async with some(17, 17) as (chain, nodes):
        assert (await chain.head()).agreed == 17
        for node in nodes:
            node.height = HEIGHT
            node.finalized = {"result": node.blocks[19]}
        said = [await chain.head() for _ in range(LOOK_POLLS)]
        assert [head.latest.number for head in said] == [HEIGHT] * LOOK_POLLS
        assert [head.finalized for head in said] == [17] * (LOOK_POLLS - 1) + [19]
        assert [head.agreed for head in said] == [17] * (LOOK_POLLS - 1) + [HEIGHT]


async def test_an_only_endpoint_is_believed_on_what_is_final() -> None:
    async with some(17) as (chain, [node]):
        await chain.head()
        node.height = HEIGHT
        node.finalized = {"result": node.blocks[19]}
        head = await chain.head()
        assert (head.finalized, head.agreed) == (19, 0)


async def test_what_is_safe_is_agreed_on_at_once_where_it_confirms_payments() -> None:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(lying_node()) for _ in range(2)]
        by_tag = a_chain(confirmations=Depth(tag=Tag.SAFE), block_seconds=SLOW)
        chain = client_of(*nodes, chain=by_tag)
        stack.push_async_callback(chain.close)
        for node in nodes:
            node.height = SAFE
        assert (await chain.head()).safe == SAFE
        for node in nodes:
            node.height = HEIGHT
            node.safe = {"result": node.blocks[19]}
        assert (await chain.head()).safe == 19


async def test_the_tags_never_fall(chain: RpcChain, node: LyingNode) -> None:
    await chain.head()
    node.finalized = {"result": node.blocks[9]}
    assert (await chain.head()).finalized == FINALIZED


@pytest.mark.parametrize(
    "served",
    [
        a_chain(confirmations=Depth(tag=Tag.SAFE)),
        a_chain(coin_terms=Terms(tiers=(Tier(below=Amount(5), depth=Depth(tag=Tag.SAFE)),))),
    ],
)
async def test_the_safe_block_is_asked_for_where_something_is_confirmed_by_it(
    node: LyingNode, served: Chain
) -> None:
    chain = client_of(node, chain=served)
    head = await chain.head()
    assert (head.finalized, head.safe) == (FINALIZED, SAFE)
    await chain.close()


async def test_elsewhere_the_final_block_is_the_safe_one(chain: RpcChain, node: LyingNode) -> None:
    head = await chain.head()
    assert head.safe == head.finalized == FINALIZED
    assert node.asked[-1] == [BLOCKS, BLOCKS]


async def test_a_tag_that_is_unknown_is_not_asked_for_each_time(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    node.finalized = {"error": {"code": -39001, "message": "Unknown block"}}
    await chain.head()
    await chain.head()
    assert node.asked[-1] == [BLOCKS]
    clock.move(hours=1)
    await chain.head()
    assert node.asked[-1] == [BLOCKS, BLOCKS]


async def test_an_endpoint_that_is_down_has_no_vote() -> None:
    async with some(HEIGHT, 18, 19) as (chain, [_, second, _]):
        second.lie_about("eth_chainId", response(status=503))
        assert await height(chain) == 19
