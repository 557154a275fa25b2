"""A real Postgres for the session, and a migrated database of its own for every test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from ctrip.dev import postgres
from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.migrate import migrate, read_files
from ctrip.store.pool import Conn, Pool
from tests.support.memory import memory
from tests.support.warm_ctrip import WarmCtrip, warm_ctrip

TEMPLATE = "migrated"
POOL_SIZE_MAX = 16
NUMBERS = count(1)
LONGEST = {"e2e", "test_sender_machine.py", "test_random_reorgs.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest go first: one that began last would be waited for by everybody."""
    items.sort(key=lambda item: not LONGEST & {item.path.parent.name, item.path.name})


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


@pytest.fixture
async def database(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[str]:
    """The URL of a fresh database."""
    name = f"test_{next(NUMBERS)}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield cluster.url_of(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool on a fresh database, as ctrip opens it."""
    pool = await store.connect(Secret(database), size_max=POOL_SIZE_MAX)
    yield pool
    pool.terminate()


@pytest.fixture
async def conn(pool: Pool) -> AsyncIterator[Conn]:
    """A connection to a fresh database."""
    async with pool.acquire() as conn:
        yield conn
