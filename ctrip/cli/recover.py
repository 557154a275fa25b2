"""`ctrip webhooks recover`: orders that an endpoint gets again what it missed, and looks on.

The order is written down first. Whoever has time works it off, bit by bit: a gateway that runs,
or this command. What is broken off goes on by itself in the next gateway; nothing has to be
ordered twice. The command queues; only a gateway sends.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ctrip.clock import Clock
from ctrip.core.endpoints import EndpointId
from ctrip.core.errors import ConfigError, OutageError
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.replay import Replayer
from ctrip.flows.supervise import backoff_seconds
from ctrip.store import replays
from ctrip.store.pool import Pool, connection
from ctrip.store.replays import Replay

LOOK_SECONDS: Final = 0.5  # while another is at it, or the endpoint has enough to do
STUCK_SECONDS_MAX: Final = 15.0  # without a step; then nobody sends, and waiting is pointless
TRIES_MAX: Final = 5  # about ten seconds of a database that is away

COLUMNS: Final = (
    TextColumn("{task.description}"),
    BarColumn(),
    TaskProgressColumn(),
    TextColumn("{task.fields[queued]} queued"),
    TimeRemainingColumn(),
)


async def recover(
    endpoints: Endpoints,
    pool: Pool,
    clock: Clock,
    endpoint_id: EndpointId,
    *,
    since: datetime,
    until: datetime | None,
    event_types: Sequence[str] | None,
    delivered: bool,
) -> Replay:
    """Order a recovery, and follow it to its end or until it stands still."""
    begun = await endpoints.recover(
        endpoint_id, since=since, until=until, event_types=event_types, delivered=delivered
    )
    return await follow(begun, Replayer(pool, clock, asyncio.Event()), pool)


async def follow(
    begun: Replay, replayer: Replayer, pool: Pool, *, patience_seconds: float = STUCK_SECONDS_MAX
) -> Replay:
    """Work a recovery off, with whoever else does, and show how far it is."""
    now, loop = begun, asyncio.get_running_loop()
    moved_at = loop.time()
    console = Console(stderr=True)
    with Progress(*COLUMNS, console=console) as bar:
        shown = bar.add_task("looking through events", total=total(begun), queued=0)
        try:
            while now.ended_at is None and loop.time() - moved_at < patience_seconds:
                before = now.after
                if not await patiently(replayer):
                    await asyncio.sleep(LOOK_SECONDS)
                now = await stand_of(pool, begun)
                if now.after != before:
                    moved_at = loop.time()
                done = total(begun) if now.ended_at else now.after - begun.after
                bar.update(shown, completed=done, queued=now.queued)
        except asyncio.CancelledError:
            console.print("Stopped. `ctrip serve` goes on with it by itself.")
            raise
    return now


def total(begun: Replay) -> int:
    """Return how many places there are to look through."""
    return max(1, begun.last - begun.after)


async def patiently(replayer: Replayer) -> bool:
    """Do a pass, again and again while the database is away for a moment."""
    for failures in range(1, TRIES_MAX):
        try:
            return await replayer.run_once()
        except OutageError:
            await asyncio.sleep(backoff_seconds(failures))
    return await replayer.run_once()


async def stand_of(pool: Pool, begun: Replay) -> Replay:
    """Return a recovery as it is by now."""
    async with connection(pool) as conn:
        found = await replays.find(conn, begun.id)
    if found is None:
        raise ConfigError("the endpoint was deleted meanwhile, and the recovery with it")
    return found


def as_text(done: Replay) -> str:
    """Say what became of it."""
    queued = f"{done.queued} event{'' if done.queued == 1 else 's'} queued"
    if done.ended_at:
        return f"{queued}; `ctrip serve` sends them"
    return (
        f"{queued} so far. The endpoint has enough to do, or no gateway runs: `ctrip serve` goes "
        f"on with the rest by itself, and `ctrip webhooks show {done.endpoint_id}` says how far"
    )


def time_of(option: str, text: str) -> datetime:
    """Read a time as ISO 8601 has it; without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option}: must be a time such as 2026-01-01T00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
