"""Balances and traces, from endpoints that lack one or the other."""

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.core.blocks import Holding
from ctrip.core.ids import NATIVE, Asset, RawAddress
from tests.chain.asking import numbers
from tests.chain.lying_node import BLOCKS, SHOP, TOKEN, LyingNode, word


async def test_traces_come_from_whoever_has_them(pair: RpcChain, node: LyingNode) -> None:
    [at] = await pair.headers(numbers(4))
    assert await pair.moves(at) is None
    node.alter("debug_traceBlockByHash", lambda _, reply: {"id": reply["id"], "result": []})
    assert await pair.moves(at) is None  # it is asked again after a while, not at once


async def test_the_second_endpoint_may_be_the_one_that_traces(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    other.alter("debug_traceBlockByHash", lambda _, reply: {"id": reply["id"], "result": []})
    [at] = await pair.headers(numbers(4))
    assert await pair.moves(at) == []
    asked = len(node.asked)
    assert await pair.moves(at) == []
    assert len(node.asked) == asked
    await pair.headers(numbers(4))
    assert len(node.asked) == asked + 1  # and is not read from for that


async def test_balances_are_asked_one_by_one_where_the_one_call_is_refused(
    chain: RpcChain, node: LyingNode
) -> None:
    def held(call: dict[str, list[dict[str, str]]], reply: dict[str, object]) -> object:
        if "to" in call["params"][0]:
            return {"id": reply["id"], "result": word(9)}
        return {"id": reply["id"], "error": {"code": -32602, "message": "missing value for to"}}

    node.alter("eth_call", held)
    node.alter("eth_getBalance", lambda _, reply: {"id": reply["id"], "result": "0x5"})
    [at] = await chain.headers(numbers(4))
    asked = [Holding(NATIVE, RawAddress(SHOP)), Holding(Asset(TOKEN), RawAddress(SHOP))]
    assert await chain.holdings(at, asked) == [5, 9]
    seen = len(node.calls)
    assert await chain.holdings(at, asked) == [5, 9]
    assert [call["method"] for call in node.calls[seen:]] == ["eth_getBalance", "eth_call"]


async def test_balances_by_number_name_the_block_in_the_same_batch(
    chain: RpcChain, node: LyingNode
) -> None:
    def by_number(call: dict[str, list[object]], reply: dict[str, object]) -> object:
        if isinstance(call["params"][-1], dict):
            return {"id": reply["id"], "error": {"code": -32602, "message": "invalid argument 1"}}
        return {"id": reply["id"], "result": "0x00" + word(5)[2:]}

    node.alter("eth_call", by_number)
    [at] = await chain.headers(numbers(4))
    asked = [Holding(NATIVE, RawAddress(SHOP))]
    assert await chain.holdings(at, asked) == [5]
    assert node.asked[-1] == [BLOCKS, "eth_call"]
    node.blocks[4] = {**node.blocks[4], "hash": word(0xF0F0)}
    with pytest.raises(InconsistentChain, match="does not have the block whose state"):
        await chain.holdings(at, asked)


async def test_a_node_without_the_state_is_an_outage(chain: RpcChain, node: LyingNode) -> None:
    node.refuse("eth_call", -32000, "missing trie node 0 (path ) state is not available")
    [at] = await chain.headers(numbers(4))
    with pytest.raises(ChainOutage, match="eth_call was refused"):
        await chain.holdings(at, [Holding(NATIVE, RawAddress(SHOP))])
