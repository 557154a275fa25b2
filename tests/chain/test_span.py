"""The logs of a range: one batch, checked, and cut where an endpoint takes less."""

from collections.abc import Collection
from typing import Any

import pytest

from ctrip.chain import spans
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.chain.transfers import EIP7708_COIN, LOG_TRANSFER, POLYGON_COIN
from ctrip.core.chains import NativeSource
from ctrip.core.ids import RawAddress
from tests.chain.asking import a_chain, client_of, numbers, read_span
from tests.chain.lies import response
from tests.chain.lying_node import (
    BLOCKS,
    HEIGHT,
    LOGS,
    PAYER,
    SHOP,
    TOKEN,
    TRANSFER,
    Json,
    LyingNode,
    a_log,
    block_hash,
    word,
)

RANGE = {"code": -32000, "message": "block range is too wide"}


async def all_ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
    return offered


def limit(node: LyingNode, blocks: int, error: Json = None) -> None:
    """Let a node refuse the logs of more blocks than this."""

    def limited(call: Json, reply: Json) -> Json:
        [sought] = call["params"]
        width = int(sought["toBlock"], 16) - int(sought["fromBlock"], 16) + 1
        return {"id": reply["id"], "error": error or RANGE} if width > blocks else reply

    node.alter(LOGS, limited)


def padded(address: str) -> str:
    return f"0x{address.removeprefix('0x'):0>64}"


async def heights(chain: RpcChain, above: int, last: int) -> list[int]:
    return [log.block_number for log in (await read_span(chain, above, last)).logs]


async def test_a_range_is_one_batch_of_three(chain: RpcChain, node: LyingNode) -> None:
    span = await read_span(chain, 2, 5)
    assert node.asked == [["eth_chainId"], [BLOCKS, BLOCKS, LOGS]]
    assert [(log.block_number, log.amount) for log in span.logs] == [(3, 7), (4, 7), (5, 7)]
    assert [log.block_hash for log in span.logs] == [block_hash(n) for n in (3, 4, 5)]
    assert (span.anchor.hash, span.last.hash) == (block_hash(2), block_hash(5))


async def test_a_log_to_us_must_be_of_a_block_that_is_there(
    pair: RpcChain, node: LyingNode
) -> None:
    node.logs[block_hash(4)] = [a_log(4, blockHash=word(0xBAD))]
    tokens = [RawAddress(TOKEN)]
    said = await pair.span(*numbers(2, 6), tokens=tokens)
    assert word(0xBAD) in [log.block_hash for log in said.logs], "it is not known to be of us"
    said = await pair.span(*numbers(2, 6), tokens=tokens, ours=all_ours)
    assert [log.block_hash for log in said.logs] == [block_hash(n) for n in range(3, 7)]
    assert "another block than the one that is there" in pair.endpoints()[0].why


async def test_without_tokens_only_the_ends_are_asked_for(chain: RpcChain, node: LyingNode) -> None:
    span = await chain.span(*numbers(2, 5), tokens=[])
    assert node.asked[1:] == [[BLOCKS, BLOCKS]]
    assert (span.last.number, span.logs) == (5, ())


async def test_no_blocks_have_no_logs(chain: RpcChain) -> None:
    span = await read_span(chain, 5, 5)
    assert (span.anchor, span.logs) == (span.last, ())


async def test_a_range_that_is_too_wide_is_cut_and_the_width_remembered(
    chain: RpcChain, node: LyingNode
) -> None:
    limit(node, 3)
    assert await heights(chain, 0, HEIGHT) == list(range(1, HEIGHT + 1))
    asked = len(node.calls)
    assert await heights(chain, 0, 6) == list(range(1, 7))
    assert [call["method"] for call in node.calls[asked:]].count(LOGS) in (2, 3, 4)


async def test_a_suggestion_is_followed_in_width_only(chain: RpcChain, node: LyingNode) -> None:
    error = {
        "code": -32602,
        "message": "Log response size exceeded. this block range should work: [0x64, 0x66]",
    }
    limit(node, 3, error)
    assert await heights(chain, 0, 9) == list(range(1, 10))
    firsts = [
        int(call["params"][0]["fromBlock"], 16) for call in node.calls if call["method"] == LOGS
    ]
    assert firsts == [1, 1, 4, 7]


