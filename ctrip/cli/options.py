"""What commands have in common: --config and --json, the configuration, and the database."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from ctrip.config import load
from ctrip.settings import Settings
from ctrip.store.pool import Conn, Pool, connect, connection

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="config.toml; else $CTRIP_CONFIG, ./config.toml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

KEY_VARIABLE: Final = "CTRIP_API_KEY"
SECRET_VARIABLE: Final = "CTRIP_LISTEN_SECRET"  # noqa: S105  the name of a variable
# What whoever asks a gateway sets; a gateway that is started beside it has no use for it.
OF_CLIENTS: Final = {KEY_VARIABLE, SECRET_VARIABLE}

POOL_SIZE_MAX: Final = 2  # connections; a command does one thing after another


def settings_of(config: Path | None) -> Settings:
    """Read the configuration, or raise all that is wrong with it."""
    return load(config, {k: v for k, v in os.environ.items() if k not in OF_CLIENTS})


def with_database(settings: Settings, work: Callable[[Conn], Awaitable[T]]) -> T:
    """Do one thing with a connection."""

    async def on_connection(pool: Pool) -> T:
        async with connection(pool) as conn:
            return await work(conn)

    return with_pool(settings, on_connection)


def with_pool(settings: Settings, work: Callable[[Pool], Awaitable[T]]) -> T:
    """Do one thing with a pool."""

    async def run() -> T:
        pool = await connect(settings.database.url, size_max=POOL_SIZE_MAX)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())
