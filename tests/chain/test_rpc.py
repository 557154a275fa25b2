"""RpcChain: what it asks, whom it believes, and where it puts the head."""

import pytest

from ctrip.chain import blocks as blocks_of
from ctrip.chain import wire
from ctrip.chain.client import ChainOutage
from ctrip.chain.rpc import RpcChain
from tests.chain.asking import FINALITY_DEPTH, client_of, hashes, numbers, read
from tests.chain.lies import response, wrong_field
from tests.chain.lying_node import BLOCKS, FINALIZED, HEIGHT, LOGS, Json, LyingNode, lying_node


async def test_two_requests_read_a_window_of_blocks(chain: RpcChain, node: LyingNode) -> None:
    blocks = await read(chain)
    assert node.asked == [["eth_chainId"], [BLOCKS] * 3, [LOGS] * 3]
    assert [block.header.number for block in blocks] == [3, 4, 5]
    assert [log.amount for block in blocks for log in block.logs] == [7, 7, 7]


async def test_without_tokens_no_logs_are_asked_for(chain: RpcChain, node: LyingNode) -> None:
    await chain.blocks(*numbers(3, 3), tokens=[])
    assert node.asked[1:] == [[BLOCKS]]


async def test_the_head_is_one_request(chain: RpcChain, node: LyingNode) -> None:
    head = await chain.head()
    assert (head.latest.number, head.finalized) == (HEIGHT, FINALIZED)
    assert node.asked[1:] == [[BLOCKS, BLOCKS]]


async def test_long_batches_are_cut(chain: RpcChain, node: LyingNode) -> None:
    many = numbers(*range(HEIGHT)) * 6
    headers = await chain.headers(many)
    assert [header.number for header in headers] == many
    assert sorted(len(batch) for batch in node.asked[1:]) == [20, 50, 50]
    assert wire.CALLS_PER_BATCH_MAX == 50


async def test_full_blocks_are_read_in_shorter_batches(chain: RpcChain, node: LyingNode) -> None:
    blocks = await read(chain, 0, HEIGHT)
    assert [block.header.number for block in blocks] == list(range(HEIGHT + 1))
    assert sorted(len(batch) for batch in node.asked[1:]) == [1, 1, 10, 10, 10, 10]
    assert blocks_of.BLOCKS_PER_BATCH_MAX == 10


async def test_nothing_to_ask_asks_nothing_more(chain: RpcChain, node: LyingNode) -> None:
    assert await chain.headers([]) == []
    assert await chain.receipts([]) == []
    assert node.asked in ([], [["eth_chainId"]])


async def test_a_closed_client_opens_again(chain: RpcChain) -> None:
    before = await chain.head()
    await chain.close()
    await chain.close()
    assert await chain.head() == before


async def test_another_chain_is_not_believed(chain: RpcChain, node: LyingNode) -> None:
    node.chain_id = 56
    for ask in (chain.head(), read(chain), chain.headers(numbers(1)), chain.receipts(hashes(1))):
        with pytest.raises(ChainOutage, match=r"^testnet: it is on chain 56, not on 31337$"):
            await ask
    assert {method for batch in node.asked for method in batch} == {"eth_chainId"}
    assert await chain.chain_id() == 56


async def test_the_chain_id_is_asked_again_after_a_failure(
    chain: RpcChain, node: LyingNode
) -> None:
    await chain.head()
    await chain.head()
    assert node.asked.count(["eth_chainId"]) == 1
    node.lie_about(BLOCKS, response(status=502))
    with pytest.raises(ChainOutage):
        await chain.head()
    node.tell_the_truth()
    node.chain_id = 56
    with pytest.raises(ChainOutage, match="it is on chain 56"):
        await chain.head()


@pytest.mark.parametrize("said", [None, 31337, "7a69", "0x", "0x_7a69", "-0x7a69", "0x" + "f" * 65])
async def test_a_chain_id_that_is_none_is_an_outage(
    chain: RpcChain, node: LyingNode, said: object
) -> None:
    node.lie_about("eth_chainId", lambda replies: [{**replies[0], "result": said}])
    with pytest.raises(ChainOutage):
        await chain.chain_id()
    with pytest.raises(ChainOutage):
        await chain.head()


async def test_an_endpoint_on_another_chain_is_passed_by() -> None:
    async with lying_node() as first, lying_node() as second:
        first.chain_id = 1
        chain = client_of(first, second)
        assert (await chain.head()).latest.number == HEIGHT
        await chain.close()


async def test_unreadable_fields_send_to_the_next_endpoint() -> None:
    async with lying_node() as first, lying_node() as second:
        first.lie_about(BLOCKS, wrong_field("timestamp", "yesterday"))
        chain = client_of(first, second)
        assert len(await read(chain)) == 3
        await chain.close()


async def test_when_all_fail_each_has_its_say() -> None:
    async with lying_node() as first, lying_node() as second:
        first.chain_id = 1
        second.lie_about("eth_chainId", response(status=429))
        chain = client_of(first, second)
        with pytest.raises(
            ChainOutage,
            match=r"^testnet, endpoint 1 of 2: it is on chain 1, not on 31337; "
            r"testnet, endpoint 2 of 2: HTTP status 429$",
        ):
            await chain.head()
        await chain.close()


@pytest.mark.parametrize(
    "unknown",
    [
        {"result": None},
        {"error": {"code": -32000, "message": "finalized block not found"}},
        {"error": {"code": -39001, "message": "Unknown block"}},
        {"error": {"code": -32602, "message": "invalid argument 0: hex string without 0x prefix"}},
    ],
)
async def test_without_the_tag_depth_stands_in(
    chain: RpcChain, node: LyingNode, unknown: Json
) -> None:
    node.finalized = unknown
    assert (await chain.head()).finalized == HEIGHT - FINALITY_DEPTH


@pytest.mark.parametrize(
    "passing",
    [
        {"code": -32005, "message": "limit exceeded"},
        {"code": -32603, "message": "internal error"},
        {"code": -32000, "message": "request rate exceeded"},
        {"code": -32000, "message": "execution aborted (timeout = 5s)"},
    ],
)
async def test_a_fault_that_passes_is_not_taken_for_a_missing_tag(
    chain: RpcChain, node: LyingNode, passing: Json
) -> None:
    node.finalized = {"error": passing}
    with pytest.raises(ChainOutage, match="was refused"):
        await chain.head()


async def test_finality_never_runs_ahead_of_the_head(chain: RpcChain, node: LyingNode) -> None:
    await chain.head()
    node.finalized = {"result": {**node.blocks[HEIGHT], "number": hex(HEIGHT + 5)}}
    assert (await chain.head()).finalized == FINALIZED


async def test_finality_begins_at_genesis(chain: RpcChain, node: LyingNode) -> None:
    node.finalized = {"result": None}
    node.blocks[HEIGHT] = {**node.blocks[HEIGHT], "number": "0x3"}
    assert (await chain.head()).finalized == 0


async def test_a_node_without_a_latest_block_is_an_outage(chain: RpcChain, node: LyingNode) -> None:
    del node.blocks[HEIGHT]
    with pytest.raises(ChainOutage, match="has no latest block"):
        await chain.head()