async def test_a_range_that_is_refused_by_status_is_cut(chain: RpcChain, node: LyingNode) -> None:
    refused = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Max range: 4"}}'

    def limited(replies: list[Json]) -> Any:
        last = node.calls[-1]["params"][0]
        wide = int(last["toBlock"], 16) - int(last["fromBlock"], 16) >= 4
        return response(status=400, text=refused)(replies) if wide else replies

    node.lie_about(BLOCKS, limited)
    assert await heights(chain, 0, 9) == list(range(1, 10))


async def test_one_block_that_is_too_much_is_an_outage(chain: RpcChain, node: LyingNode) -> None:
    limit(node, 0)
    with pytest.raises(ChainOutage, match="eth_getLogs was refused, error -32000"):
        await read_span(chain, 3, 4)


async def test_many_contracts_are_asked_for_in_parts(chain: RpcChain, node: LyingNode) -> None:
    def limited(call: Json, reply: Json) -> Json:
        many = len(call["params"][0]["address"]) > 2
        error = {"code": -32602, "message": "exceed max addresses or topics per search position"}
        ours = TOKEN in call["params"][0]["address"]
        shown = {**reply, "result": reply["result"] if ours else []}
        return {"id": reply["id"], "error": error} if many else shown

    node.alter(LOGS, limited)
    tokens = [RawAddress(TOKEN), *(RawAddress(f"0x{n:040x}") for n in range(4))]
    span = await chain.span(*numbers(2, 5), tokens=tokens)
    assert [log.block_number for log in span.logs] == [3, 4, 5]
    blocks = await chain.blocks(*numbers(3, 5), tokens=tokens)
    assert [log.block_number for block in blocks for log in block.logs] == [3, 4, 5]


async def test_a_node_that_lags_is_not_believed(chain: RpcChain, node: LyingNode) -> None:
    node.height = 4
    with pytest.raises(InconsistentChain, match="a block that should be there is not"):
        await read_span(chain, 2, 5)


async def test_a_node_that_says_that_it_lags_is_not_believed(
    chain: RpcChain, node: LyingNode
) -> None:
    node.refuse(LOGS, -32602, "block range extends beyond current head block")
    with pytest.raises(InconsistentChain, match="does not have the newest blocks"):
        await read_span(chain, 2, 5)


async def test_a_reorg_between_two_batches_is_noticed_and_all_is_read_again(
    chain: RpcChain, node: LyingNode
) -> None:
    limit(node, 1)

    def fork(replies: list[Json]) -> list[Json]:
        node.blocks[9] = {**node.blocks[9], "hash": word(0xF0F0)}
        return replies

    node.lie_about(LOGS, fork)
    span = await read_span(chain, 0, 9)
    assert span.last.hash == word(0xF0F0)
    assert [log.block_number for log in span.logs] == list(range(1, 9))
    assert chain.endpoints()[0].inconsistencies == 1


LOG_FAULTS = {
    "below the range": (a_log(2), "of another block"),
    "above the range": (a_log(6), "of another block"),
    "of another last block": (a_log(5, blockHash=word(0xBAD)), "of another block"),
    "removed": (a_log(4, removed=True), "was removed"),
    "of another contract": (a_log(4, address=SHOP, logIndex="0x1"), "of another contract"),
    "of another event": (a_log(4, topics=[word(1)] * 3, logIndex="0x1"), "another topic"),
    "twice": (a_log(4), "the same index"),
    "of another branch in the middle": (
        a_log(4, logIndex="0x1", blockHash=word(0xBAD)),
        "name different blocks",
    ),
    "before its transaction": (
        a_log(4, logIndex="0x1", transactionIndex="0x0", transactionHash=word(1)),
        "another transaction than its position",
    ),
}


@pytest.mark.parametrize("name", LOG_FAULTS)
async def test_a_log_that_cannot_be_true_is_inconsistent(
    chain: RpcChain, node: LyingNode, name: str
) -> None:
    log, words = LOG_FAULTS[name]
    logs = [a_log(3), a_log(4), log] if name != "of another last block" else [a_log(3), log]
    node.alter(LOGS, lambda _, reply: {**reply, "result": logs})
    with pytest.raises(InconsistentChain, match=words):
        await read_span(chain, 2, 5)


