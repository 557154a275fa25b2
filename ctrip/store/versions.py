"""Sendings as they are read: with their versions, what was offered for them, and their parts.

Only reads; sendings.py writes.
"""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct, convert
from msgspec.structs import replace

from ctrip.core.fees import Price
from ctrip.core.ids import Amount, SendingId, TxHash
from ctrip.core.outgoing import Signed
from ctrip.core.sending import Offer, Purpose, Sending, Version
from ctrip.store import batches
from ctrip.store.pool import Conn


class Row(Struct, frozen=True, kw_only=True):
    """A version as it is read."""

    sending_id: SendingId
    tx_hash: TxHash
    raw: str
    value: Amount
    max_fee: int
    priority_fee: int | None
    created_at: datetime


VERSIONS = """
SELECT sending_id, tx_hash, raw, value, max_fee, priority_fee, created_at FROM sending_versions
WHERE sending_id = ANY($1::uuid[]) ORDER BY created_at
"""


async def with_versions(conn: Conn, rows: Sequence[asyncpg.Record]) -> list[Sending]:
    """Put sendings together with their versions, and batches with their parts."""
    found = [convert({**row}, Sending) for row in rows]
    versions: dict[SendingId, list[Version]] = {}
    for record in await conn.fetch(VERSIONS, [one.id for one in found]):
        row = convert({**record}, Row)
        versions.setdefault(row.sending_id, []).append(
            Version(
                signed=Signed(row.tx_hash, row.raw),
                value=row.value,
                price=Price(row.max_fee, row.priority_fee),
                created_at=row.created_at,
            )
        )
    of_batches = [one.id for one in found if one.purpose is Purpose.BATCH]
    parts = await batches.parts_of(conn, of_batches) if of_batches else {}
    return [
        replace(
            one,
            versions=tuple(versions.get(one.id, ())),
            exported=offer_in(row),
            parts=parts.get(one.id, ()),
        )
        for row, one in zip(rows, found, strict=True)
    ]


def offer_in(row: asyncpg.Record) -> Offer | None:
    """Return what an unsigned sending is to carry and to offer."""
    if row["exported_max_fee"] is None:
        return None
    price = Price(row["exported_max_fee"], row["exported_priority_fee"])
    return Offer(row["exported_value"], price)
