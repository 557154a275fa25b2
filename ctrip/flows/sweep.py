"""Sweep confirmed money to the treasury: decide, sign, write, show, one address at a time.

A pass looks at the sweeps that wait for a decision (flows/plan.py makes them). What is decided
(core/sweep.py) and signed is written, with its nonce, in a transaction that looks at the sweep
again; only then is it shown to nodes. Between any two of these steps the process may die: what was
written goes on in flows/follow.py, what was not did not happen.
"""

import asyncio
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.abi import erc20_transfer
from ctrip.core.fees import Market, cost, going_rate, price
from ctrip.core.ids import NATIVE, Amount, RawAddress, SweepId, raw
from ctrip.core.outgoing import Outgoing, Reverts, TooPoor
from ctrip.core.sending import UNDER_WAY, Purpose, Sending, SendingState
from ctrip.core.sweep import WAITS, Fuel, Send, Step, Sweep, View, advance, after, latest
from ctrip.core.sweep import next_step as decide
from ctrip.flows.settling import Settling, new_sending_id
from ctrip.store import payments, sendings, sweepable, sweeps
from ctrip.store.pool import connection, transaction

SWEEP_SECONDS: Final = 5.0  # between passes
LOOKED_AT_PER_PASS_MAX: Final = 50  # some five calls each
VIEWS_AT_ONCE_MAX: Final = 8

# A second one for the same sweep would move or spend twice. One that failed did neither.
SAME_AGAIN: Final = UNDER_WAY | {SendingState.MINED}

log = logs.get("ctrip.sweep")


class Sweeper(Settling):
    """The sweeps of one chain."""

    async def run_once(self) -> bool:
        """Do what is next for the sweeps that wait; True if there may be more of them."""
        async with connection(self._pool) as conn:
            waiting = await sweeps.due(
                conn, self.chain.name, self._clock.now(), count_max=LOOKED_AT_PER_PASS_MAX
            )
        if not waiting:
            return False
        market = await self._transactor.market()
        async with connection(self._pool) as conn:
            sent = await sendings.of_sweeps(conn, [one.id for one in waiting])
            taken = await sweepable.taken(conn, [one.id for one in waiting])
        recorded: dict[SweepId, int] = {one.id: 0 for one in waiting}
        for transfer in taken:
            recorded[transfer.sweep_id] += 0 if transfer.orphaned else transfer.amount
        limit = asyncio.Semaphore(VIEWS_AT_ONCE_MAX)

        async def look(sweep: Sweep) -> View:
            async with limit:
                return await self._view(sweep, Amount(recorded[sweep.id]), market)

        views = await asyncio.gather(*(look(one) for one in waiting))
        purse = await self._purse()
        busy: set[RawAddress] = set()  # whose coin is spoken for
        for sweep, view in zip(waiting, views, strict=True):
            if sweep.address in busy:
                continue
            rule = self.chain.rule(sweep.asset)
            step = decide(sweep, sent[sweep.id], replace(view, purse=purse), rule)
            if isinstance(step, Fuel | Send):
                busy.add(sweep.address)
            purse = Amount(purse - await self._do(sweep, step, view.fuel_gas))
        return len(waiting) == LOOKED_AT_PER_PASS_MAX

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

    async def _fuel_gas(self, address: RawAddress) -> int:
        """Return the gas of a top-up; to an address that is new it may be more (EIP-2780)."""
        gas = await self._transactor.gas_for(
            self._plain(self.keys().gas_address, address, Amount(1))
        )
        return gas if isinstance(gas, int) else 0

    async def _purse(self) -> Amount:
        """Return what the gas wallet holds and has not promised yet."""
        gas_wallet = self.keys().gas_address
        balance = await self._transactor.balance(gas_wallet, NATIVE)
        async with connection(self._pool) as conn:
            promised = await sendings.promised(conn, self.chain.name, gas_wallet)
        return Amount(max(0, balance - promised))

    def _treasury(self) -> RawAddress:
        treasury = self.chain.settlement.treasury
        assert treasury is not None, f"{self.chain.name} is swept to nowhere"  # noqa: S101
        return raw(treasury)

    def _moving(self, sweep: Sweep, amount: Amount) -> Outgoing:
        """Return the transaction that moves an amount of an asset, without nonce, gas and price."""
        if sweep.asset == NATIVE:
            return self._plain(sweep.address, self._treasury(), amount)
        data = erc20_transfer(self._treasury(), amount)
        return replace(self._plain(sweep.address, RawAddress(sweep.asset), Amount(0)), data=data)

    def _plain(self, sender: RawAddress, to: RawAddress, value: Amount) -> Outgoing:
        return Outgoing(
            chain_id=self.chain.chain_id,
            sender=sender,
            nonce=0,
            to=to,
            value=value,
            gas=0,
            max_fee=0,
            priority_fee=None,
        )

    async def _do(self, sweep: Sweep, step: Step, fuel_gas: int) -> Amount:
        """Do what was decided; return what it takes out of the gas wallet."""
        match step:
            case Fuel(value, offer):
                new = await self._draw_up_fuel(sweep, value, fuel_gas)
            case Send(amount, gas, offer):
                new = await self._draw_up_move(sweep, amount, gas)
                value = amount if new.is_native else Amount(0)
            case _:
                await self._note(after(sweep, step, now=self._clock.now()))
                return Amount(0)
        version = await self.version(new, value, offer)
        new = replace(new, versions=(version,))
        if not await self._write(sweep, new):
            return Amount(0)
        if why := await self.show(new):
            async with connection(self._pool) as conn:
                await sweeps.say(conn, sweep.id, why)
        is_fuel = new.purpose is Purpose.FUEL
        return Amount(value + cost(offer, new.gas)) if is_fuel else Amount(0)

    async def _draw_up_fuel(self, sweep: Sweep, value: Amount, gas: int) -> Sending:
        """Return the sending that brings an address the coin for its gas."""
        gas_wallet = self.keys().gas_address
        return Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=gas_wallet,
            derivation_index=None,
            nonce=await self._next_nonce(gas_wallet),
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

    async def _draw_up_move(self, sweep: Sweep, amount: Amount, gas: int) -> Sending:
        """Return the sending that moves what a sweep is about."""
        moving = self._moving(sweep, amount)
        return Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=sweep.address,
            derivation_index=sweep.derivation_index,
            nonce=await self._next_nonce(sweep.address),
            purpose=Purpose.SWEEP,
            sweep_id=sweep.id,
            asset=sweep.asset,
            amount=amount,
            beneficiary=self._treasury(),
            recipient=moving.to,
            data=moving.data,
            gas=gas,
            created_at=self._clock.now(),
        )

    async def _next_nonce(self, sender: RawAddress) -> int:
        """Return the next place in a sender's line, by the chain and by what we wrote."""
        on_chain = await self._transactor.next_nonce(sender)
        async with connection(self._pool) as conn:
            ours = await sendings.next_nonce(conn, self.chain.name, sender)
        return max(on_chain, ours)

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
                await payments.plan_sweep(
                    conn, sweep.id, self.chain.name, sweep.address, sweep.asset
                )
            now_is = replace(now_is, why="", due_at=new.created_at)
            await sweeps.save(conn, advance(now_is, [*before, new], now=new.created_at))
        return True

    async def _note(self, sweep: Sweep) -> None:
        """Write what a sweep waits for, unless it has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await sweeps.lock(conn, [sweep.id])
            if now_is.state in WAITS:
                await sweeps.save(conn, sweep)
