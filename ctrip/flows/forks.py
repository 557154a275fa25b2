"""Where the chain has left the branch that was read.

A chain may replace what is not final, and then everything above the fork is read again. A fork
below the block at which the endpoints agreed lately is not believed of one of them: if another
still shows what was read, nothing is read until they agree, or until chain/heads.py has found out
whom most of them support.

If blocks that were final are replaced, and no endpoint shows them any more, the chain has broken
its word, and what follows is for humans: nothing is credited on it, and its health says what to
do. Such a pass is tried again all the same, because the commonest end of it is that an only
endpoint comes back from its own fork.
"""

from ctrip import logs
from ctrip.chain.client import ChainClient, InconsistentChain
from ctrip.core import scan
from ctrip.core.blocks import Head, Header
from ctrip.core.chains import Chain
from ctrip.core.errors import OutageError
from ctrip.core.ids import BlockNumber
from ctrip.core.scan import BLOCKS_KNOWN_MAX, Cursor
from ctrip.store import blocks
from ctrip.store.pool import Pool, connection

log = logs.get("ctrip.forks")


class ReorgTooDeep(OutageError):
    """The chain replaced blocks that were final. No machine may decide what that means."""


async def fork_below(
    chain: Chain, client: ChainClient, pool: Pool, cursor: Cursor, head: Head
) -> Header:
    """Return the highest block that is on the cursor's branch and on the chain's."""
    async with connection(pool) as conn:
        known = await blocks.known(conn, chain.name, count_max=BLOCKS_KNOWN_MAX)
    heights = sorted(number for number in known if number <= head.latest.number)
    canonical = await client.headers(heights)
    fork = scan.find_fork(known, canonical)
    at = fork.number if fork else BlockNumber(0)
    if at < max(cursor.finalized, head.agreed):
        others = scan.find_fork(known, await client.headers(heights, again=True))
        if others and others.number > at:
            raise InconsistentChain(
                f"{chain.name}: one endpoint shows other blocks up to {others.number} than were "
                f"read, and another does not. Nothing is read until they agree, or most of them do"
            )
    if scan.final_block_changed(known, canonical, cursor.finalized):
        raise ReorgTooDeep(
            f"{chain.name}: blocks that were final were replaced, below block "
            f"{cursor.finalized}. Crediting has stopped on this chain. Compare its endpoints "
            f"with another source; if the chain is right, see docs/operations.md"
        )
    if fork is None:
        raise changed(chain)
    if at < cursor.finalized:  # nothing is held between the two: of a range
        [fork] = await headers_at(chain, client, cursor.finalized)
    log.warning("reorg", chain=chain.name, fork=fork.number, cursor=cursor.number)
    return fork


async def headers_at(chain: Chain, client: ChainClient, *numbers: BlockNumber) -> list[Header]:
    """Return headers that must be there."""
    headers = await client.headers(numbers)
    if len(headers) != len(numbers):
        raise changed(chain)
    return headers


def changed(chain: Chain) -> InconsistentChain:
    """Return the fault of a chain that is not what it was a moment ago."""
    return InconsistentChain(f"{chain.name}: the chain changed while it was read")
