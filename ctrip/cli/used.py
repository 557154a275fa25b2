"""`ctrip sweep used`: say which transaction used the nonce of an exported refund."""

import asyncio
import re
from typing import Final
from uuid import UUID

from ctrip.cli.chains import network_of, outsides
from ctrip.cli.options import with_database
from ctrip.core.errors import ConfigError
from ctrip.core.ids import RefundId, TxHash
from ctrip.core.refund import Refund
from ctrip.flows.adopt import Adopter
from ctrip.flows.follow import Follower
from ctrip.settings import Settings
from ctrip.store import refunds

POOL_SIZE_MAX: Final = 4
HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)


def used(settings: Settings, wanted: str, by: str) -> str:
    """Look the transaction up, and return what follows for the refund."""
    if not HASH.fullmatch(by):
        raise ConfigError("--by: must be the hash of a transaction, 0x and 64 digits")
    refund = refund_of(settings, wanted)
    return asyncio.run(look(settings, refund, TxHash(by.lower())))


def refund_of(settings: Settings, wanted: str) -> Refund:
    """Return the refund of an id; raise ConfigError if there is none."""
    try:
        refund_id = RefundId(UUID(wanted))
    except ValueError:
        raise ConfigError("there is no refund with this id; it is in its reason") from None
    found = with_database(settings, lambda conn: refunds.find(conn, [refund_id]))
    if not found:
        raise ConfigError("there is no refund with this id; it is in its reason")
    return found[0]


async def look(settings: Settings, refund: Refund, tx_hash: TxHash) -> str:
    """Ask the refund's chain about a transaction."""
    network = network_of(settings.networks, refund.chain)
    async with outsides(settings, [network], connections=POOL_SIZE_MAX) as it:
        client = it.clients[refund.chain]
        common = (network.chain, client.transactor(), it.pool, it.clock, asyncio.Event(), None)
        found = await client.transaction(tx_hash)
        if found is None:
            raise ConfigError(f"--by: no endpoint of {refund.chain} knows {tx_hash}")
        paid = await Adopter(*common).used(refund.id, found)
        await Follower(*common).run_once()
    if paid:
        return f"{tx_hash} is what paid refund {refund.id}; it is on record"
    return f"{tx_hash} is another transaction: refund {refund.id} gets another nonce"
