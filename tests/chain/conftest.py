"""Nodes that lie, the client that must not believe them, and chains that do not lie."""

from collections.abc import AsyncIterator

import pytest

from ctrip.chain.rpc import RpcChain
from tests.chain.asking import client_of
from tests.chain.lying_node import LyingNode, lying_node
from tests.chain.worlds import World, anvil_world, fake_world
from tests.support.clock import FakeClock


@pytest.fixture
async def node() -> AsyncIterator[LyingNode]:
    async with lying_node() as node:
        yield node


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def chain(node: LyingNode, clock: FakeClock) -> AsyncIterator[RpcChain]:
    chain = client_of(node, clock=clock)
    yield chain
    await chain.close()


@pytest.fixture
async def other() -> AsyncIterator[LyingNode]:
    async with lying_node() as node:
        yield node


@pytest.fixture
async def pair(node: LyingNode, other: LyingNode, clock: FakeClock) -> AsyncIterator[RpcChain]:
    chain = client_of(node, other, clock=clock)
    yield chain
    await chain.close()


@pytest.fixture
async def third() -> AsyncIterator[LyingNode]:
    async with lying_node() as node:
        yield node


@pytest.fixture
async def three(
    node: LyingNode, other: LyingNode, third: LyingNode, clock: FakeClock
) -> AsyncIterator[RpcChain]:
    chain = client_of(node, other, third, clock=clock)
    yield chain
    await chain.close()


@pytest.fixture(params=[fake_world, anvil_world], ids=["fake", "anvil"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with request.param() as world:
        yield world
