"""Databases that are used again, each with its pool: a fresh one costs more than a test.

    again = UsedAgain(cluster, template, admin)
    kept = await again.take()       # as the migrations leave it: no row, every count at its start
    ...
    await again.give_back(kept)

What a test may have changed beside rows is looked for when it is over: the schema, another
connection, one that is busy, a lock that is held, tables grown large. A database of which any
of that is true is dropped, and so is one that no longer answers.
"""

from itertools import count
from typing import Final, NamedTuple

import asyncpg

from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.pool import Conn, Pool

POOL_SIZE_MAX: Final = 16
GROWN_BYTES: Final = 1 << 19  # of all tables; dead rows are read by whoever scans

# Every change of a definition writes a new row of a catalogue, with the writer's number in it.
SCHEMA: Final = """
SELECT md5(string_agg(kind || oid || ' ' || xmin, ',' ORDER BY kind, oid)) FROM (
    SELECT 'c' AS kind, oid, xmin FROM pg_class
    UNION ALL SELECT 't', oid, xmin FROM pg_trigger
    UNION ALL SELECT 'p', oid, xmin FROM pg_proc
    UNION ALL SELECT 'k', oid, xmin FROM pg_constraint
) all_of_them WHERE oid >= 16384
"""
SIZE: Final = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND oid > 16383"
UNSETTLED: Final = """
SELECT count(*) <> $2 OR count(*) FILTER (WHERE state <> 'idle') > 0
    OR EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = $1 AND l.locktype = 'advisory')
FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'
"""
EMPTY: Final = """
DO $$ DECLARE name text; filled boolean; BEGIN
  SET LOCAL session_replication_role = replica;
  SET LOCAL lock_timeout = '100ms';
  FOR name IN SELECT oid::regclass FROM pg_class
    WHERE relkind = 'r' AND oid >= 16384 AND relname <> 'migrations' AND pg_relation_size(oid) > 0
  LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
  PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""


class Kept(NamedTuple):
    """A database with its pool."""

    name: str
    pool: Pool
    schema: str


class UsedAgain:
    """Makes databases, and lends again what is as it was."""

    def __init__(
        self, cluster: Cluster, template: str, admin: Conn, *, prefix: str = "test"
    ) -> None:
        self._prefix = prefix
        self._cluster = cluster
        self._template = template
        self._admin = admin
        self._numbers = count(1)
        self._free: list[Kept] = []

    async def take(self) -> Kept:
        """Return a database without rows that is nobody else's."""
        if self._free:
            return self._free.pop()
        name = f"{self._prefix}_{next(self._numbers)}"
        await self._admin.execute(
            f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy"
        )
        pool = await store.connect(Secret(self._cluster.url_of(name)), size_max=POOL_SIZE_MAX)
        return Kept(name, pool, str(await pool.fetchval(SCHEMA)))

    async def give_back(self, kept: Kept) -> None:
        """Keep it for others, or drop it with all that is connected."""
        if await self.is_as_it_was(kept):
            self._free.append(kept)
        else:
            await self._drop(kept)

    async def close(self) -> None:
        for kept in self._free:
            await self._drop(kept)

    async def is_as_it_was(self, kept: Kept) -> bool:
        """Empty it, and tell whether that was all there was to do."""
        size = kept.pool.get_size()
        if not size or size != kept.pool.get_idle_size():
            return False
        try:
            async with kept.pool.acquire() as conn:
                await conn.execute(EMPTY)
                schema, grown = await conn.fetchval(SCHEMA), await conn.fetchval(SIZE)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False
        unsettled = await self._admin.fetchval(UNSETTLED, kept.name, size)
        return bool(schema == kept.schema and grown < GROWN_BYTES and not unsettled)

    async def _drop(self, kept: Kept) -> None:
        kept.pool.terminate()
        await self._admin.execute(f"DROP DATABASE {kept.name} WITH (FORCE)")
