"""A chain that forgets: its node loses what waits in its pool, and reorgs drop what is in blocks.

What a gateway sent is gone then; payers send theirs again, as nobody doubts that they do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

from ctrip.core.ids import TxHash
from tests.support.anvil import FUNDER, Anvil
from tests.support.chaos import BLOCK_SECONDS

DROPS, REORGS = 0.2, 0.4  # of the blocks: a pool is lost before, a reorg comes behind
REORG_DEPTH_MAX: Final = 2  # blocks; what is below is final


class Forgetful:
    """A chain that makes blocks and forgets."""

    def __init__(self, chain: Anvil, seed: int) -> None:
        self.dropped: set[str] = set()  # transactions that are not the payers'
        self.purse = asyncio.Lock()  # the payers': while it is held nothing is forgotten
        self._chain = chain
        self._random = Random(seed)

    async def pass_by(self) -> None:
        """Make a block, and perhaps forget."""
        async with self.purse:
            if self._random.random() < DROPS:
                await self.lose_pool()
            await self._chain.mine()
            if self._random.random() < REORGS:
                await self.reorg(self._random.randint(1, REORG_DEPTH_MAX))
        await asyncio.sleep(BLOCK_SECONDS)

    async def lose_pool(self) -> None:
        """Drop all that is in no block."""
        theirs = []
        for lines in (await self._chain.rpc("txpool_content")).values():
            for line in lines.values():
                for _, sent in sorted(line.items(), key=lambda at: int(at[0])):
                    if self._is_payers(sent):
                        theirs.append(await self._chain.raw_transaction(TxHash(sent["hash"])))
        await self._chain.rpc("anvil_dropAllTransactions")
        for raw in theirs:
            await self._chain.resend(raw)

    async def reorg(self, depth: int) -> None:
        """Replace the last blocks."""
        newest = int(await self._chain.rpc("eth_blockNumber"), 16)
        theirs = []
        for number in range(newest - depth + 1, newest + 1):
            block = await self._chain.rpc("eth_getBlockByNumber", hex(number), True)  # noqa: FBT003
            theirs += [TxHash(t["hash"]) for t in block["transactions"] if self._is_payers(t)]
        await self._chain.reorg(depth, again=theirs)

    def _is_payers(self, sent: dict[str, str]) -> bool:
        """Tell whose a transaction is, and note those that will be missed."""
        if sent["from"].lower() == FUNDER:
            return True
        self.dropped.add(sent["hash"])
        return False


@asynccontextmanager
async def forgetting(chain: Anvil, seed: int) -> AsyncIterator[Forgetful]:
    """Make blocks until the end of the block."""
    it = Forgetful(chain, seed)

    async def go_on() -> None:
        while True:
            await it.pass_by()

    making = asyncio.create_task(go_on())
    try:
        yield it
    finally:
        making.cancel()
        with suppress(asyncio.CancelledError):
            await making
