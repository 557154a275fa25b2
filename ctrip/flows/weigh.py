"""Compare what addresses hold with what is on record for them: the scales.

A balance that is higher than all known transfers says that money came which nobody named
yet (unnamed.py).

What our own transactions moved, and paid for gas, is on record too. What is lower than the
record is nothing: the operator moved money on by other means, as they may. So money that comes
to an address from which as much was taken so stays hidden from the scales; only a transaction,
a log or a trace can show it.
"""

from collections.abc import Sequence
from typing import Final

from ctrip import logs
from ctrip.chain.client import ChainClient, ChainOutage, InconsistentChain
from ctrip.core.blocks import Header, Holding
from ctrip.core.chains import Chain
from ctrip.core.ids import Amount, BlockHash, ChainName
from ctrip.core.scan import Cursor
from ctrip.store import blocks, payment_sets
from ctrip.store.payment_sets import Held
from ctrip.store.pool import Conn, Pool, connection

ADDRESSES_PER_CALL_MAX: Final = 300  # what public nodes compute within the gas of one call
OPEN_MAX: Final = 20_000  # open payments looked at in one go; the others by the slow round
# Blocks a watcher may have read since a slower flow began; if more, that flow looks again.
BLOCKS_SINCE_MAX: Final = 256
UNKNOWN: Final = BlockHash("")

log = logs.get("ctrip.weigh")


async def unexplained(
    chain: Chain, client: ChainClient, pool: Pool, at: Header
) -> list[tuple[Held, Amount]]:
    """Return the open native payments whose address holds more than is on record, and how much."""
    async with connection(pool) as conn:
        held = await payment_sets.open_native(conn, chain.name, at=at.number, count_max=OPEN_MAX)
    return await heavier(client, at, held)


async def heavier(
    client: ChainClient, at: Header, held: Sequence[Held]
) -> list[tuple[Held, Amount]]:
    """Return those that hold more than is on record in the state after a block, and how much."""
    balances = await weighed(client, at, [Holding(one.asset, one.owner) for one in held])
    return [(one, has) for one, has in zip(held, balances, strict=True) if has > one.amount]


async def weighed(
    client: ChainClient, at: Header, asked: Sequence[Holding], *, again: bool = False
) -> list[Amount]:
    """Return balances, in as few calls as can be; `again` asks another endpoint."""
    balances: list[Amount] = []
    for start in range(0, len(asked), ADDRESSES_PER_CALL_MAX):
        some = asked[start : start + ADDRESSES_PER_CALL_MAX]
        balances += await client.holdings(at, some, again=again)
    return balances


async def heavier_at_cursor(
    client: ChainClient, cursor: Cursor, held: Sequence[Held]
) -> list[tuple[Held, Amount]] | None:
    """Return those that hold more than is on record at the cursor, or None if a reorg took it.

    Balances are read by the block's hash, so its header is not asked for.
    """
    at = Header(number=cursor.number, hash=cursor.hash, parent_hash=UNKNOWN, time=cursor.time)
    try:
        return await heavier(client, at, held)
    except (ChainOutage, InconsistentChain):
        if await at_cursor(client, cursor) is None:
            return None
        raise


async def at_cursor(client: ChainClient, cursor: Cursor) -> Header | None:
    """Return the cursor's block, or None while the chain has another one there."""
    headers = await client.headers([cursor.number])
    return headers[0] if headers and headers[0].hash == cursor.hash else None


async def is_final(chain: Chain, client: ChainClient, pool: Pool, at: Header) -> bool:
    """Tell whether a block is final and on its chain."""
    async with connection(pool) as conn:
        cursor = await blocks.cursor(conn, chain.name)
    if cursor is None or cursor.finalized < at.number:
        return False
    return await client.headers([at.number]) == [at]


async def hold(conn: Conn, chain: ChainName, at: Header | Cursor) -> bool:
    """Hold a chain's cursor until the transaction ends, if this block is on its branch.

    What was read up to a block by a flow that is slower than the watcher may then be written:
    no reorg that the watcher has written took the block away, and none will before we end.
    """
    cursor = await blocks.held(conn, chain)
    if cursor is None or cursor.hash == at.hash:
        return cursor is not None
    known = await blocks.known(conn, chain, count_max=BLOCKS_SINCE_MAX)
    return known.get(at.number) == at.hash
