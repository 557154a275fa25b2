"""What is next for the sweeps of a chain, by what the chain says of each: asked, and not yet done.

Sweeps of one address take turns, because both would count on its coin; and what one takes out of
the gas wallet is not there for the next. Who signs is not decided here: sweep.py does it at once,
export.py leaves it to another machine.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.fees import Market, cost, going_rate, price
from ctrip.core.ids import NATIVE, Amount, RawAddress, SweepId
from ctrip.core.outgoing import Outgoing, Reverts, TooPoor
from ctrip.core.sending import Purpose, Sending
from ctrip.core.sweep import Fuel, Send, Step, Sweep, View
from ctrip.core.sweep import next_step as decide
from ctrip.flows.settling import Settling, new_sending_id
from ctrip.store import reconciliations, sendings, sweepable, sweeps
from ctrip.store.pool import connection

VIEWS_AT_ONCE_MAX: Final = 4
BREATH_SECONDS: Final = 0.05  # behind each view where many wait: what else is done has its turn
NONE: Final = Amount(0)


class Decision(Struct, frozen=True):
    """What is next for a sweep, and what it was decided by."""

    sweep: Sweep
    step: Step
    view: View
    was_batched: bool = False  # which did not move it


class Decider(Settling):
    """Looks at the sweeps of one chain."""

    async def decisions(self, *, count_max: int) -> AsyncIterator[Decision]:
        """Yield what is next for sweeps that wait for us, each after the one before was done."""
        async with connection(self._pool) as conn:
            now = self._clock.now()
            waiting = await sweeps.due(conn, self.chain.name, now, count_max=count_max)
            sent = await sendings.of_sweeps(conn, [one.id for one in waiting])
            held = await reconciliations.held_assets(conn, self.chain.name)
        if not waiting:
            return
        views = await self._views(waiting)
        purse = await self.purse()
        busy: set[RawAddress] = set()  # whose coin is spoken for
        for sweep, seen in zip(waiting, views, strict=True):
            if sweep.address in busy:
                continue
            view = replace(seen, purse=purse, held=held.get(sweep.asset, ""))
            step = decide(sweep, sent[sweep.id], view, self.chain.rule(sweep.asset))
            if isinstance(step, Fuel | Send):
                busy.add(sweep.address)
            if isinstance(step, Fuel):
                purse = Amount(purse - step.value - cost(step.price, view.fuel_gas))
            was_batched = any(one.parts for one in sent[sweep.id])
            yield Decision(sweep, step, view, was_batched)

    async def _views(self, waiting: Sequence[Sweep]) -> list[View]:
        """Ask the chain about sweeps, some at once."""
        market = await self._transactor.market()
        async with connection(self._pool) as conn:
            taken = await sweepable.taken(conn, [one.id for one in waiting])
        recorded: dict[SweepId, int] = {one.id: 0 for one in waiting}
        for transfer in taken:
            recorded[transfer.sweep_id] += 0 if transfer.orphaned else transfer.amount
        limit = asyncio.Semaphore(VIEWS_AT_ONCE_MAX)

        async def look(sweep: Sweep) -> View:
            async with limit:
                seen = await self._view(sweep, Amount(recorded[sweep.id]), market)
                if len(waiting) > VIEWS_AT_ONCE_MAX:
                    await asyncio.sleep(BREATH_SECONDS)
                return seen

        return list(await asyncio.gather(*(look(one) for one in waiting)))

    async def _view(self, sweep: Sweep, recorded: Amount, market: Market) -> View:
        """Ask the chain what it holds of what a sweep is to move, and what moving it takes."""
        ask, is_coin = self._transactor, sweep.asset == NATIVE
        coin = await ask.balance(sweep.address, NATIVE)
        balance = coin if is_coin else await ask.balance(sweep.address, sweep.asset)
        view = View(
            balance=balance,
            coin=coin,
            recorded=recorded,
            price=price(market, max_fee_ceiling=self.chain.settlement.gas_price_max),
            going_rate=going_rate(market),
            gas=0,
        )
        if not balance or not recorded:
            return view
        moving = self._moving(sweep, balance)
        gas = await ask.gas_for(moving)
        if isinstance(gas, Reverts):
            return replace(view, fails=gas.why)
        if isinstance(gas, TooPoor):
            return replace(view, fails="its balance is changing just now")
        view = replace(view, gas=gas, data_fee=await ask.data_fee(replace(moving, gas=gas)))
        if is_coin:
            return view
        return replace(view, fuel_gas=await self._fuel_gas(sweep.address))

    def _moving(self, sweep: Sweep, amount: Amount) -> Outgoing:
        """Return the transaction that moves an amount to the treasury."""
        return self.moving(sweep.address, sweep.asset, self.treasury(), amount)

    async def _fuel_gas(self, address: RawAddress) -> int:
        """Return the gas of a top-up; to an address that is new it may be more (EIP-2780)."""
        gas = await self._transactor.gas_for(self.plain(self.gas_wallet, address, Amount(1)))
        return gas if isinstance(gas, int) else 0

    async def draw_up_fuel(self, sweep: Sweep, value: Amount, gas: int) -> Sending:
        """Return the sending that brings an address the coin for its gas."""
        gas_wallet = self.gas_wallet
        return Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=gas_wallet,
            derivation_index=None,
            nonce=await self.next_nonce(gas_wallet),
            purpose=Purpose.FUEL,
            sweep_id=sweep.id,
            asset=NATIVE,
            amount=value,
            beneficiary=sweep.address,
            recipient=sweep.address,
            data="0x",
            gas=gas,
            created_at=self._clock.now(),
        )

    async def draw_up_move(self, sweep: Sweep, amount: Amount, gas: int) -> Sending:
        """Return the sending that moves what a sweep is about."""
        moving = self._moving(sweep, amount)
        return Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=sweep.address,
            derivation_index=sweep.derivation_index,
            nonce=await self.next_nonce(sweep.address),
            purpose=Purpose.SWEEP,
            sweep_id=sweep.id,
            asset=sweep.asset,
            amount=amount,
            beneficiary=self.treasury(),
            recipient=moving.to,
            data=moving.data,
            gas=gas,
            created_at=self._clock.now(),
        )
