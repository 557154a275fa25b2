"""Migrations: once, in order, by one process at a time, or with a sentence that says why not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from ctrip.core.errors import ConfigError
from ctrip.dev.postgres import Cluster
from ctrip.store.migrate import Migration, migrate, read_files
from ctrip.store.pool import Conn

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE one (n int); CREATE INDEX i ON one (n)")
SECOND = Migration(2, "0002_second.sql", "ALTER TABLE one ADD COLUMN m int")
BROKEN = Migration(2, "0002_broken.sql", "CREATE TABLE two (n int); SELECT no_such_column FROM two")


@pytest.fixture
async def empty(cluster: Cluster, admin: Conn) -> AsyncIterator[str]:
    """The URL of a database without a schema."""
    await admin.execute("CREATE DATABASE unmigrated STRATEGY file_copy")
    yield cluster.url_of("unmigrated")
    await admin.execute("DROP DATABASE unmigrated WITH (FORCE)")


@pytest.fixture
async def bare(empty: str) -> AsyncIterator[Conn]:
    conn = await asyncpg.connect(empty)
    yield conn
    await conn.close()


async def test_what_is_missing_is_applied_once(bare: Conn) -> None:
    assert await migrate(bare, [FIRST]) == ["0001_first.sql"]
    assert await migrate(bare, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await migrate(bare, [FIRST, SECOND]) == []
    assert await bare.fetch("SELECT n, m FROM one") == []


async def test_ours_make_a_fresh_database_and_rest(bare: Conn) -> None:
    files = read_files()
    assert await migrate(bare, files) == [file.name for file in files]
    assert await migrate(bare, files) == []


async def test_a_file_that_was_edited_after_it_ran_is_refused(bare: Conn) -> None:
    await migrate(bare, [FIRST])
    edited = Migration(1, FIRST.name, FIRST.text + " -- better")
    with pytest.raises(ConfigError, match=r"0001_first.sql was edited after it ran .* restore"):
        await migrate(bare, [edited, SECOND])
    with pytest.raises(asyncpg.UndefinedColumnError):
        await bare.fetch("SELECT m FROM one")


async def test_a_database_of_a_newer_version_is_refused(bare: Conn) -> None:
    await migrate(bare, [FIRST, SECOND])
    with pytest.raises(ConfigError, match=r"has migration 0002, which this ctrip does not know"):
        await migrate(bare, [FIRST])


async def test_a_migration_that_fails_leaves_no_trace(bare: Conn) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(bare, [FIRST, BROKEN])
    assert await bare.fetchval("SELECT to_regclass('two')") is None
    assert await migrate(bare, [FIRST, SECOND]) == ["0002_second.sql"], "the lock was given back"


async def test_a_migration_that_is_interrupted_leaves_no_trace(bare: Conn, empty: str) -> None:
    await migrate(bare, [FIRST])
    cut = Migration(
        2, "0002_cut.sql", "CREATE TABLE two (); SELECT pg_terminate_backend(pg_backend_pid())"
    )
    dying = await asyncpg.connect(empty)
    with pytest.raises(
        (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError)
    ):
        await migrate(dying, [FIRST, cut])
    assert await bare.fetchval("SELECT to_regclass('two')") is None
    assert await migrate(bare, [FIRST, SECOND]) == ["0002_second.sql"]


async def test_processes_that_start_together_take_turns(empty: str) -> None:
    files = read_files()

    async def one() -> list[str]:
        conn = await asyncpg.connect(empty)
        try:
            return await migrate(conn, files)
        finally:
            await conn.close()

    applied = await asyncio.gather(*(one() for _ in range(4)))
    assert sorted(applied) == [[], [], [], [file.name for file in files]]


async def test_a_table_in_use_is_said_so(bare: Conn, empty: str) -> None:
    await migrate(bare, [FIRST])
    impatient = Migration(2, SECOND.name, "SET LOCAL lock_timeout = '10ms'; " + SECOND.text)
    other = await asyncpg.connect(empty)
    async with other.transaction():
        await other.execute("LOCK TABLE one")
        with pytest.raises(ConfigError, match=r"0002_second.sql: a table it changes is in use"):
            await migrate(bare, [FIRST, impatient])
    await other.close()
    assert await migrate(bare, [FIRST, SECOND]) == ["0002_second.sql"]


@pytest.mark.parametrize(
    "names",
    [[], ["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"], ["first.sql"]],
)
def test_files_that_do_not_count_up_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(ConfigError, match="must be numbered 0001, 0002, … without a hole"):
        read_files(tmp_path)
