"""Derivation indexes: each is handed out once."""

import asyncio

import pytest

from ctrip.store import wallets
from ctrip.store.pool import Conn, Pool, connection, transaction


async def test_indexes_count_up_from_zero(conn: Conn) -> None:
    assert [await wallets.reserve(conn, "w", n) for n in (1, 5, 1)] == [0, 1, 6]
    assert await wallets.reserve(conn, "other", 1) == 0


async def test_reserves_at_the_same_time_never_overlap(pool: Pool) -> None:
    async def take(count: int) -> range:
        async with connection(pool) as conn:
            first = await wallets.reserve(conn, "w", count)
        return range(first, first + count)

    taken = await asyncio.gather(*(take(1 + n % 3) for n in range(50)))
    indexes = [index for span in taken for index in span]
    assert sorted(indexes) == list(range(len(indexes)))


async def test_what_fails_afterwards_gives_no_index_back(pool: Pool) -> None:
    async with connection(pool) as conn:
        assert await wallets.reserve(conn, "w", 1) == 0
    with pytest.raises(ZeroDivisionError):
        async with transaction(pool):
            raise ZeroDivisionError
    async with connection(pool) as conn:
        assert await wallets.reserve(conn, "w", 1) == 1
