"""Plan sweeps: which money may be moved by now, and which sweep takes it.

A transfer is taken by one sweep (store/transfers.py), and an address has one sweep of an asset at a
time, so planning twice, or by two processes, plans once.
"""

from typing import Final
from uuid import uuid4

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.chains import Chain
from ctrip.core.ids import SweepId
from ctrip.core.sweep import Sweep
from ctrip.store import blocks, sweepable, sweeps, transfers
from ctrip.store.pool import Pool, transaction

PLAN_SECONDS: Final = 1.0  # between passes, of one statement where nothing is to be planned
PLANNED_PER_PASS_MAX: Final = 200  # two statements each

log = logs.get("ctrip.plan")


class Planner:
    """The plans of one chain, for the addresses of the account with the fingerprint `wallet`."""

    def __init__(self, chain: Chain, pool: Pool, clock: Clock, wallet: str) -> None:
        self.chain = chain
        self._pool = pool
        self._clock = clock
        self._wallet = wallet

    async def run_once(self) -> bool:
        """Make a sweep for each address and asset that has money to be moved; True if more may."""
        name, now = self.chain.name, self._clock.now()
        made = 0
        async with transaction(self._pool) as conn:
            cursor = await blocks.cursor(conn, name)
            if cursor is None:
                return False
            found = await sweepable.candidates(
                conn,
                name,
                wallet=self._wallet,
                finalized=cursor.finalized,
                count_max=PLANNED_PER_PASS_MAX,
            )
            for one in found:
                sweep = Sweep(
                    id=SweepId(uuid4()),
                    chain=name,
                    payment_id=one.payment_id,
                    address=one.address,
                    derivation_index=one.derivation_index,
                    asset=one.asset,
                    created_at=now,
                    due_at=now,
                )
                if await sweeps.insert(conn, sweep):
                    await transfers.plan_sweep(conn, sweep.id, name, one.address, one.asset)
                    made += 1
        if made:
            log.info("planned", chain=name, sweeps=made)
        return made == PLANNED_PER_PASS_MAX
