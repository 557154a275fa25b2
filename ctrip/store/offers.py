"""Refunds that are signed elsewhere: which are, and at what they were exported.

The only writer of sending_offers. A refund keeps its nonce and may be exported again at another
price; whoever signs an older one signs the same payment, so it is known again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct, convert

from ctrip.core.fees import Price
from ctrip.core.ids import Amount, ChainName, SendingId
from ctrip.core.sending import Offer, Sending
from ctrip.store.pool import Conn
from ctrip.store.versions import with_versions

WAITING = """
SELECT * FROM sendings WHERE chain = $1 AND state IN ('unsigned', 'signed', 'sent') AND NOT final
AND refund_id IS NOT NULL AND exported_max_fee IS NOT NULL
ORDER BY nonce
"""


async def waiting(conn: Conn, chain: ChainName) -> list[Sending]:
    """Return the refunds of a chain that were exported and are in no block, in their order."""
    return await with_versions(conn, await conn.fetch(WAITING, chain))


KEEP = """
INSERT INTO sending_offers (sending_id, value, max_fee, priority_fee, replaced_at)
SELECT id, exported_value, exported_max_fee, exported_priority_fee, $2 FROM sendings WHERE id = $1
"""


async def keep(conn: Conn, sending_id: SendingId, *, now: datetime) -> None:
    """Keep at what a sending is exported, before it is at another price."""
    await conn.execute(KEEP, sending_id, now)


class Row(Struct, frozen=True):
    """An offer as it is read."""

    sending_id: SendingId
    value: Amount
    max_fee: int
    priority_fee: int | None


BEFORE = """
SELECT sending_id, value, max_fee, priority_fee FROM sending_offers
WHERE sending_id = ANY($1::uuid[]) ORDER BY replaced_at DESC
"""


async def before(conn: Conn, sendings: Collection[SendingId]) -> dict[SendingId, Sequence[Offer]]:
    """Return at what sendings were exported before, the newest first."""
    found: dict[SendingId, list[Offer]] = {one: [] for one in sendings}
    for record in await conn.fetch(BEFORE, list(sendings)):
        row = convert({**record}, Row)
        found[row.sending_id].append(Offer(row.value, Price(row.max_fee, row.priority_fee)))
    return {**found}
