"""A chain of its own for every test, and one database for all of them."""

from collections.abc import AsyncIterator

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn, Pool
from tests.support.anvil import Anvil, running_anvil
from tests.support.one_database import EMPTY, one_database
from tests.wild.world import begun

DATABASE = "sweeps"


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
