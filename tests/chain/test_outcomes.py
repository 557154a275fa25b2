"""What endpoints say became of a transaction, and how much of that is believed."""

from collections.abc import Callable

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.outcomes import BY_HASH
from ctrip.chain.rpc import RpcChain
from ctrip.core.ids import TxHash
from ctrip.core.outgoing import Outcome
from tests.chain.asking import hashes
from tests.chain.lying_node import HEIGHT, Json, LyingNode, word

RECEIPT = "eth_getTransactionReceipt"
[HASH] = hashes(4)
GAS, GAS_PRICE = 50_000, 7


def mined(node: LyingNode, **fields: object) -> None:
    """Let a node have a receipt of HASH with what it cost, and these fields."""
    cost = {"gasUsed": hex(GAS), "effectiveGasPrice": hex(GAS_PRICE)}
    changed(node, RECEIPT, {**cost, **fields})


def changed(node: LyingNode, method: str, fields: dict[str, object]) -> None:
    def change(_: Json, reply: Json) -> Json:
        return {**reply, "result": {**reply["result"], **fields}} if reply["result"] else reply

    node.alter(method, change)


def knows_nothing(node: LyingNode) -> None:
    for method in (RECEIPT, BY_HASH):
        node.alter(method, lambda _, reply: {**reply, "result": None})


async def outcome(chain: RpcChain, tx_hash: TxHash = HASH) -> Outcome:
    [outcome] = await chain.transactor().outcomes([tx_hash])
    return outcome


async def fee(chain: RpcChain) -> int:
    said = await outcome(chain)
    assert said.mined is not None
    return said.mined.fee


@pytest.mark.parametrize(
    ("fields", "beside_gas"),
    [
        ({}, 0),
        ({"l1Fee": None, "operatorFeeScalar": None}, 0),
        ({"l1Fee": hex(10**12)}, 10**12),
        (
            {"l1Fee": "0x64", "operatorFeeScalar": hex(3_000_000), "operatorFeeConstant": "0x9"},
            100 + 3 * GAS + 9,
        ),
        (
            {"l1Fee": "0x64", "operatorFeeScalar": "0x3", "operatorFeeConstant": "0x9",
             "daFootprintGasScalar": "0x190"},
            100 + 3 * GAS * 100 + 9,
        ),
    ],
    ids=["gas alone", "null", "OP stack", "since Isthmus", "since Jovian"],
)  # fmt: skip
async def test_the_fee_has_all_its_parts(
    node: LyingNode, chain: RpcChain, fields: dict[str, object], beside_gas: int
) -> None:
    mined(node, **fields)
    assert await fee(chain) == GAS * GAS_PRICE + beside_gas


async def test_a_receipt_of_a_block_that_a_reorg_took_is_no_inclusion(
    node: LyingNode, chain: RpcChain
) -> None:
    mined(node, blockHash=word(0xDEAD))
    assert await outcome(chain) == Outcome(tx_hash=HASH, known=True)


async def test_a_receipt_that_came_before_its_block_is_no_inclusion(
    node: LyingNode, chain: RpcChain
) -> None:
    mined(node, blockNumber=hex(HEIGHT + 1))
    assert (await outcome(chain)).mined is None
    mined(node, blockHash=None, blockNumber=None)
    assert (await outcome(chain)).mined is None


async def test_what_one_does_not_know_is_looked_for_at_the_others(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    knows_nothing(node)
    mined(other)
    assert await fee(pair) == GAS * GAS_PRICE
    knows_nothing(other)
    assert await outcome(pair) == Outcome(tx_hash=HASH)


async def test_the_others_are_not_asked_about_what_one_knows(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    node.alter(RECEIPT, lambda _, reply: {**reply, "result": None})
    assert await outcome(pair) == Outcome(tx_hash=HASH, known=True)
    assert other.asked == []


async def test_of_many_only_what_is_open_is_asked_of_the_others(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    first, second = hashes(4, 5)

    def lacks_second(call: Json, reply: Json) -> Json:
        cost = {"gasUsed": "0x1", "effectiveGasPrice": "0x1"}
        lacking = call["params"][0] == second
        return {**reply, "result": None if lacking else {**reply["result"], **cost}}

    node.alter(RECEIPT, lacks_second)
    node.alter(BY_HASH, lacks_second)
    mined(other)
    said = await pair.transactor().outcomes([second, first])
    assert [o.tx_hash for o in said] == [second, first]
    assert all(o.mined for o in said)
    assert [c["params"] for c in other.calls if c["method"] == RECEIPT] == [[second]]


LIES: dict[str, Callable[[LyingNode], None]] = {
    "another transaction": lambda node: mined(node, transactionHash=word(0xBAD)),
    "no status": lambda node: mined(node, status=None),
    "no gas": lambda node: mined(node, gasUsed="0x0"),
    "no price": lambda node: changed(node, RECEIPT, {"gasUsed": "0x1"}),
    "a price that is text": lambda node: mined(node, effectiveGasPrice="cheap"),
    "no height": lambda node: mined(node, blockNumber=None),
    "an inner fault": lambda node: node.refuse(RECEIPT, -32603, "internal error"),
    "half a body": lambda node: node.lie_about(RECEIPT, lambda _: "hang up"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_receipt_that_cannot_be_true_is_asked_of_another(
    node: LyingNode, other: LyingNode, pair: RpcChain, lie: Callable[[LyingNode], None]
) -> None:
    lie(node)
    mined(other)
    assert await fee(pair) == GAS * GAS_PRICE


async def test_where_all_lie_nothing_is_said(node: LyingNode, chain: RpcChain) -> None:
    LIES["another transaction"](node)
    with pytest.raises((ChainOutage, InconsistentChain)):
        await outcome(chain)


async def test_a_transaction_of_another_hash_is_not_known(node: LyingNode, chain: RpcChain) -> None:
    node.alter(RECEIPT, lambda _, reply: {**reply, "result": None})
    changed(node, BY_HASH, {"hash": word(0xBAD)})
    assert await outcome(chain) == Outcome(tx_hash=HASH)


async def test_unknown_in_a_nodes_own_words_is_unknown(node: LyingNode, chain: RpcChain) -> None:
    node.refuse(RECEIPT, -32000, "block not found")
    node.refuse(BY_HASH, -32001, "resource not found")
    assert await outcome(chain) == Outcome(tx_hash=HASH)
