"""A node whose answers are no JSON-RPC: broken off, too long, out of order, or none."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from msgspec import json

from ctrip.chain.client import ChainOutage
from ctrip.chain.response import ANSWER_BYTES_MAX
from ctrip.chain.rpc import RpcChain
from tests.chain.asking import HANG_SECONDS, TIMEOUT_SECONDS, client_of, hashes, read, read_one
from tests.chain.lies import TRANSPORT_FAULTS, response
from tests.chain.lying_node import BLOCKS, LOGS, RECEIPTS, Json, LyingNode, lying_node
from tests.support.clock import FakeClock


@pytest.mark.parametrize("name", TRANSPORT_FAULTS)
async def test_a_broken_answer_is_an_outage(node: LyingNode, clock: FakeClock, name: str) -> None:
    lie, words = TRANSPORT_FAULTS[name]
    seconds = HANG_SECONDS if name == "hung" else TIMEOUT_SECONDS
    chain = client_of(node, clock=clock, timeout_seconds=seconds)
    node.lie_about(BLOCKS, lie)
    with pytest.raises(ChainOutage, match=f"^testnet: .*{words}"):
        await read(chain)
    node.tell_the_truth()
    clock.move(seconds=10)  # one of them asked for that
    assert len(await read(chain)) == 3  # and one that passes
    await chain.close()


async def test_an_answer_without_end_is_cut_off(node: LyingNode) -> None:
    chain = client_of(node)
    node.lie_about(BLOCKS, response(body=b" " * (ANSWER_BYTES_MAX + 1)))
    with pytest.raises(ChainOutage, match="the answer is too long"):
        await read_one(chain)
    await chain.close()


async def test_a_bomb_is_not_unpacked(chain: RpcChain, node: LyingNode) -> None:
    def bomb(_: list[Json]) -> web.Response:
        packed = web.Response(body=b" " * (2 * ANSWER_BYTES_MAX))
        packed.enable_compression(web.ContentCoding.gzip)
        return packed

    node.lie_about(BLOCKS, bomb)
    with pytest.raises(ChainOutage, match="the answer is too long"):
        await read(chain)


@pytest.mark.parametrize("packed", [web.ContentCoding.identity, web.ContentCoding.gzip])
async def test_an_answer_may_come_in_chunks(
    chain: RpcChain, node: LyingNode, packed: web.ContentCoding
) -> None:
    def in_chunks(replies: list[Json]) -> web.Response:
        whole = json.encode(replies)

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(whole), 999):
                yield whole[at : at + 999]

        answer = web.Response(body=chunks())
        answer.enable_compression(packed)
        return answer

    node.lie_about(BLOCKS, in_chunks)
    assert [block.header.number for block in await read(chain)] == [3, 4, 5]


async def test_replies_in_another_order_are_matched(chain: RpcChain, node: LyingNode) -> None:
    for method in (BLOCKS, LOGS, RECEIPTS):
        node.lie_about(method, lambda replies: replies[::-1])
    assert [block.header.number for block in await read(chain)] == [3, 4, 5]
    receipts = await chain.receipts(hashes(5, 3, 4))
    assert [receipt.tx_hash for receipt in receipts] == hashes(5, 3, 4)


async def test_nobody_there_is_an_outage() -> None:
    async with lying_node() as node:
        url = node.url
    chain = client_of(url)
    with pytest.raises(ChainOutage, match=r"^testnet: the connection failed$"):
        await chain.head()
    await chain.close()


@pytest.mark.parametrize("url", ["", "planted-key", "http://", "http://[planted-key", "ftp://a/b"])
async def test_what_is_no_url_is_an_outage(url: str) -> None:
    chain = client_of(url)
    with pytest.raises(ChainOutage, match=r"^testnet: the (URL|connection|answer)"):
        await chain.head()
    await chain.close()
