"""Empty answers beside the Bloom filter of the block."""

import pytest

from ctrip.chain import blooms, decode
from ctrip.chain.blooms import UNSETTLED_MAX, bloom_of, may_have
from ctrip.chain.client import InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.chain.transfers import sought
from ctrip.chain.wire import Call, Endpoint
from ctrip.core.chains import NativeSource
from ctrip.core.ids import RawAddress
from ctrip.settings import Secret
from tests.chain.asking import a_chain, client_of, read_one, read_span
from tests.chain.lying_node import (
    LOGS,
    TOKEN,
    TRANSFER,
    LyingNode,
    a_log,
    block_hash,
    word,
)
from tests.support.anvil import running_anvil

SHOP = RawAddress("0x" + "5a" * 20)
RECEIPTS = "eth_getBlockReceipts"
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b291e5b1c84f1bcf3d0d6b"


def filter_of(*items: str) -> str:
    bits = blooms.union(blooms.mask_of(item) for item in items)
    return f"0x{bits:0512x}"


TRANSFERRED = filter_of(TRANSFER, TOKEN, *a_log(4)["topics"][1:])


def hide_logs(node: LyingNode, bloom: str = TRANSFERRED) -> None:
    """Let a node forget the logs of a block that announces them."""
    node.blocks[4] = {**node.blocks[4], "logsBloom": bloom}
    node.alter(LOGS, lambda _, reply: {**reply, "result": []})


def show_receipts(node: LyingNode, *logs: object) -> None:
    receipts = [{"transactionHash": word(0x7004), "blockHash": block_hash(4), "logs": list(logs)}]
    node.alter(RECEIPTS, lambda _, reply: {"id": reply["id"], "result": receipts})


async def test_logs_that_the_filter_announces_and_receipts_show_were_left_out(
    chain: RpcChain, node: LyingNode
) -> None:
    hide_logs(node)
    show_receipts(node, a_log(4))
    for _ in range(UNSETTLED_MAX + 1):
        with pytest.raises(InconsistentChain, match="were left out, as its receipts show"):
            await read_one(chain)
    with pytest.raises(InconsistentChain, match="were left out, as its receipts show"):
        await read_span(chain, 2, 4)


async def test_another_endpoint_that_has_the_logs_is_believed(
    node: LyingNode, other: LyingNode
) -> None:
    chain = client_of(node, other)
    hide_logs(node)
    [log] = (await read_one(chain)).logs
    assert log.amount == 7
    assert chain.endpoints()[0].inconsistencies == 1
    await chain.close()


async def test_receipts_that_make_up_the_filter_prove_that_nothing_is_missing(
    chain: RpcChain, node: LyingNode
) -> None:
    approval = a_log(4, topics=[APPROVAL, *a_log(4)["topics"][1:]])
    stranger = a_log(4, address=SHOP)
    topics = (*approval["topics"], TRANSFER)
    hide_logs(node, filter_of(TOKEN, SHOP, *topics))
    show_receipts(node, approval, stranger)
    assert (await read_one(chain)).logs == ()


async def test_receipts_that_do_not_make_up_the_filter_prove_nothing(
    chain: RpcChain, node: LyingNode
) -> None:
    hide_logs(node)
    show_receipts(node)
    with pytest.raises(InconsistentChain, match="whose bloom filter announces some"):
        await read_one(chain)


async def test_two_endpoints_that_show_nothing_are_believed(
    node: LyingNode, other: LyingNode
) -> None:
    chain = client_of(node, other)
    hide_logs(node)
    hide_logs(other)
    assert (await read_one(chain)).logs == ()
    await chain.close()


async def test_doubts_that_are_never_settled_switch_the_check_off(
    chain: RpcChain, node: LyingNode
) -> None:
    hide_logs(node)
    refused = 0
    for _ in range(UNSETTLED_MAX + 1):
        try:
            await read_one(chain)
        except InconsistentChain:
            refused += 1
    assert 0 < refused <= UNSETTLED_MAX
    assert (await read_one(chain)).logs == ()


async def test_a_chain_whose_filters_are_wrong_is_not_checked(node: LyingNode) -> None:
    chain = client_of(node, chain=a_chain(blooms=False))
    hide_logs(node)
    assert (await read_one(chain)).logs == ()
    await chain.close()


@pytest.mark.parametrize(
    "bloom",
    ["0x" + "00" * 256, "0x" + "ff" * 256, "", filter_of(TOKEN), filter_of(TRANSFER, SHOP)],
    ids=["empty", "full", "none", "another event", "another contract"],
)
async def test_a_filter_that_announces_nothing_of_ours_is_no_reason_to_doubt(
    chain: RpcChain, node: LyingNode, bloom: str
) -> None:
    hide_logs(node, bloom)
    assert (await read_one(chain)).logs == ()


async def test_the_last_block_of_a_range_is_checked(chain: RpcChain, node: LyingNode) -> None:
    hide_logs(node)
    with pytest.raises(InconsistentChain, match="whose bloom filter announces some"):
        await read_span(chain, 2, 4)
    assert (await read_span(chain, 2, 3)).logs == ()


async def test_filters_are_those_that_a_real_node_makes() -> None:
    async with running_anvil() as anvil:
        token = await anvil.ensure_token()
        await anvil.mint(token, SHOP, 7)
        await anvil.mint(token, RawAddress("0x" + "ca" * 20), 8)
        await anvil.mine()
        full_transactions = False
        block = await anvil.rpc("eth_getBlockByNumber", "latest", full_transactions)
        line = Endpoint("anvil", Secret(anvil.url))
        [reply] = await line.batch([Call(RECEIPTS, (block["hash"],))], decode.BLOCK_RECEIPTS)
        await line.close()
        assert reply.result is not None
        assert bloom_of(reply.result) == int(block["logsBloom"], 16) != 0
        assert may_have(block["logsBloom"], sought([token], NativeSource.TRANSACTIONS))
        assert not may_have(block["logsBloom"], sought([SHOP], NativeSource.TRANSACTIONS))
