"""The only writer of the table tokens: what chains.yaml has ever listed."""

from collections.abc import Sequence

from msgspec import convert

from ctrip.core.chains import Token
from ctrip.store.pool import Conn

UPSERT = """
INSERT INTO tokens (id, chain, chain_id, contract, symbol, decimals, enabled)
SELECT *, true FROM unnest(
    $1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::smallint[])
ON CONFLICT (id) DO UPDATE SET
    chain = excluded.chain, contract = excluded.contract, symbol = excluded.symbol,
    decimals = excluded.decimals, enabled = true
"""
DISABLE = "UPDATE tokens SET enabled = false WHERE enabled AND NOT id = ANY($1::uuid[])"


async def sync(conn: Conn, listed: Sequence[Token]) -> None:
    """Make the table say what chains.yaml says; what left the file is disabled, never deleted."""
    await conn.execute(
        UPSERT,
        [token.id for token in listed],
        [token.chain for token in listed],
        [token.chain_id for token in listed],
        [token.contract for token in listed],
        [token.symbol for token in listed],
        [token.decimals for token in listed],
    )
    await conn.execute(DISABLE, [token.id for token in listed])


ALL = (
    "SELECT chain, chain_id, contract, symbol, decimals, enabled FROM tokens ORDER BY chain, symbol"
)


async def all_known(conn: Conn) -> list[Token]:
    """Return every token ever listed."""
    return [convert({**row}, Token) for row in await conn.fetch(ALL)]
