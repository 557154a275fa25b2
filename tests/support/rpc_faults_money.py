"""Faults in the blocks themselves: blocks, receipts and logs that are missing or not true."""

from typing import Final

from tests.support.rpc_exchange import (
    BLOCK_METHODS,
    LOGS,
    RECEIPT,
    RECEIPT_METHODS,
    Exchange,
    Fault,
    Json,
    Outcome,
    Play,
    Sent,
    each,
    in_logs,
    in_results,
    number_of,
    refusing,
    with_error,
    with_result,
)
from tests.support.rpc_views import asks_height, asks_latest, invented

PRUNED_DEPTH: Final = 8  # blocks that a pruned node still has
OTHER_TOKEN: Final = "0x" + "0e" * 20
APPROVAL: Final = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
TRACES: Final = frozenset(
    {"debug_traceBlockByHash", "debug_traceBlockByNumber", "trace_block", "eth_getBlockReceipts"}
)


def null_block(call: Json, reply: Json) -> Json:
    named = call["method"] in BLOCK_METHODS and asks_height(call) is not None
    return with_result(reply, None) if named else reply


def null_receipt(call: Json, reply: Json) -> Json:
    return with_result(reply, None) if call["method"] in RECEIPT_METHODS else reply


def null_logs(call: Json, reply: Json) -> Json:
    return with_result(reply, None) if call["method"] == LOGS else reply


async def height_below(x: Exchange) -> Sent:
    """Answer with the block below the one that was asked for."""
    asked = [
        {**call, "params": [hex(height - 1), *call["params"][1:]]}
        if (height := asks_height(call))
        else call
        for call in x.calls
    ]
    await x.truth()
    return await x.node.forward(asked)


def other_parent(block: Json) -> Json:
    return {**block, "parentHash": invented(0)}


def without_transactions(block: Json) -> Json:
    return {**block, "transactions": []}


def hashes_only(block: Json) -> Json:
    listed = [tx["hash"] if isinstance(tx, dict) else tx for tx in block["transactions"]]
    return {**block, "transactions": listed}


def without_status(receipt: Json) -> Json:
    return {name: value for name, value in receipt.items() if name != "status"}


def in_full_blocks(change: "Play") -> Play:
    """Play only where whole blocks are asked for: heads and headers stay true."""

    async def play(x: Exchange) -> Sent:
        full = any(c["method"] in BLOCK_METHODS and c["params"][1] for c in x.calls)
        return await change(x) if full else None

    return play


def in_receipts(**fields: Json) -> Play:
    return in_results(frozenset({RECEIPT}), lambda receipt: {**receipt, **fields})


def in_all_logs(**fields: Json) -> Play:
    return in_logs(lambda log: {**log, **fields})


def no_logs(_: Json) -> Json:
    return []


def no_logs_nor_receipts(call: Json, reply: Json) -> Json:
    if call["method"] == "eth_getBlockReceipts":
        return with_error(reply, -32601, "the method eth_getBlockReceipts does not exist")
    return with_result(reply, []) if call["method"] == LOGS else reply


def all_but_the_last(logs: Json) -> Json:
    """Leave out the last log of each block."""
    last = {log["blockHash"]: log["logIndex"] for log in logs}
    return [log for log in logs if last[log["blockHash"]] != log["logIndex"]]


def twice(logs: Json) -> Json:
    return [log for log in logs for _ in range(2)]


async def shifted(x: Exchange) -> Sent:
    """Count the logs of a block from another number each time."""
    by = (1 + x.turn % 3) * 7

    def moved(log: Json) -> Json:
        return {**log, "logIndex": hex(int(log["logIndex"], 16) + by)}

    return await in_logs(moved)(x)


def later_transaction(log: Json) -> Json:
    return {**log, "transactionIndex": hex(int(log["transactionIndex"], 16) + 7)}


async def pruned(x: Exchange) -> Sent:
    return await forgetting(x, None)


async def pruned_with_words(x: Exchange) -> Sent:
    return await forgetting(x, (-32000, "header not found"))


async def forgetting(x: Exchange, words: tuple[int, str] | None) -> list[Json]:
    """Answer without the blocks that are too deep, and without what is in them."""
    lowest = await x.node.height() - PRUNED_DEPTH

    def answer(call: Json, reply: Json) -> Json:
        found = reply.get("result")
        logs = found if call["method"] == LOGS and found else []
        numbers = [n for thing in logs or [found] if (n := number_of(thing)) is not None]
        if asks_latest(call) or min(numbers, default=lowest) >= lowest:
            return reply
        return with_error(reply, *words) if words else with_result(reply, [] if logs else None)

    return [answer(c, r) for c, r in await x.pairs()]


