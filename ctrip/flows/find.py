"""From blocks to money: which transfers in them went to addresses that we gave out.

Whoever could pay had been shown an address before, so looking after the blocks were read
finds all of them. The cost of a block follows its transactions, not the number of open
payments, and an address stays ours for ever: late money is noticed too.

What transactions of our own bring to an address, coin for its gas, is nobody's payment.
"""

from collections.abc import Collection, Sequence

from ctrip.chain.client import ChainClient, InconsistentChain, Ours
from ctrip.core.blocks import Block, NativeMove, PlacedMove, TokenLog
from ctrip.core.chains import Chain
from ctrip.core.ids import BlockHash, BlockNumber, RawAddress
from ctrip.core.matching import Found, calls_to_check, match, recipients, succeeded
from ctrip.store import own_moves, payment_sets
from ctrip.store.pool import Pool, connection


async def find(
    chain: Chain, client: ChainClient, pool: Pool, blocks: Sequence[Block]
) -> list[Found]:
    """Return the money in some blocks; native coin counts once its receipt says it moved."""
    if not (offered := recipients(blocks)):
        return []
    async with connection(pool) as conn:
        ours = await payment_sets.owners(conn, offered)
    calls = calls_to_check(blocks, ours)
    good = succeeded(blocks, await client.receipts(calls) if calls else [])
    if good is None:
        raise InconsistentChain(f"{chain.name}: a receipt is of another branch")
    found = list(match(chain.name, blocks, good, ours))
    return await without_our_own(pool, found) if found else []


async def without_our_own(pool: Pool, found: Sequence[Found]) -> list[Found]:
    """Leave out what we sent ourselves."""
    async with connection(pool) as conn:
        own = await own_moves.ours(conn, {item.transfer.key.tx_hash for item in found})
    return [item for item in found if item.transfer.key.tx_hash not in own]


def lookup(pool: Pool) -> Ours:
    """Return what tells a chain client which addresses are ours."""

    async def ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
        if not offered:
            return ()
        async with connection(pool) as conn:
            return await payment_sets.owners(conn, list(offered))

    return ours


async def only_ours(
    chain: Chain,
    client: ChainClient,
    pool: Pool,
    shown: Sequence[TokenLog],
    moves: Sequence[PlacedMove] = (),
) -> tuple[Block, ...]:
    """Return those blocks of a range in which something went to an address of ours.

    Logs come without headers; those that are needed are asked for, and must be the blocks that
    the logs named.
    """
    offered = {log.recipient for log in shown} | {placed.move.recipient for placed in moves}
    async with connection(pool) as conn:
        ours = await payment_sets.owners(conn, list(offered)) if offered else {}
    logs: dict[tuple[BlockNumber, BlockHash], list[TokenLog]] = {}
    moved: dict[tuple[BlockNumber, BlockHash], list[NativeMove]] = {}
    for log in shown:
        if log.recipient in ours:
            logs.setdefault((log.block_number, log.block_hash), []).append(log)
    for placed in moves:
        if placed.move.recipient in ours:
            place = (placed.block_number, placed.block_hash)
            moved.setdefault(place, []).append(placed.move)
    places = sorted(logs.keys() | moved.keys())
    headers = await client.headers([number for number, _ in places]) if places else []
    if [(header.number, header.hash) for header in headers] != places:
        raise InconsistentChain(f"{chain.name}: a log is of another branch than its block")
    return tuple(
        Block(header=header, logs=tuple(logs.get(place, ())), moves=tuple(moved.get(place, ())))
        for header, place in zip(headers, places, strict=True)
    )


def tokens_of(chain: Chain) -> list[RawAddress]:
    """Return the contracts whose logs are money."""
    return [RawAddress(token.asset) for token in chain.tokens if token.enabled]
