"""The newest block's logs, asked for in one batch with it: kept if they can only be its own."""

from collections.abc import AsyncIterator

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.core.blocks import Block
from ctrip.core.chains import Token
from ctrip.core.ids import Address, ChainName, RawAddress
from tests.chain.asking import a_chain, client_of, numbers, read_one
from tests.chain.lying_node import BLOCKS, CHAIN_ID, LOGS, TOKEN, Json, LyingNode, a_log, word
from tests.support.clock import FakeClock

BLOCK_SECONDS = 12  # of a_chain()
FIRST = 10
LISTED = Token(
    chain=ChainName("testnet"),
    chain_id=CHAIN_ID,
    contract=Address(TOKEN),
    symbol="TEST",
    decimals=6,
)


@pytest.fixture
async def chain(node: LyingNode, clock: FakeClock) -> AsyncIterator[RpcChain]:
    """A client that has come for a block and read it, so that the next comes whole."""
    chain = client_of(node, clock=clock, chain=a_chain(tokens=(LISTED,)))
    await follow(chain, node, clock, FIRST)
    node.asked.clear()
    node.calls.clear()
    yield chain
    await chain.close()


async def follow(chain: RpcChain, node: LyingNode, clock: FakeClock, tip: int) -> Block:
    """Come for a new block a block time after the last, and read it."""
    clock.move(seconds=BLOCK_SECONDS)
    node.height = tip
    await chain.head()
    return await read_one(chain, tip)


def by_hash(node: LyingNode) -> list[str]:
    """Return the blocks whose logs were asked for by their hash."""
    return [
        call["params"][0]["blockHash"]
        for call in node.calls
        if call["method"] == LOGS and "blockHash" in call["params"][0]
    ]


def of_newest(call: Json) -> bool:
    return bool(call["params"][0].get("fromBlock") == "latest")


async def test_a_block_and_its_logs_are_one_request(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    for tip in range(FIRST + 1, FIRST + 4):
        node.logs[node.blocks[tip]["hash"]] = [a_log(tip, amount=tip)]
        node.asked.clear()
        block = await follow(chain, node, clock, tip)
        assert [log.amount for log in block.logs] == [tip]
        assert [BLOCKS, LOGS] in node.asked
        assert not by_hash(node)


async def test_logs_of_another_block_are_not_taken_for_its_own(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    stale = [a_log(FIRST, amount=5)]
    node.alter(LOGS, lambda call, reply: {**reply, "result": stale} if of_newest(call) else reply)
    node.logs[node.blocks[tip]["hash"]] = [a_log(tip, amount=9)]
    block = await follow(chain, node, clock, tip)
    assert [log.amount for log in block.logs] == [9]
    assert by_hash(node) == [node.blocks[tip]["hash"]]
    assert chain.endpoints()[0].inconsistencies == 0, "it had not promised anything"


async def test_no_logs_are_no_answer_until_the_block_is_named(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    node.alter(LOGS, lambda call, reply: {**reply, "result": []} if of_newest(call) else reply)
    node.logs[node.blocks[tip]["hash"]] = [a_log(tip, amount=9)]
    block = await follow(chain, node, clock, tip)
    assert [log.amount for log in block.logs] == [9]


async def test_logs_that_cannot_be_true_are_no_better_for_coming_with_their_block(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    node.logs[node.blocks[tip]["hash"]] = [a_log(tip, removed=True)]
    with pytest.raises(InconsistentChain, match="a log was removed"):
        await follow(chain, node, clock, tip)


async def test_a_block_that_was_replaced_meanwhile_does_not_get_the_logs_of_the_one_before(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    tip = FIRST + 1
    clock.move(seconds=BLOCK_SECONDS)
    node.height = tip
    await chain.head()
    node.blocks[tip] = {**node.blocks[tip], "hash": word(0xF0), "transactions": []}
    node.logs[word(0xF0)] = []
    node.blocks[tip]["logsBloom"] = "0x" + "00" * 256
    await chain.head()
    block = await read_one(chain, tip)
    assert (block.header.hash, block.logs) == (word(0xF0), ())


async def test_logs_of_other_tokens_than_are_sought_are_not_taken_for_theirs(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    clock.move(seconds=BLOCK_SECONDS)
    node.height = FIRST + 1
    await chain.head()
    both = [RawAddress(TOKEN), RawAddress("0x" + "71" * 20)]
    [block] = await chain.blocks(*numbers(FIRST + 1, FIRST + 1), tokens=both)
    assert len(block.logs) == 1
    assert by_hash(node) == [block.header.hash]


async def test_a_node_that_refuses_the_question_is_asked_by_hash_from_then_on(
    chain: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    error = {"code": -32602, "message": "invalid params"}
    node.alter(
        LOGS,
        lambda call, reply: {"id": reply["id"], "error": error} if of_newest(call) else reply,
    )
    for tip in range(FIRST + 1, FIRST + 5):
        block = await follow(chain, node, clock, tip)
        assert len(block.logs) == 1
    assert sum(call["method"] == LOGS and of_newest(call) for call in node.calls) == 1
