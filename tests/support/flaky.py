"""A pool whose connection dies at the n-th statement, or counts them.

    dying = FlakyPool(pool, dies_at=3)
    await verb(dying)                    # two statements are sent, then the connection is gone
    calm = FlakyPool(pool)
    await verb(calm)
    calm.statements                      # all that were sent, BEGIN and COMMIT included

The connection dies as it does in life: its backend is cut off and the statement fails as
asyncpg fails. Statements are counted in the order they are sent, over all connections.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg

from ctrip.store.pool import Pool


class FlakyPool:
    """As much of a pool as ctrip uses."""

    def __init__(self, pool: Pool, *, dies_at: int | None = None) -> None:
        self.statements: list[str] = []
        self._pool = pool
        self._dies_at = dies_at

    @property
    def died(self) -> bool:
        return self._dies_at is not None and len(self.statements) >= self._dies_at

    def as_pool(self) -> Pool:
        return cast("Pool", self)

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator["FlakyConn"]:  # noqa: ASYNC109
        async with self._pool.acquire(timeout=timeout) as conn:
            yield FlakyConn(self, conn)

    def sends(self, statement: str, conn: Any) -> None:
        """Count a statement; on the n-th the connection is gone."""
        self.statements.append(statement)
        if len(self.statements) == self._dies_at:
            conn.terminate()
            raise asyncpg.ConnectionDoesNotExistError("cut off by the test")


class FlakyConn:
    """As much of a connection as ctrip uses."""

    def __init__(self, pool: FlakyPool, conn: Any) -> None:
        self._pool = pool
        self._conn = conn

    async def execute(self, query: str, *args: object) -> str:
        self._pool.sends(query, self._conn)
        return cast("str", await self._conn.execute(query, *args))

    async def fetch(self, query: str, *args: object) -> Any:
        self._pool.sends(query, self._conn)
        return await self._conn.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Any:
        self._pool.sends(query, self._conn)
        return await self._conn.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        self._pool.sends(query, self._conn)
        return await self._conn.fetchval(query, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._pool.sends("BEGIN", self._conn)
        within = self._conn.transaction()
        await within.start()
        try:
            yield
        except BaseException:
            if not self._conn.is_closed():
                await within.rollback()
            raise
        self._pool.sends("COMMIT", self._conn)
        await within.commit()
