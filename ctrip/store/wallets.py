"""The only writer of the table wallets: which derivation index comes next."""

from ctrip.store.pool import Conn

RESERVE = """
INSERT INTO wallets (fingerprint, next_index) VALUES ($1, $2::bigint)
ON CONFLICT (fingerprint) DO UPDATE SET next_index = wallets.next_index + $2::bigint
RETURNING next_index - $2::bigint
"""


async def reserve(conn: Conn, fingerprint: str, count: int) -> int:
    """Take `count` indexes for good and return the first.

    Run it outside any transaction: an index that was handed out stays used whatever
    becomes of its payment, and the row is locked for this one statement only.
    """
    first: int = await conn.fetchval(RESERVE, fingerprint, count)
    return first
