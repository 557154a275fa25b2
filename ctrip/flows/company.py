"""Let sweeps that could go by a batch wait for others to go with (core/batch.py).

They wait on record, and nobody is asked about them meanwhile. What is looked at for all of them is
what gas costs. So whoever makes it enough finds the others not looked at: it waits one pass more,
in which all are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ctrip import logs
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.core.batch import PARTS_MAX, Company, keeping_company, waits_until
from ctrip.core.fees import is_cheap
from ctrip.core.ids import Asset
from ctrip.core.sweep import WAITS, Sweep
from ctrip.flows.settling import Settling
from ctrip.store import sweeps
from ctrip.store.pool import connection, transaction

PRICE_AGAIN: Final = timedelta(seconds=30)  # two calls each

log = logs.get("ctrip.company")


class InCompany(Settling):
    """The sweeps of one chain that wait for others."""

    def begin(self) -> None:
        """Set up what is known of gas."""
        self.parts_max = PARTS_MAX
        self._window = timedelta(seconds=self.chain.settlement.batch_window_seconds)
        self._is_cheap = False
        self._priced_at: datetime | None = None

    async def call_up(self) -> None:
        """Let those be looked at that have had company, or time, enough."""
        async with connection(self._pool) as conn:
            waiting = await sweeps.companies(conn, self.chain.name)
        for asset, company in waiting.items():
            if not await self._until(company):
                await self._call(asset)

    async def keeps(self, asset: Asset, joining: Sequence[Sweep]) -> bool:
        """Let those of a token that could go now wait for others; False if they are to go."""
        if not self._window:
            return False
        until = await self._until(await self._with_others(asset, joining))
        if until is None and len(joining) < self.parts_max and await self._call(asset):
            until = self._clock.now()
        if until is None:
            return False
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            for sweep in await sweeps.lock(conn, [one.id for one in joining]):
                if sweep.state in WAITS:
                    await sweeps.save(conn, keeping_company(sweep, until, now=now))
        return True

    async def _call(self, asset: Asset) -> bool:
        """Let those of a token be looked at; False if all that wait are due already."""
        async with connection(self._pool) as conn:
            return await sweeps.call_up(conn, self.chain.name, asset, self._clock.now())

    async def _with_others(self, asset: Asset, joining: Sequence[Sweep]) -> Company:
        """Return all of a token that could go together: some, and those that wait already."""
        ids = [one.id for one in joining]
        async with connection(self._pool) as conn:
            others = (await sweeps.companies(conn, self.chain.name, beside=ids)).get(asset)
        since = min(one.created_at for one in joining)
        if others is None:
            return Company(len(joining), since)
        return Company(len(joining) + others.count, min(since, others.since))

    async def _until(self, company: Company) -> datetime | None:
        """Return until when they wait for others; None if they go now."""
        now = self._clock.now()
        until = waits_until(company, self._window, self.parts_max, now=now)
        if until is None or await self._gas_is_cheap(now):
            return None
        return until

    async def _gas_is_cheap(self, now: datetime) -> bool:
        """Tell whether gas costs much less than of late. If nobody can say, it does not."""
        if self._priced_at is None or abs(now - self._priced_at) > PRICE_AGAIN:
            self._priced_at, self._is_cheap = now, False
            try:
                usual = await self._transactor.usual_base_fee()
                self._is_cheap = is_cheap(await self._transactor.market(), usual)
            except (ChainOutage, InconsistentChain) as fault:  # what else is swept goes on
                log.warning("no history of fees", chain=self.chain.name, why=str(fault))
        return self._is_cheap
