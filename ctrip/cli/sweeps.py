"""What `ctrip sweep` does with the database alone; its commands are in sweep.py."""

from typing import Final
from uuid import UUID

from msgspec.structs import replace

from ctrip.clock import SystemClock
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName, SweepId
from ctrip.core.sending import UNDER_WAY
from ctrip.core.sweep import WAITS, Drop, Sweep, SweepState, after
from ctrip.store import sendings, sweeps
from ctrip.store.pool import Conn, Pool, transaction

LISTED_MAX: Final = 10_000


async def list_open(conn: Conn, chain: str) -> list[Sweep]:
    """Return the sweeps that have not ended."""
    return await sweeps.list_open(conn, ChainName(chain) or None, count_max=LISTED_MAX)


async def retry(pool: Pool, wanted: str) -> Sweep:
    """Look at a sweep again now, whatever it waits for."""
    async with transaction(pool) as conn:
        sweep = await named(conn, wanted)
        now_is = replace(sweep, due_at=SystemClock().now(), tries=0)
        await sweeps.save(conn, now_is)
    return now_is


async def drop(pool: Pool, wanted: str) -> Sweep:
    """End a sweep that moves nothing; the money stays where it is, and is not planned again."""
    async with transaction(pool) as conn:
        sweep = await named(conn, wanted)
        sent = (await sendings.of_sweeps(conn, [sweep.id]))[sweep.id]
        if sweep.state not in WAITS or any(one.state in UNDER_WAY for one in sent):
            raise ConfigError("its transaction is under way, and may still be mined")
        dropped = after(sweep, Drop("dropped by hand"), now=SystemClock().now())
        await sweeps.save(conn, dropped)
    return dropped


async def named(conn: Conn, wanted: str) -> Sweep:
    """Return the sweep of an id, held; raise ConfigError if there is none that has not ended."""
    try:
        found = await sweeps.lock(conn, [SweepId(UUID(wanted))])
    except ValueError:
        found = []
    if not found or found[0].state in {SweepState.FINAL, SweepState.DROPPED}:
        raise ConfigError("there is no open sweep with this id; `ctrip sweep list` shows them")
    return found[0]
