"""Blocks at a glance: without their logs unless they name us, and the logs that are read later."""

from collections.abc import Collection

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.core import abi
from ctrip.core.blocks import Block, TokenLog
from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress
from tests.chain.asking import client_of
from tests.chain.lying_node import (
    BLOCKS,
    LOGS,
    SHOP,
    TOKEN,
    TRANSFER,
    LyingNode,
    a_log,
    a_transaction,
    block_hash,
    says,
    word,
)
from tests.chain.test_blooms import filter_of

US = RawAddress(SHOP)
NO_BLOOM = "0x" + "00" * 256
TRANSFERRED = filter_of(TRANSFER, TOKEN)


async def all_ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
    return [one for one in offered if one == US]


async def glance(chain: RpcChain, first: int, last: int) -> list[Block]:
    return await chain.blocks(
        BlockNumber(first),
        BlockNumber(last),
        tokens=[RawAddress(TOKEN)],
        ours=all_ours,
        at_a_glance=True,
    )


async def owed(chain: RpcChain, above: int, last: int, block: str = "") -> list[int]:
    """Read the logs of some blocks; return the heights of those that are there."""
    of = BlockHash(block or block_hash(last))
    logs: Collection[TokenLog] = await chain.logs(
        BlockNumber(above), BlockNumber(last), of, tokens=[RawAddress(TOKEN)]
    )
    return [log.block_number for log in logs]


def name_us(node: LyingNode, number: int) -> None:
    """Let the transaction of a block carry our address in its data."""
    data = abi.erc20_transfer(US, Amount(7))
    node.blocks[number]["transactions"] = [a_transaction(number, 0, to=TOKEN, input=data)]


def announce(node: LyingNode, bloom: str, *numbers: int) -> None:
    for number in numbers:
        node.blocks[number]["logsBloom"] = bloom


async def test_a_block_that_names_nobody_owes_its_logs(chain: RpcChain, node: LyingNode) -> None:
    [block] = await glance(chain, 4, 4)
    assert (block.owes_logs, block.names_ours, block.logs) == (True, False, ())
    assert [call.recipient for call in block.calls] == [US], "coin is seen with its block"
    assert [LOGS] not in node.asked


async def test_a_block_that_names_us_is_read_with_its_logs_by_its_hash(
    chain: RpcChain, node: LyingNode
) -> None:
    name_us(node, 4)
    blocks = await glance(chain, 3, 5)
    assert [block.owes_logs for block in blocks] == [True, False, True]
    assert [block.names_ours for block in blocks] == [False, True, False]
    assert [len(block.logs) for block in blocks] == [0, 1, 0]
    asked = [call["params"][0] for call in node.calls if call["method"] == LOGS]
    assert [one["blockHash"] for one in asked] == [block_hash(4)]


async def test_what_goes_to_another_address_of_ours_than_the_one_named_is_seen_with_it(
    chain: RpcChain, node: LyingNode
) -> None:
    us_too = RawAddress("0x" + "ca" * 20)
    name_us(node, 4)
    stranger = a_log(
        4, topics=[TRANSFER, *("0x" + abi.address(RawAddress(of)) for of in (TOKEN, us_too))]
    )
    node.logs[block_hash(4)] = [stranger]

    async def ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
        return [one for one in offered if one in {US, us_too}]

    [block] = await chain.blocks(
        BlockNumber(4), BlockNumber(4), tokens=[RawAddress(TOKEN)], ours=ours, at_a_glance=True
    )
    assert [log.recipient for log in block.logs] == [us_too]


async def test_without_tokens_nothing_is_owed(chain: RpcChain, node: LyingNode) -> None:
    name_us(node, 4)
    blocks = await chain.blocks(
        BlockNumber(3), BlockNumber(4), tokens=[], ours=all_ours, at_a_glance=True
    )
    assert [block.owes_logs for block in blocks] == [False, False]
    assert [block.names_ours for block in blocks] == [False, True]


async def test_logs_of_some_blocks_are_one_call_where_the_last_of_them_has_some(
    chain: RpcChain, node: LyingNode
) -> None:
    await glance(chain, 3, 6)
    node.asked.clear()
    assert await owed(chain, 2, 6) == [3, 4, 5, 6]
    assert node.asked == [[LOGS]]


