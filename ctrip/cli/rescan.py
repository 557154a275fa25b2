"""`ctrip rescan`: read a range of blocks again, whether or not a gateway runs beside it.

The range is written down before it is read. Broken off, it goes on where it stood: by the
same command, or by a gateway that runs.
"""

import asyncio
from typing import Final

from msgspec import Struct, json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ctrip.cli.chains import network_of, outsides
from ctrip.clock import Clock
from ctrip.core.errors import OutageError
from ctrip.core.ids import BlockNumber
from ctrip.flows.rescan import WINDOWS_AT_ONCE_MAX, Rescanner, Step, ask
from ctrip.flows.supervise import backoff_seconds
from ctrip.settings import Settings
from ctrip.store import rescans
from ctrip.store.pool import Pool, connection
from ctrip.store.rescans import Rescan

RACED_SECONDS: Final = 1.0  # a gateway reads the same range: look again how far it came

TRIES_MAX: Final = 5  # about ten seconds; an outage that lasts ends the command, not the range


class Rescanned(Struct, frozen=True, kw_only=True):
    """What became of the command, as --json prints it."""

    chain: str
    first: BlockNumber
    last: BlockNumber
    blocks_read: int  # by this command and by others meanwhile
    blocks_left: int  # that are not final yet
    transfers: int  # on record in the range
    transfers_found: int  # of these, now


async def rescan(settings: Settings, chain: str, first: int, last: int) -> Rescanned:
    """Read a range of a chain to its end, or as far as it is final."""
    network = network_of(settings.networks, chain)
    async with outsides(settings, [network], connections=WINDOWS_AT_ONCE_MAX) as it:
        rescanner = Rescanner(
            network.chain,
            it.clients[network.chain.name],
            it.pool,
            it.clock,
            asyncio.Event(),  # a gateway's senders look by themselves, once a second
        )
        return await run(rescanner, it.pool, it.clock, BlockNumber(first), BlockNumber(last))


async def run(
    rescanner: Rescanner, pool: Pool, clock: Clock, first: BlockNumber, last: BlockNumber
) -> Rescanned:
    """Order the range and read it, showing how far it is."""
    name = rescanner.chain.name
    async with connection(pool) as conn:
        begun = await ask(conn, name, first, last, now=clock.now())
        before = await rescans.count_on_record(conn, name, first, last)
    ended = await read(rescanner, pool, begun)
    async with connection(pool) as conn:
        after = await rescans.count_on_record(conn, name, first, last)
    return Rescanned(
        chain=name,
        first=first,
        last=last,
        blocks_read=ended.next - begun.next,
        blocks_left=ended.last - ended.next + 1,
        transfers=after,
        transfers_found=after - before,
    )


async def read(rescanner: Rescanner, pool: Pool, begun: Rescan) -> Rescan:
    """Read on until the range ends or the rest of it is not final."""
    now, reads = begun, True
    console = Console(stderr=True)
    with Progress(*COLUMNS, console=console) as bar:
        task = bar.add_task(
            f"{begun.chain} {begun.first}..{begun.last}",
            total=begun.last - begun.first + 1,
            completed=begun.next - begun.first,
        )
        try:
            while reads and now.ended_at is None:
                step = await patiently(rescanner, now)
                reads = step.raced or step.blocks > 0
                if step.raced:
                    await asyncio.sleep(RACED_SECONDS)
                now = await stand_of(pool, begun)
                bar.update(task, completed=now.next - begun.first)
        except asyncio.CancelledError:
            console.print(
                f"Stopped before block {now.next}. The same command goes on from there, and so "
                f"does `ctrip serve` by itself."
            )
            raise
    return now


COLUMNS: Final = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


async def patiently(rescanner: Rescanner, now: Rescan) -> Step:
    """Do a pass, again and again while the outside is down for a moment."""
    for failures in range(1, TRIES_MAX):
        try:
            return await rescanner.read(now)
        except OutageError:
            await asyncio.sleep(backoff_seconds(failures))
    return await rescanner.read(now)


async def stand_of(pool: Pool, begun: Rescan) -> Rescan:
    """Return a rescan as it is by now."""
    async with connection(pool) as conn:
        return await rescans.find(conn, begun.id) or begun


def as_text(done: Rescanned) -> str:
    """Say what became of it."""
    text = (
        f"{done.blocks_read} blocks read; {done.transfers} transfers to addresses of ours are on "
        f"record in {done.first}..{done.last}, {done.transfers_found} of them found now"
    )
    if done.blocks_left:
        text += (
            f"\nthe last {done.blocks_left} blocks are not final yet: `ctrip serve` reads them "
            f"again when they are"
        )
    return text


def as_json(done: Rescanned) -> str:
    """Return it as JSON."""
    return json.format(json.encode(done)).decode()
