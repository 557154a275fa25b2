"""A chain of its own for every test: what happens to it here, no other test should meet."""

from collections.abc import AsyncIterator

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn, Pool
from tests.support.anvil import Anvil, running_anvil
from tests.support.one_database import EMPTY, one_database
from tests.wild.world import SECONDS_BLOCK_BY_BLOCK, SECONDS_IN_RANGES, begun

FINALITY_LAG = 20  # blocks, where a reorg must not reach what is final
DATABASE = "wild"


@pytest.fixture(scope="session")
async def emptied(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """One database for all tests here: a fresh one takes longer than a test."""
    async with one_database(DATABASE, cluster, template, admin) as pool:
        yield pool


@pytest.fixture
async def pool(emptied: Pool) -> Pool:
    """A pool on a database without rows; no address is given out twice."""
    await emptied.execute(EMPTY)
    return emptied


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    """A chain whose blocks are final when two more are there."""
    async with running_anvil() as anvil:
        await begun(anvil)
        yield anvil


@pytest.fixture
async def slow_anvil() -> AsyncIterator[Anvil]:
    """A chain whose blocks are final when twenty more are there."""
    async with running_anvil(finality_lag=FINALITY_LAG) as anvil:
        await begun(anvil)
        yield anvil


@pytest.fixture
async def twin() -> AsyncIterator[Anvil]:
    """A second node, to be set on a branch of the chain."""
    async with running_anvil() as twin:
        yield twin


@pytest.fixture(params=[SECONDS_BLOCK_BY_BLOCK, SECONDS_IN_RANGES], ids=["blocks", "ranges"])
def block_seconds(request: pytest.FixtureRequest) -> float:
    """A chain's pace, which decides how it is read."""
    return float(request.param)
