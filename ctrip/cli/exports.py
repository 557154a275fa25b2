"""What `ctrip sweep export` and `import` do with the database and a chain.

What comes back is our own file, or raw transactions as other programs print them: in hex, one a
line.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from ctrip.assembly import wallets_of
from ctrip.chain.transactor import Transactor
from ctrip.cli.chains import network_of, outsides
from ctrip.cli.offline import bundle_of, text_in
from ctrip.cli.sweeps import LISTED_MAX
from ctrip.clock import Clock
from ctrip.core import refund, sweep
from ctrip.core.bundles import ToSend, ToSign
from ctrip.core.chains import Chain
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName
from ctrip.core.payment import Settles
from ctrip.core.refund import Refund
from ctrip.core.returned import read
from ctrip.core.sweep import Sweep
from ctrip.flows.export import EXPORTED, Exporter
from ctrip.flows.follow import Follower
from ctrip.flows.take import Taker
from ctrip.settings import Network, Settings
from ctrip.store import refunds, sweeps
from ctrip.store.pool import Pool, connection

POOL_SIZE_MAX: Final = 4
RAW: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)", re.ASCII)

T = TypeVar("T")
Common = tuple[Chain, Transactor, Pool, Clock, asyncio.Event, None]  # to a duty that moves money


class Raws(Struct, frozen=True):
    """Raw transactions of one chain, in 0x and lower-case hex."""

    chain_id: int
    transactions: tuple[str, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """What an import took."""

    signed: int  # that were not on record before
    transactions: int


async def export(settings: Settings, chain: str) -> tuple[ToSign, list[str]]:
    """Return what is to be signed for a chain, and why other sweeps are not in it."""

    async def work(common: Common, pool: Pool) -> tuple[ToSign, list[str]]:
        bundle = await Exporter(*common, wallets_of(settings)).export()
        async with connection(pool) as conn:
            left = await sweeps.list_open(conn, ChainName(chain), count_max=LISTED_MAX)
            owed = await refunds.list_open(conn, ChainName(chain), count_max=LISTED_MAX)
        waiting = [f"sweep {one.id}: {one.why}" for one in left if is_left(one)]
        return bundle, waiting + [f"refund {one.id}: {one.why}" for one in owed if is_owed(one)]

    network = network_of(settings.networks, chain)
    if network.chain.settlement.mode is not Settles.EXPORT:
        raise ConfigError(f'{chain} is not settled by export; set mode = "export" for it')
    return await on_chain(settings, network, work)


def is_left(one: Sweep) -> bool:
    """Tell whether a sweep waits for something else than its signatures."""
    return one.state in sweep.WAITS and bool(one.why) and one.why != EXPORTED


def is_owed(one: Refund) -> bool:
    """Tell the same of a refund."""
    return one.state in refund.WAITS and bool(one.why) and one.why != refund.EXPORTED


def signatures_in(file: Path) -> ToSend | Raws:
    """Read what came back; raise ConfigError."""
    text = text_in(file)
    if text.lstrip()[:1] == b"{":
        return bundle_of(file, text, ToSend)
    lines = [line for line in text.decode("ascii", "replace").splitlines() if line.strip()]
    found, chain_ids = [], set()
    for place, line in enumerate(lines, start=1):
        raw = RAW.fullmatch(line.strip())
        if raw is None:
            raise ConfigError(
                f"{file}: transaction {place} is no hex; give the file that `ctrip sweep sign`"
                " wrote, or raw signed transactions, one a line, as 0x and hex"
            )
        came = read(bytes.fromhex(raw[1]))
        if isinstance(came, str):
            raise ConfigError(f"{file}: transaction {place} {came}")
        found.append("0x" + raw[1].lower())
        chain_ids.add(came.outgoing.chain_id)
    if len(chain_ids) != 1:
        of = " and ".join(map(str, sorted(chain_ids)))
        why = f"is of the chains {of}; give a file for each" if of else "holds no transaction"
        raise ConfigError(f"{file}: {why}")
    return Raws(chain_ids.pop(), tuple(found))


async def take(settings: Settings, came: ToSend | Raws) -> Taken:
    """Take signatures that came back, and show nodes what may be shown.

    A refund may come back when its chain is not settled by exports any more.
    """

    async def work(common: Common, _: Pool) -> Taken:
        taker = Taker(*common)
        if isinstance(came, ToSend):
            new = await taker.take(came)
        else:
            new = await taker.take_raw(came.transactions)
        await Follower(*common).run_once()
        return Taken(signed=new, transactions=len(came.transactions))

    if isinstance(came, ToSend):
        return await on_chain(settings, network_of(settings.networks, came.chain), work)
    return await on_chain(settings, network_with(settings, came.chain_id), work)


def network_with(settings: Settings, chain_id: int) -> Network:
    """Return the network of a chain id."""
    found = [one for one in settings.networks if one.chain.chain_id == chain_id]
    if not found:
        raise ConfigError(f"the chain {chain_id} is not served; add it to [chains] use")
    return found[0]


async def on_chain(
    settings: Settings, network: Network, work: Callable[[Common, Pool], Awaitable[T]]
) -> T:
    """Do something with what a duty of a chain's money is given."""
    async with outsides(settings, [network], connections=POOL_SIZE_MAX) as it:
        transactor = it.clients[network.chain.name].transactor()
        # A gateway's senders look by themselves, once a second.
        return await work(
            (network.chain, transactor, it.pool, it.clock, asyncio.Event(), None), it.pool
        )
