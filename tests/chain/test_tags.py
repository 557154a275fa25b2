"""What is final and safe when endpoints do not agree on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from ctrip.chain.heads import LOOK_POLLS
from ctrip.chain.rpc import RpcChain
from ctrip.core.finality import Depth, Tag
from tests.chain.asking import FINALITY_DEPTH, a_chain, client_of
from tests.chain.lying_node import LyingNode, lying_node

SLOW = 1_000.0  # seconds a block: nobody is behind by the age of its tip alone
TIP = 18


@asynccontextmanager
async def calling(
    *numbers: int | None, by: Tag | None = None
) -> AsyncIterator[tuple[RpcChain, list[LyingNode]]]:
    """Yield a client of nodes that call these blocks final and safe; None knows no such tag."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(lying_node()) for _ in numbers]
        for node, number in zip(nodes, numbers, strict=True):
            node.height = TIP
            calls_final(node, number)
        depth = Depth(tag=by) if by else Depth(3)
        chain = client_of(*nodes, chain=a_chain(confirmations=depth, block_seconds=SLOW))
        stack.push_async_callback(chain.close)
        yield chain, nodes


def calls_final(node: LyingNode, number: int | None) -> None:
    node.finalized = node.safe = {"result": None if number is None else node.blocks[number]}


async def finals(chain: RpcChain, polls: int) -> list[int]:
    return [(await chain.head()).finalized for _ in range(polls)]


def asked_for_tags(node: LyingNode) -> int:
    """Return how often a node was asked for a tag since the last time."""
    asked = [call for call in node.calls if call["params"][:1] == ["finalized"]]
    node.calls.clear()
    return len(asked)


@pytest.mark.parametrize(
    ("named", "final"),
    [
        ((TIP, 12, 12), 12),
        ((12, TIP, 12), 12),
        ((TIP, 12), 12),
        ((12, TIP), 12),
        ((15, 14, 12), 14),
        ((14, None, None), 14),
        ((None, 14), TIP - FINALITY_DEPTH),
        ((TIP,), TIP),
        ((TIP + 1,), 0),
    ],
)
async def test_final_is_what_most_of_those_call_so_who_know_the_tag(
    named: tuple[int | None, ...], final: int
) -> None:
    async with calling(*named) as (chain, _):
        assert await finals(chain, 2 * LOOK_POLLS) == [final] * 2 * LOOK_POLLS


async def test_one_that_begins_to_call_its_head_final_is_not_believed() -> None:
    async with calling(12, 12, 12) as (chain, nodes):
        await chain.head()
        for blocks in (1, 2):
            for node in nodes:
                node.height = TIP + blocks
                calls_final(node, 12 + blocks)
            calls_final(nodes[0], TIP + blocks)
            assert await finals(chain, 2 * LOOK_POLLS) == [12 + blocks] * 2 * LOOK_POLLS


async def test_the_others_are_not_asked_while_what_is_final_keeps_its_distance() -> None:
    async with calling(12, 12) as (chain, [first, second]):
        await chain.head()
        assert asked_for_tags(second) == 1
        for blocks in (1, 2):
            for node in (first, second):
                node.height = TIP + blocks
                calls_final(node, 12 + blocks)
            assert (await finals(chain, 2 * LOOK_POLLS))[-1] == 12 + blocks
        assert asked_for_tags(second) == 0


@pytest.mark.parametrize("tag", list(Tag))
async def test_where_payments_wait_for_it_the_others_are_asked_soon(tag: Tag) -> None:
    async with calling(12, 12, by=tag) as (chain, nodes):
        await chain.head()
        for node in nodes:
            calls_final(node, 15)
        said = [await chain.head() for _ in range(2)]
        assert [head.safe if tag is Tag.SAFE else head.finalized for head in said] == [12, 15]