WAITS: Final = (
    "The answer contradicts itself: it is counted, and another endpoint is asked. Alone, the block "
    "waits and the chain turns red."
)


def lie(name: str, happens: str, play: Play, *, alone: Outcome = Outcome.HELD) -> Fault:
    return Fault(name=name, happens=happens, answered=WAITS, play=play, alone=alone)


def log_lie(name: str, happens: str, **fields: Json) -> Fault:
    return lie(name, happens, in_all_logs(**fields))


BLOCK_FAULTS: Final = (
    lie("null block", "Blocks that are there are null.", each(null_block)),
    lie("block of another height", "Another block comes than the one asked for.", height_below),
    lie(
        "block with another parent",
        "A block does not name the one below it.",
        in_full_blocks(in_results(BLOCK_METHODS, other_parent)),
    ),
    lie(
        "transactions as hashes",
        "A whole block was asked for, and its transactions are only named.",
        in_full_blocks(in_results(BLOCK_METHODS, hashes_only)),
    ),
    Fault(
        name="transactions missing",
        happens="A block comes without its transactions.",
        answered="Balances and the second read at finality find what such a block hid.",
        play=in_full_blocks(in_results(BLOCK_METHODS, without_transactions)),
        alone=Outcome.LATER,
        beside=Outcome.LATER,
        behind=0,
    ),
    lie("null receipt", "A mined transaction has no receipt.", each(null_receipt)),
    lie(
        "receipt without status",
        "A receipt does not say whether the transaction succeeded.",
        in_results(frozenset({RECEIPT}), without_status),
    ),
    lie(
        "receipt naming another block",
        "A receipt is of a branch that is gone.",
        in_receipts(blockHash=invented(1)),
    ),
    lie(
        "receipt before its block",
        "A receipt names no block yet.",
        in_receipts(blockHash=None, blockNumber=None),
    ),
    lie(
        "receipt of another transaction",
        "A receipt is not the one asked for.",
        in_receipts(transactionHash=invented(2)),
    ),
    Fault(
        name="pruned block",
        happens="Old blocks are null and their logs empty.",
        answered=WAITS,
        play=pruned,
        behind=30,
    ),
    Fault(
        name="pruned block, said so",
        happens="Old blocks are refused: `header not found`.",
        answered=WAITS,
        play=pruned_with_words,
        behind=30,
    ),
)

LOG_FAULTS: Final = (
    lie(
        "empty logs",
        "A block whose bloom filter holds our token has no logs.",
        in_results(frozenset({LOGS}), no_logs),
    ),
    lie(
        "empty logs, and no receipts of blocks",
        "As before, and nothing else that the endpoint offers could tell.",
        each(no_logs_nor_receipts),
    ),
    Fault(
        name="logs dropped partly",
        happens="A block comes without one of its logs.",
        answered="The second read at finality finds it, at another endpoint where there is one.",
        play=in_results(frozenset({LOGS}), all_but_the_last),
        alone=Outcome.LATER,
        behind=0,
    ),
    lie("null logs", "Logs are null.", each(null_logs)),
    log_lie("log of another block", "A log names another block.", blockHash=invented(3)),
    lie("duplicate log", "A log comes twice.", in_results(frozenset({LOGS}), twice)),
    log_lie("removed log", "A log was removed from its block.", removed=True),
    log_lie("log of another contract", "A log was not asked for.", address=OTHER_TOKEN),
    lie(
        "log of another event",
        "A log has another topic than the one asked for.",
        in_logs(lambda log: {**log, "topics": [APPROVAL, *log["topics"][1:]]}),
    ),
    lie(
        "log with a wrong transaction position",
        "A log names another place in its block than its transaction has.",
        in_logs(later_transaction),
    ),
    Fault(
        name="log index shifted",
        happens="The logs of a block are counted from another number each time.",
        answered="A log index is no identity: the transfer is known by its transaction.",
        play=shifted,
        alone=Outcome.CREDITED,
    ),
    lie(
        "getLogs disabled",
        "Logs are never given: `limit exceeded` (BSC's official endpoints).",
        refusing(frozenset({LOGS}), -32005, "limit exceeded"),
    ),
    lie(
        "getLogs not found",
        "A router says that there is no such method, though there is.",
        refusing(frozenset({LOGS}), -32601, "the method eth_getLogs does not exist"),
    ),
    Fault(
        name="no traces",
        happens="Tracing is not offered.",
        answered="Balances at a final block stand in for traces.",
        play=refusing(TRACES, -32601, "the method does not exist/is not available"),
        alone=Outcome.CREDITED,
        forwarded=True,
    ),
)
