"""What every duty on a chain is given: the chain, who to ask, and where news goes.

A duty may remember things between its passes, set up in `begin`; nothing of it is needed
after a restart.
"""

import asyncio
from typing import TypeVar

from ctrip import logs
from ctrip.chain.client import ChainClient, ChainOutage
from ctrip.clock import Clock
from ctrip.core.blocks import Opinion
from ctrip.core.chains import Chain
from ctrip.core.payment import Transfer
from ctrip.store.pool import Pool

D = TypeVar("D", bound="OnChain")

log = logs.get("ctrip.chain")


class EndpointsDisagree(ChainOutage):
    """What one endpoint showed is not so to another."""


class OnChain:
    """A duty on one chain."""

    def __init__(
        self,
        chain: Chain,
        client: ChainClient,
        pool: Pool,
        clock: Clock,
        news: asyncio.Event,
    ) -> None:
        self.chain = chain
        self._client = client
        self._pool = pool
        self._clock = clock
        self._news = news
        self.begin()

    async def opinion(self, transfer: Transfer) -> Opinion:
        """Ask endpoints whether a transfer is there, and name whom most of them outvoted."""
        opinion = await self._client.opinion(transfer)
        if opinion.outvoted:
            name, why = self.chain.name, opinion.why
            log.warning("endpoint outvoted", chain=name, endpoint=opinion.outvoted, why=why)
        return opinion

    def beside(self, duty: type[D]) -> D:
        """Return another duty that is given the same."""
        return duty(self.chain, self._client, self._pool, self._clock, self._news)

    def begin(self) -> None:
        """Set up what is remembered between passes."""
