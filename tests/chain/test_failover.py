"""Several endpoints: who is asked, who is left alone, and who is turned back to."""

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from tests.chain.asking import HANG_SECONDS, client_of, hashes, numbers, read, read_span
from tests.chain.lies import DOWN, down, response
from tests.chain.lying_node import (
    BLOCKS,
    CHAIN_ID,
    HEIGHT,
    LOGS,
    RECEIPTS,
    LyingNode,
    a_log,
    block_hash,
    lying_node,
    word,
)
from tests.support.clock import FakeClock


async def test_the_first_is_left_when_it_fails_and_returned_to_when_it_is_well(
    pair: RpcChain, node: LyingNode, other: LyingNode, clock: FakeClock
) -> None:
    await read(pair)
    assert not other.asked
    down(node)
    assert len(await read(pair)) == 3
    node.tell_the_truth()
    asked = len(node.asked)
    assert len(await read(pair)) == 3
    assert len(node.asked) == asked  # it sits out
    clock.move(seconds=1)
    asked = len(other.asked)
    assert len(await read(pair)) == 3
    assert len(other.asked) == asked


async def test_the_chain_id_is_asked_again_at_every_switch(
    pair: RpcChain, node: LyingNode, other: LyingNode, clock: FakeClock
) -> None:
    await read(pair)
    down(node)
    await read(pair)
    assert other.asked[0] == ["eth_chainId"]
    node.tell_the_truth()
    clock.move(seconds=1)
    node.chain_id = 56  # it comes back as another network's
    assert len(await read(pair)) == 3
    assert node.asked[-1] == ["eth_chainId"]
    [first, _] = pair.endpoints()
    assert not first.ok
    assert first.why == f"it is on chain 56, not on {CHAIN_ID}"


async def test_one_of_three_is_enough() -> None:
    async with lying_node() as one, lying_node() as two, lying_node() as three:
        chain = client_of(one, two, three, timeout_seconds=HANG_SECONDS)
        down(one)
        two.lie_about("eth_chainId", lambda _: "hang")
        for _ in range(3):
            assert (await chain.head()).latest.number == HEIGHT
            assert len(await read(chain)) == 3
        assert [state.ok for state in chain.endpoints()] == [False, False, True]
        await chain.close()


async def test_who_sits_out_is_asked_when_nobody_else_is_left(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    down(node)
    await read(pair)
    node.tell_the_truth()
    down(other)
    assert len(await read(pair)) == 3


async def test_a_retry_after_is_honoured(node: LyingNode, clock: FakeClock) -> None:
    chain = client_of(node, clock=clock)
    node.lie_about(BLOCKS, response(status=429, headers={"Retry-After": "30"}))
    with pytest.raises(ChainOutage, match="HTTP status 429"):
        await read(chain)
    node.tell_the_truth()
    asked = len(node.asked)
    with pytest.raises(ChainOutage, match="asked to be left alone for 30 seconds more"):
        await read(chain)
    assert len(node.asked) == asked
    clock.move(seconds=30)
    assert len(await read(chain)) == 3
    await chain.close()


async def test_another_endpoint_answers_while_one_wants_to_be_left_alone(
    pair: RpcChain, node: LyingNode
) -> None:
    node.lie_about(BLOCKS, response(status=429, headers={"Retry-After": "30"}))
    assert len(await read(pair)) == 3


async def test_a_quick_null_does_not_win(pair: RpcChain, node: LyingNode) -> None:
    node.alter(RECEIPTS, lambda _, reply: {**reply, "result": None})
    assert [r.tx_hash for r in await pair.receipts(hashes(3))] == hashes(3)
    node.height = 2
    await pair.head()
    assert len(await read(pair)) == 3
    assert len(await pair.headers(numbers(1, 2))) == 2


async def test_an_answer_that_cannot_be_true_is_counted_and_asked_for_elsewhere(
    pair: RpcChain, node: LyingNode
) -> None:
    node.logs[block_hash(4)] = [a_log(4, removed=True)]
    assert len(await read(pair)) == 3
    assert pair.endpoints()[0].inconsistencies == 1


async def test_when_nobody_tells_the_truth_each_is_named(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    node.logs[block_hash(4)] = [a_log(4, removed=True)]
    other.lie_about(BLOCKS, DOWN)
    with pytest.raises(
        InconsistentChain, match=r"endpoint 1 of 2: a log was removed.*endpoint 2 of 2: HTTP"
    ):
        await read(pair)


async def test_who_gives_no_logs_is_still_asked_for_headers(
    pair: RpcChain, node: LyingNode, clock: FakeClock
) -> None:
    node.refuse(LOGS, -32005, "limit exceeded")
    assert (await read_span(pair)).logs
    asked = len(node.asked)
    clock.move(seconds=10)
    for _ in range(3):
        assert (await read_span(pair)).logs
    assert len(node.asked) == asked
    assert "eth_getLogs" in pair.endpoints()[0].why
    await pair.headers(numbers(1))
    assert len(node.asked) > asked


async def test_a_receipt_of_a_block_that_is_not_there_is_asked_for_elsewhere(
    pair: RpcChain, node: LyingNode
) -> None:
    invented = {"blockHash": word(0xBAD)}
    node.alter(RECEIPTS, lambda _, r: {**r, "result": {**r["result"], **invented}})
    [receipt] = await pair.receipts(hashes(3))
    assert receipt.block_hash == block_hash(3)


async def test_again_asks_another_than_the_one_that_is_read_from(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    await read_span(pair)
    asked = len(node.asked)
    other.logs[block_hash(4)] = []
    assert [log.block_number for log in (await read_span(pair, again=True)).logs] == [3, 5]
    assert len(node.asked) == asked
    down(other)
    assert [log.block_number for log in (await read_span(pair, again=True)).logs] == [3, 4, 5]


async def test_questions_end_in_time(node: LyingNode) -> None:
    node.lie_about("eth_chainId", lambda _: "hang")
    chain = client_of(node, timeout_seconds=0.1)
    with pytest.raises(ChainOutage, match="no answer within"):
        await chain.head()
    await chain.close()


async def test_an_endpoint_that_was_believed_once_is_asked_its_chain_when_it_is_switched_to(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    await pair.head()  # looks at both
    other.chain_id = 56
    down(node)
    with pytest.raises(ChainOutage, match="endpoint 2 of 2: it is on chain 56"):
        await read(pair)


async def test_headers_below_the_head_are_asked_for_elsewhere(
    pair: RpcChain, node: LyingNode
) -> None:
    await pair.head()
    node.height = 3
    headers = await pair.headers(numbers(2, 3, 4, HEIGHT, HEIGHT + 1))
    assert [header.number for header in headers] == [2, 3, 4, HEIGHT]
