"""What `ctrip sweep` does with the database and a chain; its commands are in sweep.py."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ctrip.cli.chains import network_of, outsides
from ctrip.clock import SystemClock
from ctrip.core.bundles import ToSend, ToSign
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName, RawAddress, SweepId
from ctrip.core.payment import Settles
from ctrip.core.sending import UNDER_WAY
from ctrip.core.sweep import WAITS, Drop, Sweep, SweepState, after
from ctrip.flows.export import EXPORTED, Exporter
from ctrip.flows.follow import Follower
from ctrip.settings import Settings
from ctrip.store import sendings, sweeps
from ctrip.store.pool import Conn, Pool, connection, transaction

LISTED_MAX: Final = 10_000
POOL_SIZE_MAX: Final = 4

T = TypeVar("T")


class Taken(Struct, frozen=True, kw_only=True):
    """What an import took."""

    signed: int  # that were not on record before
    transactions: int


async def export(settings: Settings, chain: str) -> tuple[ToSign, list[str]]:
    """Return what is to be signed for a chain, and why other sweeps are not in it."""

    async def work(exporter: Exporter, _: Follower, pool: Pool) -> tuple[ToSign, list[str]]:
        bundle = await exporter.export()
        async with connection(pool) as conn:
            left = await sweeps.list_open(conn, ChainName(chain), count_max=LISTED_MAX)
        return bundle, [f"sweep {one.id}: {one.why}" for one in left if one.why and is_left(one)]

    return await on_chain(settings, chain, work)


def is_left(one: Sweep) -> bool:
    """Tell whether a sweep waits for something else than its signatures."""
    return one.state in WAITS and one.why != EXPORTED


async def take(settings: Settings, signed: ToSend) -> Taken:
    """Take signatures that came back, and show nodes what may be shown."""

    async def work(exporter: Exporter, follower: Follower, _: Pool) -> Taken:
        new = await exporter.take(signed)
        await follower.run_once()
        return Taken(signed=new, transactions=len(signed.transactions))

    return await on_chain(settings, signed.chain, work)


async def on_chain(
    settings: Settings, chain: str, work: Callable[[Exporter, Follower, Pool], Awaitable[T]]
) -> T:
    """Do something with what exports and follows a chain's sweeps."""
    network = network_of(settings.networks, chain)
    if network.chain.settlement.mode is not Settles.EXPORT:
        raise ConfigError(f'{chain} is not settled by export; set mode = "export" for it')
    async with outsides(settings, [network], connections=POOL_SIZE_MAX) as it:
        transactor = it.clients[network.chain.name].transactor()
        # A gateway's senders look by themselves, once a second.
        common = (network.chain, transactor, it.pool, it.clock, asyncio.Event(), None)
        gas_wallet = RawAddress(settings.settlement.gas_wallet.lower())
        exporter = Exporter(*common, gas_wallet=gas_wallet)
        return await work(exporter, Follower(*common), it.pool)


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
