"""How failures of Postgres are told apart, and that no secret is in what is said."""

import asyncpg
import pytest

from ctrip.core.errors import ConfigError, OutageError
from ctrip.core.view import payment_body
from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import payments
from ctrip.store import pool as store
from ctrip.store.pool import DatabaseOutage, Pool, connection, transaction
from tests.store.rows import WALLET, fresh


async def test_whole_numbers_of_any_size_and_json_pass(pool: Pool) -> None:
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT $1::numeric(78, 0)", 2**256 - 1) == 2**256 - 1
        assert await conn.fetchval("SELECT $1::jsonb", {"a": ["é", 1]}) == {"a": ["é", 1]}
        with pytest.raises(ValueError, match="invalid literal"):
            await conn.fetchval("SELECT 1.5::numeric")


async def test_a_transaction_that_fails_wrote_nothing(pool: Pool) -> None:
    async def fails() -> None:
        async with transaction(pool) as conn:
            await conn.execute("INSERT INTO wallets VALUES ('w', 1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with connection(pool) as conn:
        assert await conn.fetch("SELECT FROM wallets") == []


async def test_a_connection_that_is_cut_off_is_an_outage_and_the_next_one_works(pool: Pool) -> None:
    async def is_cut_off() -> None:
        async with transaction(pool) as conn:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseOutage, match="Postgres did not answer"):
        await is_cut_off()
    await store.ping(pool)


async def test_limits_are_those_of_the_session(pool: Pool) -> None:
    async with connection(pool) as conn:
        assert await conn.fetchval("SHOW lock_timeout") == "10s"
        assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"


async def test_a_row_that_is_held_too_long_is_an_outage(pool: Pool) -> None:
    async def is_kept_waiting() -> None:
        async with transaction(pool) as other:
            await other.execute("SET LOCAL lock_timeout = '10ms'")
            await other.execute("INSERT INTO wallets VALUES ('w', 1)")

    async with transaction(pool) as conn:
        await conn.execute("INSERT INTO wallets VALUES ('w', 1)")
        with pytest.raises(DatabaseOutage):
            await is_kept_waiting()


@pytest.mark.parametrize(
    ("url", "family"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/x", OutageError),
        ("postgresql://me:s3cret@/x?host=/nowhere/at/all", OutageError),
        ("not a url s3cret", ConfigError),
        ("mysql://me:s3cret@127.0.0.1/x", ConfigError),
    ],
)
async def test_what_is_wrong_with_an_address_is_said_without_it(
    url: str, family: type[Exception]
) -> None:
    with pytest.raises(family) as caught:
        _ = await store.connect(Secret(url), size_max=4)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_database_that_is_not_there_is_for_the_operator(database: str) -> None:
    with pytest.raises(ConfigError, match="Postgres refused it"):
        _ = await store.connect(Secret(database.replace("/test_", "/nobody_")), size_max=4)


async def test_times_are_told_in_utc_wherever_postgres_lives(database: str) -> None:
    conn = await asyncpg.connect(database)
    name = await conn.fetchval("SELECT current_database()")
    await conn.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Kolkata'")
    await conn.close()
    pool = await store.connect(Secret(database), size_max=4)
    try:
        async with connection(pool) as ours:
            payment = fresh()
            await payments.insert(ours, [payment], wallet=WALLET)
            found = await payments.find(ours, payment.id)
        assert found is not None
        assert payment_body(found) == payment_body(payment)
    finally:
        pool.terminate()


async def test_a_database_that_was_never_set_up_is_for_the_operator(cluster: Cluster) -> None:
    pool = await store.connect(Secret(cluster.create("bare")), size_max=4)
    try:
        with pytest.raises(ConfigError, match="ctrip migrate"):
            async with connection(pool) as conn:
                await conn.fetch("SELECT FROM payments")
    finally:
        pool.terminate()
        cluster.drop("bare")
