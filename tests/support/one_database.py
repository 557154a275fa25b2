"""One database for a folder of tests, emptied before each: a fresh one takes longer than a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.pool import Conn, Pool

POOL_SIZE_MAX: Final = 4  # connections

# A table with a few rows is emptied ten times faster than it is truncated. The wallet's next
# index stays: no address is given out twice.
EMPTY: Final = """
DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT IN ('migrations', 'wallets')
  LOOP EXECUTE 'DELETE FROM ' || quote_ident(name); END LOOP;
END $$
"""


@asynccontextmanager
async def one_database(
    name: str, cluster: Cluster, template: str, admin: Conn
) -> AsyncIterator[Pool]:
    """Lend a pool on a migrated database of this name."""
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    pool = await store.connect(Secret(cluster.url_of(name)), size_max=POOL_SIZE_MAX)
    yield pool
    pool.terminate()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
