"""Sweep confirmed money to the treasury: decide, sign, write, show, one address at a time.

Where a chain takes batches, a token that needs a top-up joins one instead (batch.py).

What is decided (decide.py, core/sweep.py) and signed is written, with its nonce, in a transaction
that looks at the sweep again; only then is it shown to nodes. Between any two of these steps the
process may die: what was written goes on in flows/follow.py, what was not did not happen.
"""

import asyncio
from typing import Final

from msgspec.structs import replace

from ctrip.core.ids import Amount
from ctrip.core.sending import Purpose, Sending
from ctrip.core.sweep import WAITS, Fuel, Send, Sweep, advance, after, going, latest
from ctrip.flows.batch import Batches
from ctrip.flows.decide import Decider, Decision
from ctrip.flows.settling import SAME_AGAIN
from ctrip.store import sendings, sweeps, transfers
from ctrip.store.pool import connection, transaction

SWEEP_SECONDS: Final = 2.0  # between passes; asks Postgres only, unless something is to be moved
BREATH_SECONDS: Final = 0.01  # behind each: as long as it takes, for what else is done
LOOKED_AT_PER_PASS_MAX: Final = 50  # some five calls each


class Sweeper(Decider):
    """The sweeps of one chain that we sign for."""

    def begin(self) -> None:
        """Set up the batches, which are given the same."""
        self.batches = self.beside(Batches)

    async def run_once(self) -> bool:
        """Do what is next for the sweeps that wait; True if there may be more of them."""
        async with connection(self._pool) as conn:  # of when the chain was settled by exports
            await sendings.void_unsigned(conn, self.chain.name)
        await self.batches.call_up()
        done, joining = 0, []
        decisions = self.decisions(count_max=LOOKED_AT_PER_PASS_MAX)
        async for decision in decisions:
            done += 1
            if await self.batches.take(decision):
                joining.append(decision)
            else:
                await self._do(decision)
                await asyncio.sleep(BREATH_SECONDS)
        for decision in await self.batches.send(joining):
            await self._do(decision)
        return done == LOOKED_AT_PER_PASS_MAX

    async def _do(self, decision: Decision) -> None:
        """Do what was decided."""
        sweep = decision.sweep
        match decision.step:
            case Fuel(value, offer):
                new = await self.draw_up_fuel(sweep, value, decision.view.fuel_gas)
            case Send(amount, gas, offer):
                new = await self.draw_up_move(sweep, amount, gas)
                value = amount if new.is_native else Amount(0)
            case step:
                await self._note(after(sweep, step, now=self._clock.now()))
                return
        new = replace(new, versions=(await self.version(new, value, offer),))
        if not await self._write(sweep, new):
            return
        if why := await self.show(new):
            async with connection(self._pool) as conn:
                await sweeps.say(conn, sweep.id, why)

    async def _write(self, sweep: Sweep, new: Sending) -> bool:
        """Write a sending before anybody sees it; False if the sweep has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await sweeps.lock(conn, [sweep.id])
            before = (await sendings.of_sweeps(conn, [sweep.id]))[sweep.id]
            under_way = latest(before, new.purpose)
            if now_is.state not in WAITS or (under_way and under_way.state in SAME_AGAIN):
                return False
            if not await sendings.insert(conn, new):
                return False  # another process was faster with this nonce
            if new.purpose is Purpose.SWEEP:
                await transfers.plan_sweep(
                    conn, sweep.id, self.chain.name, sweep.address, sweep.asset
                )
            now_is = going(now_is, now=new.created_at)
            await sweeps.save(conn, advance(now_is, [*before, new], now=new.created_at))
        return True

    async def _note(self, sweep: Sweep) -> None:
        """Write what a sweep waits for, unless it has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await sweeps.lock(conn, [sweep.id])
            if now_is.state in WAITS:
                await sweeps.save(conn, sweep)
