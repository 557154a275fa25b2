"""Bring the database up to the newest file in migrations/. The only writer of `migrations`.

Files are NNNN_name.sql, plain SQL, applied in order, each in its own transaction, never
edited once released: a file whose text changed since it ran stops the start. An advisory
lock makes two starting processes take turns; a lock timeout keeps a migration from
queueing the whole shop behind one long reader.
"""

import hashlib
from pathlib import Path
from typing import Final

import asyncpg
from msgspec import Struct

from ctrip.core.errors import ConfigError
from ctrip.store.pool import Conn

FOLDER: Final = Path(__file__).parent.parent.parent / "migrations"


class Migration(Struct, frozen=True):
    """One file."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_files(folder: Path = FOLDER) -> list[Migration]:
    """Return a folder's migrations in order; raise ConfigError if they do not count 1, 2, 3."""
    files = sorted(folder.glob("*.sql"))
    numbers = [int(path.name[:4]) if path.name[:4].isdecimal() else 0 for path in files]
    found = [
        Migration(number, path.name, path.read_text())
        for number, path in zip(numbers, files, strict=True)
    ]
    if not found or [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ConfigError(f"{folder}: migrations must be numbered 0001, 0002, … without a hole")
    return found


LOCK = "SELECT pg_advisory_lock(7461237)"
UNLOCK = "SELECT pg_advisory_unlock(7461237)"
WAIT = "SET LOCAL lock_timeout = '4s'"
CREATE = """
CREATE TABLE IF NOT EXISTS migrations (
    number integer PRIMARY KEY,
    digest text NOT NULL,
    ran_at timestamptz NOT NULL DEFAULT now()
)
"""
APPLIED = "SELECT number, digest FROM migrations ORDER BY number"
RECORD = "INSERT INTO migrations (number, digest) VALUES ($1, $2)"


async def migrate(conn: Conn, files: list[Migration]) -> list[str]:
    """Apply what is missing; return the names of the files applied."""
    await conn.execute(LOCK)
    try:
        await conn.execute(CREATE)
        applied = {row["number"]: row["digest"] for row in await conn.fetch(APPLIED)}
        check(applied, files)
        missing = [migration for migration in files if migration.number not in applied]
        for migration in missing:
            await run(conn, migration)
        return [migration.name for migration in missing]
    finally:
        await conn.execute(UNLOCK)


def check(applied: dict[int, str], files: list[Migration]) -> None:
    """Refuse a database that was made by other files than ours."""
    if newer := sorted(applied.keys() - {m.number for m in files}):
        raise ConfigError(
            f"the database has migration {newer[-1]:04}, which this ctrip does not know: "
            f"it was used by a newer one; start that version, or restore a backup"
        )
    for migration in files:
        if applied.get(migration.number, migration.digest) != migration.digest:
            raise ConfigError(
                f"migrations/{migration.name} was edited after it ran on this database: "
                f"restore the released file, and put the change into a new one"
            )


async def run(conn: Conn, migration: Migration) -> None:
    """Apply one file, or leave no trace of it."""
    try:
        async with conn.transaction():
            await conn.execute(WAIT)
            await conn.execute(migration.text)
            await conn.execute(RECORD, migration.number, migration.digest)
    except asyncpg.LockNotAvailableError:
        raise ConfigError(
            f"migrations/{migration.name}: a table it changes is in use; stop other ctrip "
            f"processes and long reports, then start again"
        ) from None
