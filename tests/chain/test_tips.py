"""What one endpoint is asked for its tip: no more than may be new."""

from typing import Any

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.chain.rpc import RpcChain
from ctrip.chain.tips import TAG_BLOCKS
from ctrip.core.finality import Depth, Tag
from ctrip.core.ids import Amount
from tests.chain.asking import a_chain, client_of, numbers, read_one
from tests.chain.lying_node import BLOCKS, FINALIZED, HEIGHT, LOGS, SAFE, LyingNode, word
from tests.support.clock import FakeClock

BLOCK_SECONDS = 12  # of a_chain()
FIRST = 10


def asked_of(node: LyingNode) -> list[tuple[str, list[Any]]]:
    """Return the calls since the last time, and forget them."""
    calls = [(call["method"], call["params"]) for call in node.calls]
    node.calls.clear()
    return calls


async def follow(chain: RpcChain, node: LyingNode, clock: FakeClock, tip: int) -> list[int]:
    """Come for a new block a block time after the last, and read it; return what it pays."""
    clock.move(seconds=BLOCK_SECONDS)
    node.height = tip
    head = await chain.head()
    assert head.latest.number == tip
    block = await read_one(chain, tip)
    assert block.header == head.latest
    return [call.amount for call in block.calls]


WHOLE = (BLOCKS, ["latest", True])
HEADER = (BLOCKS, ["latest", False])
FINAL = (BLOCKS, ["finalized", False])


