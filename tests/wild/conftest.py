"""A chain of its own for every test: what happens to it here, no other test should meet."""

from collections.abc import AsyncIterator

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.pool import Conn, Pool
from tests.support.anvil import Anvil, running_anvil
from tests.wild.world import SECONDS_BLOCK_BY_BLOCK, SECONDS_IN_RANGES, begun

FINALITY_LAG = 20  # blocks, where a reorg must not reach what is final
DATABASE = "wild"
POOL_SIZE_MAX = 4  # connections
# A table with a few rows is emptied ten times faster than it is truncated.
EMPTY = """
DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT IN ('migrations', 'wallets')
  LOOP EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP;
END $$
"""


@pytest.fixture(scope="session")
async def emptied(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[Pool]:
    """One database for all tests here: a fresh one takes longer than a test."""
    await admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {template} STRATEGY file_copy")
    pool = await store.connect(Secret(cluster.url_of(DATABASE)), size_max=POOL_SIZE_MAX)
    yield pool
    pool.terminate()
    await admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


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
