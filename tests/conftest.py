"""A real Postgres for the session, and for every test a migrated database without rows."""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import asyncpg
import pytest

from ctrip.dev import postgres
from ctrip.dev.postgres import Cluster
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Conn, Pool
from tests.support.memory import memory
from tests.support.used_again import Kept, UsedAgain
from tests.support.warm_ctrip import WarmCtrip, warm_ctrip

TEMPLATE = "migrated"
LONGEST = {"e2e", "test_sender_machine.py", "test_random_reorgs.py"}

gc.disable()  # until all is collected: what is made until then stays to the end


def pytest_collection_finish() -> None:
    """Let the garbage of tests be looked for among what they made, not in what was collected."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the longest, which nobody should wait for at the end.

    The workers are given what was collected in pieces of the same length, one after the other.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = [item for item in items if LONGEST & {item.path.parent.name, item.path.name}]
    files = list(dict.fromkeys(item.path for item in longest))
    others = iter([item for item in items if item.path not in files])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        share = [item for item in longest if files.index(item.path) % workers == worker]
        ordered += [*share, *islice(others, max(0, size - len(share)))]
    items[:] = [*ordered, *others]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Postgres that is thrown away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ctrip-test-", dir=memory())).resolve()
    try:
        with postgres.start(folder, durable=False) as running:
            yield running
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmCtrip]:
    """The command line, for commands in processes of their own."""
    with warm_ctrip() as warm:
        yield warm


@pytest.fixture(scope="session")
async def template(cluster: Cluster) -> str:
    """The name of a database with the whole schema and no rows."""
    conn = await asyncpg.connect(cluster.create(TEMPLATE))
    await migrate(conn, read_files())
    await conn.close()
    return TEMPLATE


@pytest.fixture(scope="session")
async def admin(cluster: Cluster) -> AsyncIterator[Conn]:
    """A connection to make databases with."""
    conn = await asyncpg.connect(cluster.url)
    yield conn
    await conn.close()


@pytest.fixture(scope="session")
async def used_again(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[UsedAgain]:
    """Databases that one test after another gets, emptied."""
    again = UsedAgain(cluster, template, admin)
    yield again
    await again.close()


@pytest.fixture
async def kept(used_again: UsedAgain) -> AsyncIterator[Kept]:
    """A database of this test's own, without rows."""
    kept = await used_again.take()
    yield kept
    await used_again.give_back(kept)


@pytest.fixture
def database(cluster: Cluster, kept: Kept) -> str:
    """The URL of a database without rows."""
    return cluster.url_of(kept.name)


@pytest.fixture
def pool(kept: Kept) -> Pool:
    """A pool on a database without rows, as ctrip opens it."""
    return kept.pool


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Conn]:
    """A connection to a database without rows."""
    async with pool.acquire() as conn:
        yield conn
