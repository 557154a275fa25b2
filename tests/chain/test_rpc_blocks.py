"""Blocks, logs and receipts that cannot be true, cannot be read, or are no money."""

from collections.abc import Collection

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.core.ids import RawAddress
from tests.chain.asking import hashes, numbers, read, read_one
from tests.chain.lies import WRONG_FIELDS, wrong_field
from tests.chain.lying_node import (
    BLOCKS,
    LOGS,
    RECEIPTS,
    SHOP,
    TRANSFER,
    Json,
    LyingNode,
    a_log,
    a_transaction,
    block_hash,
    word,
)


@pytest.mark.parametrize(("name", "value"), WRONG_FIELDS)
async def test_a_field_that_cannot_be_read_is_an_outage(
    chain: RpcChain, node: LyingNode, name: str, value: str
) -> None:
    node.lie_about(BLOCKS, wrong_field(name, value))
    with pytest.raises(ChainOutage, match=r"^testnet: a "):
        await read(chain)


async def test_a_null_block_below_the_head_is_inconsistent(
    chain: RpcChain, node: LyingNode
) -> None:
    del node.blocks[4]
    with pytest.raises(InconsistentChain, match="a block that should be there is not"):
        await read(chain)
    with pytest.raises(InconsistentChain, match="missing below one that is there"):
        await chain.headers(numbers(3, 4, 5))


async def test_blocks_of_two_branches_are_inconsistent(chain: RpcChain, node: LyingNode) -> None:
    node.blocks[4]["hash"] = word(0xF0F0)
    with pytest.raises(InconsistentChain, match="not the child of the one below"):
        await read(chain)
    with pytest.raises(InconsistentChain, match="not the child of the one below"):
        await chain.headers(numbers(4, 5))
    assert len(await chain.headers(numbers(4, 6))) == 2  # with a gap nothing can be said


async def test_a_block_of_another_height_is_inconsistent(chain: RpcChain, node: LyingNode) -> None:
    node.blocks[4] = node.blocks[6]
    with pytest.raises(InconsistentChain, match="of another height"):
        await read_one(chain)


LOG_FAULTS = {
    "of another block": (a_log(4, blockHash=block_hash(5)), "of another block"),
    "removed": (a_log(4, removed=True), "was removed"),
    "of another contract": (a_log(4, address=SHOP), "of another contract"),
    "of another event": (a_log(4, topics=[word(1)] * 3), "another topic"),
    "without topics": (a_log(4, topics=[]), "another topic"),
}


@pytest.mark.parametrize("name", LOG_FAULTS)
async def test_a_log_that_cannot_be_true_is_inconsistent(
    chain: RpcChain, node: LyingNode, name: str
) -> None:
    log, words = LOG_FAULTS[name]
    node.logs[block_hash(4)] = [log]
    for ours in (None, to_shop):
        with pytest.raises(InconsistentChain, match=f"^testnet: .*{words}"):
            await read(chain, ours=ours)


async def test_two_logs_with_one_index_are_inconsistent(chain: RpcChain, node: LyingNode) -> None:
    node.logs[block_hash(4)] = [a_log(4), a_log(4, amount=8)]
    for ours in (None, to_shop):
        with pytest.raises(InconsistentChain, match="the same index"):
            await read(chain, ours=ours)


@pytest.mark.parametrize(
    "message", ["unknown block", "Block not found", "header not found", "does not have the block"]
)
async def test_logs_of_a_block_the_node_lost_are_inconsistent(
    chain: RpcChain, node: LyingNode, message: str
) -> None:
    error = {"code": -32000, "message": message}
    node.lie_about(LOGS, lambda rs: [{"id": r["id"], "error": error} for r in rs])
    with pytest.raises(InconsistentChain, match="lost a block while its logs were read"):
        await read(chain)


async def test_null_logs_are_inconsistent(chain: RpcChain, node: LyingNode) -> None:
    node.lie_about(LOGS, lambda replies: [{**reply, "result": None} for reply in replies])
    with pytest.raises(InconsistentChain):
        await read(chain)


async def test_refused_logs_are_an_outage(chain: RpcChain, node: LyingNode) -> None:
    error = {"code": -32005, "message": "limit exceeded"}
    node.lie_about(LOGS, lambda rs: [{"id": r["id"], "error": error} for r in rs])
    with pytest.raises(ChainOutage, match="eth_getLogs was refused, error -32005"):
        await read(chain)


@pytest.mark.parametrize(
    "log",
    [
        a_log(4, topics=[*a_log(4)["topics"], word(99)], data="0x"),
        a_log(4, topics=a_log(4)["topics"][:2]),
        a_log(4, topics=[TRANSFER]),
        a_log(4, data="0x"),
        a_log(4, data="0x07"),
        a_log(4, data=word(7) + "00"),
        a_log(4, data=word(7) * 2),
        a_log(4, data=word(0)),
        a_log(4, topics=[TRANSFER, word(2**255), word(1)]),
    ],
    ids=[
        "ERC-721",
        "2 topics",
        "1 topic",
        "no data",
        "short",
        "long",
        "twice",
        "zero",
        "no address",
    ],
)
async def test_what_only_resembles_a_transfer_is_left_out(
    chain: RpcChain, node: LyingNode, log: Json
) -> None:
    node.logs[block_hash(4)] = [log, a_log(4, amount=8, logIndex="0x1")]
    assert [log.amount for log in (await read_one(chain)).logs] == [8]


async def test_logs_are_put_into_the_order_of_the_block(chain: RpcChain, node: LyingNode) -> None:
    node.logs[block_hash(4)] = [a_log(4, n + 1, logIndex=hex(n)) for n in (11, 2, 9)]
    assert [log.log_index for log in (await read_one(chain)).logs] == [2, 9, 11]


