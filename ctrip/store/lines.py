"""How far a sender's line of nonces is taken, and what is promised in it. Only reads."""

from collections.abc import Mapping, Sequence
from typing import Final

from ctrip.core.ids import Amount, Asset, ChainName, RawAddress
from ctrip.core.sending import Sending, SendingState
from ctrip.store.pool import Conn
from ctrip.store.versions import with_versions

NONCES_END: Final = 2**63  # bigint; nobody gets there, but anybody can write it into a transaction

# An authorization takes a nonce of who gives it. Once its batch is final the chain has counted it.
NEXT_NONCE = """
SELECT coalesce(max(nonce) + 1, 0) FROM (
    SELECT nonce FROM sendings WHERE chain = $1 AND sender = $2 AND state <> 'void'
    UNION ALL
    SELECT p.nonce FROM batch_parts p JOIN sendings s ON s.id = p.sending_id
    WHERE s.chain = $1 AND p.address = $2 AND s.state <> 'void' AND NOT s.final) AS used
"""


async def next_nonce(conn: Conn, chain: ChainName, sender: RawAddress) -> int:
    """Return the nonce after the last one that a sender's line has."""
    return int(await conn.fetchval(NEXT_NONCE, chain, sender))


# What is signed elsewhere has no version yet.
PROMISED = """
SELECT coalesce(sum(coalesce(v.value, exported_value)
    + s.gas * coalesce(v.max_fee, exported_max_fee)), 0) FROM sendings s
LEFT JOIN LATERAL (SELECT value, max_fee FROM sending_versions WHERE sending_id = s.id
    ORDER BY created_at DESC LIMIT 1) AS v ON true
WHERE s.chain = $1 AND s.sender = $2 AND s.state IN ('unsigned', 'signed', 'sent')
"""


async def promised(conn: Conn, chain: ChainName, sender: RawAddress) -> Amount:
    """Return what a sender's transactions that are under way may take from it, in wei."""
    return Amount(int(await conn.fetchval(PROMISED, chain, sender)))


PROMISED_OF = """
SELECT coalesce(sum(amount), 0) FROM sendings
WHERE chain = $1 AND sender = $2 AND asset = $3 AND state IN ('unsigned', 'signed', 'sent')
"""


async def promised_of(conn: Conn, chain: ChainName, sender: RawAddress, asset: Asset) -> Amount:
    """Return what a sender's transactions that are under way move of an asset, gas apart."""
    return Amount(int(await conn.fetchval(PROMISED_OF, chain, sender, asset)))


LOCK = """
SELECT * FROM sendings WHERE chain = $1
AND (sender, nonce) IN (SELECT * FROM unnest($2::text[], $3::bigint[])) ORDER BY id FOR UPDATE
"""


async def lock(
    conn: Conn, chain: ChainName, places: Sequence[tuple[RawAddress, int]]
) -> Mapping[tuple[RawAddress, int], Sending]:
    """Read what has these places, and hold it until the transaction ends.

    Where all that was there was given up, that is the newest of it.
    """
    asked = [place for place in places if place[1] < NONCES_END]
    senders, nonces = [sender for sender, _ in asked], [nonce for _, nonce in asked]
    rows = await conn.fetch(LOCK, chain, senders, nonces)
    found = await with_versions(conn, rows)
    found.sort(key=lambda one: (one.state is not SendingState.VOID, one.created_at))
    return {(one.sender, one.nonce): one for one in found}
