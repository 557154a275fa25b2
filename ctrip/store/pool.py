"""How ctrip connects to Postgres, the types it speaks, and what its failures mean.

All work goes through `connection` or `transaction`, which turn every passing fault of
Postgres into DatabaseOutage. The same exception can mean "committed" and "not
committed": a connection that dies while COMMIT is on its way tells nothing. So nobody
repeats a write on an outage; whoever wants to know reads again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg
from msgspec import json

from ctrip.core.errors import ConfigError, OutageError
from ctrip.settings import Secret

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Conn: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Conn = asyncpg.Connection
    Pool = asyncpg.Pool

ACQUIRE_SECONDS_MAX: Final = 5.0  # then the caller hears 503 instead of waiting in line
STATEMENT_SECONDS_MAX: Final = 30.0  # the largest window of blocks takes well under one
LOCK_SECONDS_MAX: Final = 10.0

# Named by what passes: connections die, servers restart, fill up, and take turns.
PASSING: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # disk full, too many connections, out of memory
    asyncpg.TransactionRollbackError,  # serialization, deadlock
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)


class DatabaseOutage(OutageError):
    """Postgres did not answer. Whether a commit under way took place is unknown."""


async def connect(url: Secret, *, size_max: int) -> Pool:
    """Open the pool; raise ConfigError where waiting would not help."""
    try:
        return await asyncpg.create_pool(
            url.reveal(),
            min_size=1,
            max_size=size_max,
            init=speak,
            reset=keep,
            command_timeout=STATEMENT_SECONDS_MAX,
            server_settings={
                "application_name": "ctrip",
                "timezone": "UTC",  # JSON that Postgres writes spells times in its own zone
                "lock_timeout": f"{LOCK_SECONDS_MAX}s",
                "idle_in_transaction_session_timeout": f"{STATEMENT_SECONDS_MAX}s",
            },
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as e:
        raise ConfigError(
            f"[database] url: Postgres refused it ({e.sqlstate}); check user, password and database"
        ) from None
    except ValueError:
        raise ConfigError("[database] url: is not a postgresql:// address") from None
    except PASSING as error:
        raise DatabaseOutage(f"Postgres cannot be reached ({type(error).__name__})") from None


async def speak(conn: Conn) -> None:
    """Read numeric as int, refusing what is not whole, and jsonb as values."""
    await conn.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=int, format="text"
    )
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: json.encode(value).decode(),
        decoder=json.decode,
        format="text",
    )


async def keep(_conn: Conn) -> None:
    """Return a connection as it is: we set nothing on a session, so a round trip is saved."""


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Conn]:
    """Lend a connection for statements that each stand alone."""
    try:
        async with pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as conn:
            yield conn
    except PASSING as error:
        raise DatabaseOutage(f"Postgres did not answer ({type(error).__name__})") from error
    except asyncpg.UndefinedTableError:
        raise ConfigError("the database is not set up: run `ctrip migrate`") from None


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Conn]:
    """Lend a connection inside a transaction: all of it happens, or none."""
    async with connection(pool) as conn, conn.transaction():
        yield conn


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Conn]:
    """Lend a connection whose statements all see the same moment, and write nothing."""
    async with (
        connection(pool) as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield conn


PING = "SELECT 1"


async def ping(pool: Pool) -> None:
    """Raise DatabaseOutage unless Postgres answers."""
    async with connection(pool) as conn:
        await conn.fetchval(PING)