async def test_logs_out_of_the_order_of_transactions_are_inconsistent(
    chain: RpcChain, node: LyingNode
) -> None:
    first = a_log(4, logIndex="0x0", transactionIndex="0x5", transactionHash=word(1))
    then = a_log(4, logIndex="0x1", transactionIndex="0x4", transactionHash=word(2))
    node.alter(LOGS, lambda _, reply: {**reply, "result": [first, then]})
    with pytest.raises(InconsistentChain, match="before one of an earlier transaction"):
        await read_span(chain, 2, 5)


async def test_logs_come_in_the_order_of_the_chain(chain: RpcChain, node: LyingNode) -> None:
    node.alter(LOGS, lambda _, reply: {**reply, "result": reply["result"][::-1]})
    assert await heights(chain, 2, 5) == [3, 4, 5]


async def test_no_more_ranges_than_a_few_are_asked_for_at_once(
    chain: RpcChain, node: LyingNode
) -> None:
    limit(node, 1)
    await read_span(chain, 0, HEIGHT)
    await read_span(chain, 0, HEIGHT)
    assert max(batch.count(LOGS) for batch in node.asked) <= spans.RANGES_PER_BATCH_MAX


def polygon_log(
    number: int, index: int, amount: int, to: str = SHOP, address: str = POLYGON_COIN
) -> Json:
    topics = [LOG_TRANSFER, padded(POLYGON_COIN), padded(PAYER), padded(to)]
    data = "0x" + "".join(word(n)[2:] for n in (amount, 90, 91, 92, 93))
    return a_log(number, address=address, topics=topics, data=data, logIndex=hex(index))


def eip7708_log(number: int, index: int, amount: int, to: str = SHOP) -> Json:
    topics = [TRANSFER, padded(PAYER), padded(to)]
    return a_log(number, amount, logIndex=hex(index), address=EIP7708_COIN, topics=topics)


@pytest.mark.parametrize(
    ("native", "log", "contract"),
    [
        (NativeSource.POLYGON, polygon_log, POLYGON_COIN),
        (NativeSource.EIP7708, eip7708_log, EIP7708_COIN),
    ],
)
async def test_a_chain_that_logs_its_coin_shows_moves_and_no_calls(
    node: LyingNode, native: NativeSource, log: Any, contract: str
) -> None:
    chain = client_of(node, chain=a_chain(native=native))
    node.logs[block_hash(4)] = [
        a_log(4),
        log(4, 1, 100),
        log(4, 2, 200),
        log(4, 3, 300, to=TOKEN),
        log(4, 4, 0),
        log(4, 5, 5, to=PAYER),
    ]
    tokens = [RawAddress(TOKEN)]
    [block] = await chain.blocks(*numbers(4, 4), tokens=tokens)
    assert block.calls == ()
    assert [log.amount for log in block.logs] == [7]
    assert [(m.recipient, m.amount, m.ordinal, m.log_index) for m in block.moves] == [
        (SHOP, 100, 0, 1),
        (SHOP, 200, 1, 2),
        (TOKEN, 300, 0, 3),
    ]
    span = await chain.span(*numbers(3, 5), tokens=tokens)
    assert tuple(placed.move for placed in span.moves) == block.moves
    assert {placed.block_hash for placed in span.moves} == {block_hash(4)}
    assert len(span.logs) == 2
    asked = [call["params"][0] for call in node.calls if call["method"] == LOGS]
    assert all(sought["address"] == sorted([TOKEN, contract]) for sought in asked)
    full = [call["params"][1] for call in node.calls if call["method"] == BLOCKS]
    assert not any(full)
    await chain.close()


@pytest.mark.parametrize("log", [polygon_log(4, 1, 100), eip7708_log(4, 1, 100)])
async def test_elsewhere_such_a_log_is_never_money(
    chain: RpcChain, node: LyingNode, log: Json
) -> None:
    node.logs[block_hash(4)] = [log]
    with pytest.raises(InconsistentChain, match="of another contract than those asked for"):
        await read_span(chain, 3, 4)


async def test_a_token_that_logs_as_the_coin_does_is_not_the_coin(node: LyingNode) -> None:
    chain = client_of(node, chain=a_chain(native=NativeSource.POLYGON))
    node.logs[block_hash(4)] = [polygon_log(4, 0, 100, address=TOKEN)]
    span = await read_span(chain, 3, 4)
    assert (span.logs, span.moves) == ((), ())
    await chain.close()