SPELLED = {name: a_log(4)[name] for name in ("address", "transactionHash", "blockHash")}


async def test_hex_in_capitals_is_read(chain: RpcChain, node: LyingNode) -> None:
    honest = (await read_one(chain)).logs
    loud = {name: value.upper().replace("0X", "0x") for name, value in SPELLED.items()}
    topics = [topic.upper().replace("0X", "0x") for topic in a_log(4)["topics"]]
    node.logs[block_hash(4)] = [a_log(4, **loud, topics=topics)]
    assert (await read_one(chain)).logs == honest


async def to_shop(offered: Collection[RawAddress]) -> Collection[RawAddress]:
    return [address for address in offered if address == SHOP]


async def test_capitals_hide_no_address_of_ours(chain: RpcChain, node: LyingNode) -> None:
    loud = "0x" + SHOP[2:].upper()
    node.blocks[4]["transactions"] = [a_transaction(4, 5, to=loud)]
    topics = [topic.upper().replace("0X", "0x") for topic in a_log(4)["topics"]]
    node.logs[block_hash(4)] = [a_log(4, topics=topics)]
    [block] = await read(chain, 4, 4, ours=to_shop)
    assert [(call.recipient, call.amount) for call in block.calls] == [(SHOP, 5)]
    assert [(log.recipient, log.amount) for log in block.logs] == [(SHOP, 7)]


async def test_nobody_is_asked_about_an_address_that_is_none(
    chain: RpcChain, node: LyingNode
) -> None:
    node.blocks[4]["transactions"] = [a_transaction(4, 5, to="0x" + "\0" * 40)]
    with pytest.raises(ChainOutage, match="wrong shape"):
        await read(chain, 4, 4, ours=nobody)


async def nobody(offered: Collection[RawAddress]) -> Collection[RawAddress]:
    pytest.fail(f"asked about {offered}")


@pytest.mark.parametrize("fields", [{"value": "5"}, {"from": "0x5a"}, {"hash": "0x1"}])
async def test_a_payment_to_us_that_cannot_be_read_is_an_outage(
    chain: RpcChain, node: LyingNode, fields: Json
) -> None:
    node.blocks[4]["transactions"] = [a_transaction(4, 5, **fields)]
    node.logs[block_hash(4)] = []
    with pytest.raises(ChainOutage):
        await read(chain, 4, 4, ours=to_shop)


@pytest.mark.parametrize(("name", "value"), list(SPELLED.items()))
async def test_a_log_to_a_stranger_is_checked_too(
    chain: RpcChain, node: LyingNode, name: str, value: str
) -> None:
    stranger = [*a_log(4)["topics"][:2], word(0x5B)]
    node.logs[block_hash(4)] = [{**a_log(4, topics=stranger), name: value[:-1] + "e"}]
    with pytest.raises(InconsistentChain):
        await read(chain, 4, 4, ours=to_shop)


async def test_the_largest_amounts_are_exact(chain: RpcChain, node: LyingNode) -> None:
    largest = 2**256 - 1
    node.blocks[4]["transactions"] = [a_transaction(4, largest)]
    node.logs[block_hash(4)] = [a_log(4, largest)]
    block = await read_one(chain)
    assert [call.amount for call in block.calls] == [largest]
    assert [log.amount for log in block.logs] == [largest]


async def test_only_transactions_that_give_something_to_somebody_are_calls(
    chain: RpcChain, node: LyingNode
) -> None:
    node.blocks[4]["transactions"] = [
        a_transaction(1, 0),
        a_transaction(2, 0, value="0x00"),
        a_transaction(3, 5, to=None),
        {k: v for k, v in a_transaction(4, 5).items() if k != "to"},
        a_transaction(5, 5),
        a_transaction(6, 0, hash="a deposit of the rollup, with fields of its own", mint="0x1"),
    ]
    node.logs[block_hash(4)] = []
    assert [call.tx_hash for call in (await read_one(chain)).calls] == hashes(5)


@pytest.mark.parametrize(
    "fields", [{"value": "5"}, {"value": "0x" + "f" * 65}, {"to": "0x5a"}, {"hash": "0x1"}]
)
async def test_a_payment_that_cannot_be_read_is_an_outage(
    chain: RpcChain, node: LyingNode, fields: Json
) -> None:
    node.blocks[4]["transactions"] = [a_transaction(4, 5, **fields)]
    node.logs[block_hash(4)] = []
    with pytest.raises(ChainOutage):
        await read(chain)


async def test_a_null_receipt_is_inconsistent(chain: RpcChain) -> None:
    with pytest.raises(InconsistentChain, match="a receipt is missing"):
        await chain.receipts(hashes(3, 99))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"transactionHash": word(1)}, InconsistentChain),
        ({"blockHash": None}, InconsistentChain),
        ({"status": None}, ChainOutage),
        ({"status": "yes"}, ChainOutage),
        ({"blockHash": "0x"}, ChainOutage),
    ],
)
async def test_a_receipt_that_says_too_little_is_not_believed(
    chain: RpcChain, node: LyingNode, fields: Json, error: type[Exception]
) -> None:
    node.lie_about(RECEIPTS, lambda rs: [{**r, "result": {**r["result"], **fields}} for r in rs])
    with pytest.raises(error):
        await chain.receipts(hashes(3))


@pytest.mark.parametrize(("status", "succeeded"), [("0x1", True), ("0x0", False), ("0x2", False)])
async def test_only_status_one_is_success(
    chain: RpcChain, node: LyingNode, status: str, *, succeeded: bool
) -> None:
    node.lie_about(
        RECEIPTS, lambda rs: [{**r, "result": {**r["result"], "status": status}} for r in rs]
    )
    [receipt] = await chain.receipts(hashes(3))
    assert receipt.succeeded == succeeded