async def test_where_the_last_block_promises_none_it_is_asked_for_beside_them(
    chain: RpcChain, node: LyingNode
) -> None:
    node.logs[block_hash(6)] = []
    announce(node, NO_BLOOM, 6)
    await glance(chain, 3, 6)
    node.asked.clear()
    assert await owed(chain, 2, 6) == [3, 4, 5]
    assert node.asked == [[BLOCKS, LOGS]]


async def test_where_the_promise_was_chance_they_are_asked_for_again_beside_the_last_block(
    chain: RpcChain, node: LyingNode
) -> None:
    """A filter of nothing but ones promises everything."""
    node.logs[block_hash(6)] = []
    await glance(chain, 3, 6)
    node.asked.clear()
    assert await owed(chain, 2, 6) == [3, 4, 5]
    assert node.asked == [[LOGS], [BLOCKS, LOGS]]


async def test_who_has_seen_no_block_before_asks_for_the_last_one(
    chain: RpcChain, node: LyingNode
) -> None:
    """As after a restart."""
    assert await owed(chain, 2, 6) == [3, 4, 5, 6]
    assert node.asked[-1] == [BLOCKS, LOGS]


@pytest.mark.parametrize("seen", [[3], []], ids=["seen", "never seen"])
async def test_a_node_that_has_another_block_there_is_not_believed(
    chain: RpcChain, node: LyingNode, seen: list[int]
) -> None:
    for first in seen:
        await glance(chain, first, 6)
    node.logs[word(0xF6)] = [a_log(6, blockHash=word(0xF6))]
    node.blocks[6] = {**node.blocks[6], "hash": word(0xF6)}
    with pytest.raises(InconsistentChain, match="in the place of one that was read"):
        await owed(chain, 2, 6)


async def test_a_node_that_lags_is_not_believed_when_it_shows_what_it_has(
    chain: RpcChain, node: LyingNode
) -> None:
    await glance(chain, 3, 6)
    node.height = 5
    with pytest.raises(InconsistentChain, match="a block that should be there is not"):
        await owed(chain, 2, 6)


async def test_logs_of_another_branch_below_the_last_block_are_not_taken(
    chain: RpcChain, node: LyingNode
) -> None:
    await glance(chain, 3, 6)
    node.logs[block_hash(4)] = [a_log(4, blockHash=word(0xF4))]
    with pytest.raises(InconsistentChain, match="a log is of another block"):
        await owed(chain, 2, 6)


async def test_logs_that_are_left_out_of_the_middle_are_missed_by_the_bloom_filter(
    node: LyingNode, other: LyingNode
) -> None:
    chain = client_of(node, other)
    for each in (node, other):
        announce(each, TRANSFERRED, 3, 4, 5, 6)
    await glance(chain, 3, 6)
    node.logs[block_hash(4)] = []
    assert await owed(chain, 2, 6) == [3, 4, 5, 6]
    assert chain.endpoints()[0].inconsistencies == 1
    await chain.close()


async def test_logs_that_cannot_be_true_are_no_better_for_coming_late(
    chain: RpcChain, node: LyingNode
) -> None:
    await glance(chain, 3, 6)
    node.logs[block_hash(5)] = [a_log(5, removed=True)]
    with pytest.raises(InconsistentChain, match="a log was removed"):
        await owed(chain, 2, 6)


async def test_a_range_that_is_refused_as_too_wide_is_asked_for_in_pieces(
    chain: RpcChain, node: LyingNode
) -> None:
    await glance(chain, 3, 6)
    error = {"code": -32005, "message": "block range is too wide, the limit is 2"}
    node.alter(
        LOGS,
        lambda call, reply: (
            {"id": reply["id"], "error": error}
            if int(call["params"][0]["toBlock"], 16) - int(call["params"][0]["fromBlock"], 16) > 1
            else reply
        ),
    )
    assert await owed(chain, 2, 6) == [3, 4, 5, 6]


async def test_no_blocks_and_no_tokens_are_no_question(chain: RpcChain, node: LyingNode) -> None:
    assert await owed(chain, 6, 6) == []
    assert not await chain.logs(BlockNumber(2), BlockNumber(6), BlockHash(block_hash(6)), tokens=[])
    assert not node.asked


async def test_logs_that_are_null_are_asked_for_again(chain: RpcChain, node: LyingNode) -> None:
    node.alter(LOGS, says(None))
    with pytest.raises(InconsistentChain, match="the logs are null"):
        await owed(chain, 2, 6)