def but_final(asked: list[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Return calls without those for what is final."""
    return [call for call in asked if call != FINAL]


def methods(asked: list[tuple[str, list[Any]]]) -> list[str]:
    return [method for method, _ in asked]


async def test_a_block_that_is_read_in_any_case_comes_with_the_head(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    asked_of(node)
    for tip in range(FIRST + 1, FIRST + 5):
        assert await follow(chain, node, clock, tip) == [tip], "the same money"
        asked = but_final(asked_of(node))
        assert asked[0] == WHOLE
        assert methods(asked) == [BLOCKS, LOGS]


async def test_who_looks_again_before_a_block_can_have_come_is_told_of_the_head_only(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    asked_of(node)
    clock.move(seconds=BLOCK_SECONDS / 3)
    await chain.head()
    assert but_final(asked_of(node)) == [HEADER]


async def test_a_block_that_is_late_is_asked_for_whole_once_more(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    asked_of(node)
    clock.move(seconds=BLOCK_SECONDS)
    for _ in range(3):
        await chain.head()
        clock.move(seconds=1)
    assert but_final(asked_of(node)) == [WHOLE, WHOLE, HEADER]


async def test_a_chain_that_stands_still_shows_its_last_block_no_more_than_twice(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    asked_of(node)
    for _ in range(6):
        clock.move(seconds=BLOCK_SECONDS)
        await chain.head()
    assert asked_of(node).count(WHOLE) == 2


async def test_what_nobody_reads_is_not_asked_for_whole(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    for tip in (FIRST + 1, FIRST + 2, FIRST + 3):
        asked_of(node)
        clock.move(seconds=BLOCK_SECONDS)
        node.height = tip
        await chain.head()
    assert HEADER in asked_of(node)


async def test_a_block_that_is_too_large_to_come_with_the_head_does_not_hide_it(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    error = {"code": -32008, "message": "backend response too large"}
    node.alter(
        BLOCKS,
        lambda call, reply: (
            {"id": reply["id"], "error": error} if call["params"] == ["latest", True] else reply
        ),
    )
    assert await follow(chain, node, clock, FIRST + 1) == [FIRST + 1]


async def test_a_block_that_is_replaced_while_it_is_read_is_read_again(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    await follow(chain, node, clock, FIRST)
    clock.move(seconds=BLOCK_SECONDS)
    node.height = tip
    head = await chain.head()
    gone = node.blocks[tip]["hash"]
    node.blocks[tip] = {**node.blocks[tip], "hash": word(0xF0), "transactions": []}
    node.logs[word(0xF0)] = []
    node.blocks[tip]["logsBloom"] = "0x" + "00" * 256
    del node.logs[gone]
    block = await read_one(chain, tip)
    assert head.latest.hash == gone
    assert (block.header.hash, block.calls) == (word(0xF0), ())


async def test_a_block_that_came_with_an_earlier_head_is_not_taken_for_the_one_asked_for(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    await follow(chain, node, clock, FIRST)
    clock.move(seconds=BLOCK_SECONDS)
    node.height = tip
    await chain.head()
    assert WHOLE in asked_of(node)
    node.blocks[tip] = {**node.blocks[tip], "hash": word(0xF0), "transactions": []}
    await chain.head()
    [block] = await chain.blocks(*numbers(tip, tip), tokens=[])
    assert (block.header.hash, block.calls) == (word(0xF0), ())


async def test_a_block_at_hand_is_no_word_of_another_endpoint(
    pair: RpcChain, node: LyingNode, other: LyingNode, clock: FakeClock
) -> None:
    for tip in (FIRST, FIRST + 1):
        other.height = tip
        await follow(pair, node, clock, tip)
    clock.move(seconds=BLOCK_SECONDS)
    node.height = other.height = FIRST + 2
    await pair.head()
    node.refuse(LOGS, -32011, "no backend is currently healthy to serve traffic")
    asked_of(other)
    await read_one(pair, FIRST + 2)
    assert (BLOCKS, [hex(FIRST + 2), True]) in asked_of(other)


async def test_several_blocks_are_read_as_ever(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    clock.move(seconds=3 * BLOCK_SECONDS)
    node.height = FIRST + 3
    await chain.head()
    asked_of(node)
    blocks = await chain.blocks(*numbers(FIRST + 1, FIRST + 3), tokens=[])
    assert [block.calls[0].amount for block in blocks] == [Amount(n) for n in (11, 12, 13)]
    assert [params[0] for _, params in asked_of(node)] == [hex(FIRST + 1), hex(FIRST + 2)]


# What is final


async def asked_at(
    chain: RpcChain, node: LyingNode, clock: FakeClock, tips: range, *, seconds: float
) -> list[int]:
    """Return the tips at which was asked for what is final."""
    asked = []
    for tip in tips:
        node.height = tip
        await chain.head()
        if FINAL in asked_of(node):
            asked.append(tip)
        clock.move(seconds=seconds)
    return asked


@pytest.mark.parametrize("seconds", [0, BLOCK_SECONDS])
async def test_what_is_final_is_asked_for_more_seldom_while_it_does_not_move(
    chain: RpcChain, node: LyingNode, clock: FakeClock, seconds: float
) -> None:
    node.finalized = {"result": node.blocks[0]}
    asked = await asked_at(chain, node, clock, range(1, HEIGHT), seconds=seconds)
    assert asked[:3] == [1, 2, 3]
    assert len(asked) <= 2 + len(TAG_BLOCKS)
    node.finalized = {"result": node.blocks[5]}
    node.height = HEIGHT
    clock.move(seconds=TAG_BLOCKS[-1] * BLOCK_SECONDS)
    assert (await chain.head()).finalized == 5
    asked_of(node)
    await chain.head()
    assert FINAL in asked_of(node), "it may move again"


async def test_what_is_final_is_known_between_two_questions(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    node.finalized = {"result": node.blocks[1]}
    await asked_at(chain, node, clock, range(1, HEIGHT - 4), seconds=0)
    node.height = HEIGHT - 4
    asked_of(node)
    assert (await chain.head()).finalized == 1, "no depth stands in for it"
    assert FINAL not in asked_of(node)


async def test_where_every_block_becomes_final_with_the_next_it_is_asked_for_each_time(
    chain: RpcChain, node: LyingNode
) -> None:
    for tip in range(1, HEIGHT):
        node.height = tip
        node.finalized = {"result": node.blocks[tip - 1]}
        assert (await chain.head()).finalized == tip - 1


async def test_a_block_that_comes_with_the_head_does_not_keep_what_is_final_away(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    for tip in range(1, HEIGHT):
        node.finalized = {"result": node.blocks[tip - 1]}
        await follow(chain, node, clock, tip)
    node.height = HEIGHT
    clock.move(seconds=BLOCK_SECONDS)
    node.finalized = {"result": node.blocks[HEIGHT - 1]}
    asked_of(node)
    assert (await chain.head()).finalized == HEIGHT - 1
    assert asked_of(node) == [WHOLE, FINAL]


@pytest.mark.parametrize("tag", list(Tag))
async def test_each_time_where_payments_are_confirmed_by_it(node: LyingNode, tag: Tag) -> None:
    chain = client_of(node, chain=a_chain(confirmations=Depth(tag=tag)))
    for node.height in range(HEIGHT - 6, HEIGHT + 1):
        await chain.head()
    node.safe = {"result": node.blocks[SAFE + 1]}
    node.finalized = {"result": node.blocks[FINALIZED + 1]}
    head = await chain.head()
    await chain.close()
    assert (head.finalized, head.safe) == (FINALIZED + 1, SAFE + 1 if tag is Tag.SAFE else 16)


async def test_a_depth_that_stands_in_goes_on_with_every_block(
    chain: RpcChain, node: LyingNode
) -> None:
    node.finalized = {"result": None}
    finals = []
    for tip in (HEIGHT - 2, HEIGHT - 1, HEIGHT):
        node.height = tip
        finals.append((await chain.head()).finalized)
    assert finals == [6, 7, 8]


async def test_a_node_without_a_newest_block_is_an_outage(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    await follow(chain, node, clock, FIRST)
    clock.move(seconds=BLOCK_SECONDS)
    node.alter(BLOCKS, lambda _, reply: {**reply, "result": None})
    with pytest.raises(ChainOutage, match="the node has no latest block"):
        await chain.head()
