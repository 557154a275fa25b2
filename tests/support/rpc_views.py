"""A chain as a node sees it that stands elsewhere: lower, higher, or on another branch.

A view is coherent: what the node has not got, no method of it knows. It answers as bsc and
bor do, where a range of logs beyond the head is empty and no error.
"""

from hashlib import sha256
from typing import Final

from tests.support.rpc_exchange import (
    BLOCK,
    BLOCK_METHODS,
    LOGS,
    TAGS,
    Exchange,
    Json,
    number_of,
    with_error,
    with_result,
)

HASH_ONLY: Final = "blockHash"


async def lower(x: Exchange, height: int) -> list[Json]:
    """Answer as a node does whose newest block is this one."""
    lag = x.node.finality_lag
    replies = await x.node.forward([at_height(call, height, lag) for call in x.calls])
    return [
        await without_what_is_above(x, call, reply, height)
        for call, reply in zip(x.calls, replies, strict=True)
    ]


def at_height(call: Json, height: int, finality_lag: int) -> Json:
    """Let the tags of a call mean what they mean to a node of this height."""
    meant = {
        "latest": height,
        "pending": height,
        "safe": height - finality_lag // 2,
        "finalized": height - finality_lag,
    }

    def resolved(param: Json) -> Json:
        if isinstance(param, str) and param in meant:
            return hex(max(0, meant[param]))
        if isinstance(param, dict) and "toBlock" in param:
            last = param["toBlock"]
            asked = meant[last] if last in meant else int(last, 16)
            return {**param, "toBlock": hex(max(int(param["fromBlock"], 16), min(asked, height)))}
        return param

    return {**call, "params": [resolved(param) for param in call["params"]]}


async def without_what_is_above(x: Exchange, call: Json, reply: Json, height: int) -> Json:
    if call["method"] == "eth_blockNumber":
        return with_result(reply, hex(height))
    if call["method"] == LOGS:
        return await logs_up_to(x, call, reply, height)
    if await pins_above(x, call, height):
        return with_error(reply, -32000, "header not found")
    result = reply.get("result")
    one = result[0] if isinstance(result, list) and result else result
    above = number_of(one)
    return with_result(reply, None) if above is not None and above > height else reply


async def logs_up_to(x: Exchange, call: Json, reply: Json, height: int) -> Json:
    [sought] = call["params"]
    if HASH_ONLY in sought:
        block = await x.node.block(sought[HASH_ONLY])
        known = block is not None and int(block["number"], 16) <= height
        return reply if known else with_error(reply, -32000, "unknown block")
    if int(sought["fromBlock"], 16) > height:
        return with_result(reply, [])
    return reply


async def pins_above(x: Exchange, call: Json, height: int) -> bool:
    """Tell whether a call asks for the state after a block that the node has not got."""
    if call["method"] in BLOCK_METHODS or not call["params"]:
        return False
    match call["params"][-1] if len(call["params"]) > 1 else None:
        case str(text) if text.startswith("0x") and len(text) < len("0x") + 40:
            return int(text, 16) > height
        case {"blockHash": block_hash}:
            block = await x.node.block(block_hash)
            return block is not None and int(block["number"], 16) > height
        case _:
            return False


async def on_twin(x: Exchange) -> list[Json]:
    """Answer as a node on the twin's branch; the twin itself asks ours for what it has not got."""
    assert x.twin is not None
    theirs = await x.twin.forward(x.calls)
    return [
        with_error(reply, -32000, "unknown block") if await is_ours_only(x, call) else reply
        for call, reply in zip(x.calls, theirs, strict=True)
    ]


async def is_ours_only(x: Exchange, call: Json) -> bool:
    """Tell whether a call names a block by a hash that the twin's branch has not got."""
    assert x.twin is not None
    named = [p[HASH_ONLY] for p in call["params"] if isinstance(p, dict) and HASH_ONLY in p]
    if call["method"] == "eth_getBlockByHash":
        named = call["params"][:1]
    block = await x.node.block(named[0]) if named else None
    if block is None:
        return False
    there = await x.twin.block(block["number"])
    return there is None or there["hash"] != block["hash"]


async def with_latest_at(x: Exchange, height: int) -> list[Json]:
    """Answer truly, but name a block of this height as the newest: nobody ever made it."""
    return [
        with_result(reply, moved(reply["result"], height)) if asks_latest(call) else reply
        for call, reply in await x.pairs()
    ]


def moved(result: Json, height: int) -> Json:
    if isinstance(result, str):  # of eth_blockNumber
        return hex(height)
    return {
        **result,
        "number": hex(height),
        "hash": invented(height),
        "parentHash": invented(height - 1),
        "transactions": [],
    }


def asks_latest(call: Json) -> bool:
    named = call["params"][:1] in (["latest"], ["pending"])
    return bool(call["method"] == "eth_blockNumber" or (call["method"] == BLOCK and named))


def asks_tag(call: Json, tag: str) -> bool:
    return bool(call["method"] == BLOCK and call["params"][:1] == [tag])


def asks_height(call: Json) -> int | None:
    """Return the height that a block is asked for by."""
    if call["method"] != BLOCK or call["params"][0] in TAGS:
        return None
    return int(call["params"][0], 16)


def invented(height: int) -> str:
    return "0x" + sha256(f"nobody mined block {height}".encode()).hexdigest()
