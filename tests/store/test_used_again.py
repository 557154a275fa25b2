"""A test gets a database as the migrations leave it, whatever the one before did to its own."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from ctrip.dev.postgres import Cluster
from ctrip.store.pool import Conn
from tests.support.used_again import GROWN_BYTES, UsedAgain

NEXT = "INSERT INTO wallets (fingerprint, next_index) VALUES ('w', 7)"


@pytest.fixture
async def again(cluster: Cluster, template: str, admin: Conn) -> AsyncIterator[UsedAgain]:
    again = UsedAgain(cluster, template, admin, prefix="again")
    yield again
    await again.close()


async def test_rows_are_gone_and_counts_begin_anew(again: UsedAgain) -> None:
    first = await again.take()
    await first.pool.execute(NEXT)
    [(name, start)] = await first.pool.fetch(
        "SELECT seqrelid::regclass::text, seqstart FROM pg_sequence LIMIT 1"
    )
    await first.pool.fetchval(f"SELECT setval('{name}', {start + 40})")
    await again.give_back(first)
    second = await again.take()
    assert second == first
    assert not await second.pool.fetch("SELECT FROM wallets")
    assert await second.pool.fetchval(f"SELECT nextval('{name}')") == start
    await again.give_back(second)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE left_behind ()",
        "ALTER TABLE api_keys DISABLE TRIGGER USER",
        "ALTER TABLE payments ADD COLUMN left_behind text",
        "CREATE INDEX left_behind ON wallets (next_index)",
        "ALTER FUNCTION revise_key() COST 7",
        "SELECT pg_advisory_lock(7)",
        f"INSERT INTO wallets SELECT 'w' || i, i FROM generate_series(1, {GROWN_BYTES // 40}) i",
    ],
)
async def test_what_is_more_than_rows_ends_a_database(again: UsedAgain, change: str) -> None:
    first = await again.take()
    await first.pool.execute(change)
    await again.give_back(first)
    second = await again.take()
    assert second.name != first.name
    await again.give_back(second)


async def test_who_is_still_connected_or_busy_ends_a_database(
    again: UsedAgain, cluster: Cluster
) -> None:
    kept = await again.take()
    assert await again.is_as_it_was(kept)
    async with kept.pool.acquire():
        assert not await again.is_as_it_was(kept)
    stranger = await asyncpg.connect(cluster.url_of(kept.name))
    assert not await again.is_as_it_was(kept)
    await stranger.close()
    await again.give_back(kept)
