"""Where `ctrip webhooks` works: the endpoints of the configured database, without a gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer
from msgspec import Struct, json

from ctrip.cli.options import settings_of, with_pool
from ctrip.clock import SystemClock
from ctrip.settings import Log, secrets_of
from ctrip.store.pool import Pool

if TYPE_CHECKING:
    from ctrip.flows.endpoints import Endpoints

T = TypeVar("T")


class Desk(Struct, frozen=True):
    """What a command works with."""

    pool: Pool
    endpoints: "Endpoints"
    clock: SystemClock


def at_desk(config: Path | None, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do one thing with the endpoints of the configured database."""
    from ctrip import logs
    from ctrip.flows.endpoints import Endpoints
    from ctrip.flows.stops import Stops
    from ctrip.webhooks.guard import Guard

    settings = settings_of(config)
    ours = settings.webhooks
    logs.configure(Log(level="error", format="text"), secrets_of(settings))
    guard, clock = Guard(ours.allow_cidrs), SystemClock()

    async def on_pool(pool: Pool) -> T:
        # Nobody here waits for news, or sends: a gateway looks by itself, once a second.
        endpoints = Endpoints(pool, guard, ours, clock, asyncio.Event(), Stops())
        return await work(Desk(pool, endpoints, clock))

    return with_pool(settings, on_pool)


def say(value: object, text: str, *, as_json: bool) -> None:
    """Print one of the two."""
    typer.echo(json.format(json.encode(value)).decode() if as_json else text)
