"""The only writer of sendings, sending_versions and sending_moves: transactions of ours.

A version is written before it is broadcast. What a sending moved is on record exactly while it is
in a block; reads of it need no look at the state.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from ctrip.core.ids import (
    BlockNumber,
    ChainName,
    RawAddress,
    RefundId,
    SendingId,
    SweepId,
)
from ctrip.core.sending import Move, Offer, Sending, Version, as_seen_by
from ctrip.store import batches
from ctrip.store.pool import Conn
from ctrip.store.versions import with_versions

INSERT = """
INSERT INTO sendings (id, chain, sender, nonce, purpose, sweep_id, asset, amount, beneficiary,
    recipient, data, gas, state, created_at, derivation_index, exported_value, exported_max_fee,
    exported_priority_fee, refund_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (chain, sender, nonce) WHERE state <> 'void' DO NOTHING RETURNING id
"""


async def insert(conn: Conn, new: Sending) -> bool:
    """Write a sending and its versions; False if its sender's line has that nonce already."""
    written = await conn.fetchval(
        INSERT,
        new.id,
        new.chain,
        new.sender,
        new.nonce,
        new.purpose,
        new.sweep_id,
        new.asset,
        new.amount,
        new.beneficiary,
        new.recipient,
        new.data,
        new.gas,
        new.state,
        new.created_at,
        new.derivation_index,
        new.exported and new.exported.value,
        new.exported and new.exported.price.max_fee,
        new.exported and new.exported.price.priority_fee,
        new.refund_id,
    )
    for version in new.versions if written else ():
        await add_version(conn, new.id, version)
    if written and new.parts:
        await batches.insert(conn, new.id, new.parts)
    return written is not None


ADD_VERSION = """
INSERT INTO sending_versions (tx_hash, sending_id, raw, value, max_fee, priority_fee, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def add_version(conn: Conn, sending_id: SendingId, version: Version) -> None:
    """Write another version of a sending."""
    await conn.execute(
        ADD_VERSION,
        version.signed.tx_hash,
        sending_id,
        version.signed.raw,
        version.value,
        version.price.max_fee,
        version.price.priority_fee,
        version.created_at,
    )


SAVE = """
UPDATE sendings SET state = $2, amount = $3, tx_hash = $4, block_number = $5, block_hash = $6,
    fee = $7, final = $8, doubted_at = $9, sent_at = $10
WHERE id = $1 AND NOT final
"""
FORGET_MOVES = "DELETE FROM sending_moves WHERE sending_id = $1"
ADD_MOVES = """
INSERT INTO sending_moves (sending_id, address, asset, amount)
SELECT $1, address, asset, amount::numeric
FROM unnest($2::text[], $3::text[], $4::text[]) AS moved (address, asset, amount)
"""


async def save(conn: Conn, sending: Sending, moves: Sequence[Move]) -> None:
    """Write what may have changed of a sending, and what it moved by now; final ones stay."""
    written = await conn.execute(
        SAVE,
        sending.id,
        sending.state,
        sending.amount,
        sending.tx_hash,
        sending.block_number,
        sending.block_hash,
        sending.fee,
        sending.final,
        sending.doubted_at,
        sending.sent_at,
    )
    if written == "UPDATE 0":
        return
    if sending.parts:
        await batches.save(conn, sending.id, sending.parts)
    await conn.execute(FORGET_MOVES, sending.id)
    if moves:
        columns = zip(
            *((move.address, move.asset, str(move.amount)) for move in moves), strict=True
        )
        await conn.execute(ADD_MOVES, sending.id, *columns)


SENT_NOW = "UPDATE sendings SET state = 'sent', sent_at = $2 WHERE id = $1 AND state = 'signed'"
SENT_AGAIN = "UPDATE sendings SET sent_at = $2 WHERE id = $1 AND state = 'sent'"


async def note_sent(conn: Conn, sending_id: SendingId, now: datetime, *, anew: bool) -> None:
    """Note that a sending is out; `anew`: a version that was not before."""
    await conn.execute(SENT_NOW, sending_id, now)
    if anew:
        await conn.execute(SENT_AGAIN, sending_id, now)


# One in a block is asked about again when that is final, or is not the block that was read there.
OPEN = """
SELECT s.* FROM sendings s LEFT JOIN blocks b ON b.chain = s.chain AND b.number = s.block_number
WHERE s.chain = $1 AND NOT final AND state <> 'unsigned'
AND (block_number IS NULL OR block_number <= $2 OR b.hash <> block_hash)
AND (sender, nonce) > ($3, $4::bigint) ORDER BY sender, nonce LIMIT $5
"""
BEFORE_ALL: Final = (RawAddress(""), 0)


async def list_open(
    conn: Conn,
    chain: ChainName,
    *,
    finalized: BlockNumber,
    after: tuple[RawAddress, int] = BEFORE_ALL,
    count_max: int,
) -> list[Sending]:
    """Return the sendings of which there may be news, in the order of their lines.

    `after` is the sender and the nonce of the last one that was returned before.
    """
    rows = await conn.fetch(OPEN, chain, finalized, *after, count_max)
    return await with_versions(conn, rows)


UNFUELLED = """
SELECT sweep_id FROM sendings
WHERE sweep_id = ANY($1::uuid[]) AND purpose = 'fuel' AND state IN ('signed', 'sent')
"""


async def unfuelled(conn: Conn, sweeps: Collection[SweepId]) -> set[SweepId]:
    """Return the sweeps of some whose gas is on the way."""
    return {row["sweep_id"] for row in await conn.fetch(UNFUELLED, list(sweeps))}


OF_SWEEPS = """
SELECT * FROM sendings WHERE sweep_id = ANY($1::uuid[])
UNION ALL
SELECT * FROM sendings
WHERE id IN (SELECT sending_id FROM batch_parts WHERE sweep_id = ANY($1::uuid[]))
ORDER BY created_at
"""


async def of_sweeps(conn: Conn, sweeps: Collection[SweepId]) -> dict[SweepId, list[Sending]]:
    """Return all sendings of some sweeps as each of them sees them, the oldest first."""
    found: dict[SweepId, list[Sending]] = {sweep: [] for sweep in sweeps}
    for sending in await with_versions(conn, await conn.fetch(OF_SWEEPS, list(sweeps))):
        for sweep_id in sending.sweep_ids & found.keys():
            found[sweep_id].append(as_seen_by(sweep_id, sending))
    return found


OF_REFUNDS = "SELECT * FROM sendings WHERE refund_id = ANY($1::uuid[]) ORDER BY created_at"


async def of_refunds(conn: Conn, refunds: Collection[RefundId]) -> dict[RefundId, list[Sending]]:
    """Return all sendings of some refunds, the oldest first."""
    found: dict[RefundId, list[Sending]] = {refund: [] for refund in refunds}
    for sending in await with_versions(conn, await conn.fetch(OF_REFUNDS, list(refunds))):
        if sending.refund_id is not None:
            found[sending.refund_id].append(sending)
    return found


VOID = """
UPDATE sendings SET state = 'void', final = true
WHERE chain = $1 AND state = 'unsigned' AND refund_id IS NULL
"""


async def void_unsigned(conn: Conn, chain: ChainName) -> None:
    """Give up what was exported for sweeps and did not come back; its nonces are free again.

    All of it goes to the treasury, so it may be signed twice. A refund must not (core/refund.py).
    """
    await conn.execute(VOID, chain)


LOCK = "SELECT * FROM sendings WHERE chain = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE"


async def lock(
    conn: Conn, chain: ChainName, ids: Collection[SendingId]
) -> dict[SendingId, Sending]:
    """Read sendings of a chain and hold them until the transaction ends."""
    rows = await conn.fetch(LOCK, chain, list(ids))
    return {one.id: one for one in await with_versions(conn, rows)}


SIGNED = """
UPDATE sendings SET state = 'signed', final = false, doubted_at = NULL
WHERE id = $1 AND state IN ('unsigned', 'taken')
"""


async def sign(conn: Conn, sending_id: SendingId, version: Version) -> None:
    """Write a version of a sending that was signed elsewhere."""
    await conn.execute(SIGNED, sending_id)
    await add_version(conn, sending_id, version)


OFFER = """
UPDATE sendings SET exported_value = $2, exported_max_fee = $3, exported_priority_fee = $4
WHERE id = $1
"""


async def export_at(conn: Conn, sending_id: SendingId, offer: Offer) -> None:
    """Export a sending at another price from now on."""
    price = offer.price
    await conn.execute(OFFER, sending_id, offer.value, price.max_fee, price.priority_fee)


RELEASE = "UPDATE sendings SET state = 'void', final = true WHERE id = $1"


async def release(conn: Conn, sending_id: SendingId) -> None:
    """Give up a sending whose nonce went to another transaction for good."""
    await conn.execute(RELEASE, sending_id)
