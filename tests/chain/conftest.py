"""A node that lies, and the client that must not believe it."""

from collections.abc import AsyncIterator

import pytest

from ctrip.chain.rpc import RpcChain
from tests.chain.asking import client_of
from tests.chain.lying_node import LyingNode, lying_node


@pytest.fixture
async def node() -> AsyncIterator[LyingNode]:
    async with lying_node() as node:
        yield node


@pytest.fixture
async def chain(node: LyingNode) -> AsyncIterator[RpcChain]:
    chain = client_of(node)
    yield chain
    await chain.close()
