"""The only writer of batch_parts: what a batch (core/sending.py) moves for each of its sweeps."""

from collections.abc import Collection, Sequence

from msgspec import convert

from ctrip.core.ids import SendingId
from ctrip.core.sending import Part
from ctrip.store.pool import Conn

INSERT = """
INSERT INTO batch_parts (sending_id, sweep_id, address, derivation_index, amount, nonce)
SELECT $1, sweep_id, address, derivation_index, amount::numeric, nonce
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
    AS part (sweep_id, address, derivation_index, amount, nonce)
"""


async def insert(conn: Conn, sending_id: SendingId, parts: Sequence[Part]) -> None:
    """Write the parts of a new batch."""
    await conn.execute(
        INSERT,
        sending_id,
        [part.sweep_id for part in parts],
        [part.address for part in parts],
        [part.derivation_index for part in parts],
        [str(part.amount) for part in parts],
        [part.nonce for part in parts],
    )


SAVE = """
UPDATE batch_parts SET kept = sweep_id = ANY($2::uuid[])
WHERE sending_id = $1 AND kept <> (sweep_id = ANY($2::uuid[]))
"""


async def save(conn: Conn, sending_id: SendingId, parts: Sequence[Part]) -> None:
    """Write which parts moved nothing."""
    await conn.execute(SAVE, sending_id, [part.sweep_id for part in parts if part.kept])


PARTS = """
SELECT sending_id, sweep_id, address, derivation_index, amount, nonce, kept FROM batch_parts
WHERE sending_id = ANY($1::uuid[]) ORDER BY derivation_index, sweep_id
"""


async def parts_of(conn: Conn, batches: Collection[SendingId]) -> dict[SendingId, tuple[Part, ...]]:
    """Return the parts of batches."""
    found: dict[SendingId, tuple[Part, ...]] = {}
    for row in await conn.fetch(PARTS, list(batches)):
        part = convert({**row}, Part)
        found[row["sending_id"]] = (*found.get(row["sending_id"], ()), part)
    return found
