"""Sweep a token of many addresses in one transaction, which the gas wallet sends and pays.

Where a chain's entry asks for batches and their contract is there (chain/batcher.py), a sweep that
needs a top-up joins one instead (EIP-7702). What a batch did not move is swept on its own from then
on, as everything is where there are no batches.

The contract acts for an address from its first batch on; then it needs no authorization any more.

Where the chain's entry gives them time, those that could go wait for company first (company.py).
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from ctrip.chain.batcher import FACTORY, batcher_of
from ctrip.chain.client import ChainOutage
from ctrip.core.batch import PARTS_MAX, Order, batch_sweep, delegate_in, fits
from ctrip.core.fees import Price, cost
from ctrip.core.ids import Amount, Asset, RawAddress
from ctrip.core.outgoing import Outgoing, Reverts
from ctrip.core.sending import UNDER_WAY, Part, Purpose, Sending
from ctrip.core.sweep import (
    WAITS,
    Fuel,
    Wait,
    advance,
    after,
    going,
    latest,
)
from ctrip.flows.company import InCompany
from ctrip.flows.decide import Decision
from ctrip.flows.settling import SAME_AGAIN, Settling, authorizations, new_sending_id
from ctrip.store import sendings, sweeps, transfers
from ctrip.store.pool import connection, transaction

ASKED_AT_ONCE_MAX: Final = 8
LOOK_AGAIN: Final = timedelta(seconds=60)  # whether the contract is there by now
NO_CODE: Final = "0x"


class Batches(Settling):
    """The batches of one chain."""

    def begin(self) -> None:
        """Set up what is known of the contract."""
        self._is_there = False
        self._looked_at: datetime | None = None
        self.company = self.beside(InCompany)

    async def take(self, decision: Decision) -> bool:
        """Tell whether a sweep goes by a batch: it needs gas, and no batch has failed it before."""
        needs_gas = isinstance(decision.step, Fuel) and not decision.was_batched
        return needs_gas and fits(decision.view.balance) and await self._are_taken()

    async def _are_taken(self) -> bool:
        """Tell whether the chain takes batches."""
        if not self.chain.settlement.batch:
            return False
        if (await self._transactor.market()).base_fee is None:
            self._warn("batch: it has no base fee, so no transactions of type 4 (EIP-7702)")
            return False
        now = self._clock.now()
        if not self._is_there and (not self._looked_at or now - self._looked_at > LOOK_AGAIN):
            self._looked_at = now
            self._is_there = await self._transactor.code(self.contract()) != NO_CODE
            if not self._is_there:
                self._warn(missing(self.contract()))
        return self._is_there

    async def call_up(self) -> None:
        """Let those be looked at that have had company, or time, enough."""
        await self.company.call_up()

    def contract(self) -> RawAddress:
        """Return where the contract is, for this treasury and this gas wallet."""
        return batcher_of(self.treasury(), self.gas_wallet)

    async def send(self, joining: Sequence[Decision]) -> list[Decision]:
        """Sweep each token in as few transactions as may be; return what must go on its own."""
        left: list[Decision] = []
        by_asset = sorted(joining, key=asset_of)
        for asset, of_asset in groupby(by_asset, key=asset_of):
            members = list(of_asset)
            if await self.company.keeps(asset, [one.sweep for one in members]):
                continue
            for start in range(0, len(members), PARTS_MAX):
                some = members[start : start + PARTS_MAX]
                left += [] if await self._send(asset, some) else some
        return left

    async def _send(self, asset: Asset, some: Sequence[Decision]) -> bool:
        """Send one batch, or let it wait; False if it would fail."""
        parts = await self._parts(some)
        price = price_of(some)
        call = await self._call(asset, parts, max(one.view.gas for one in some), price)
        gas = await self._gas_for(call)
        if gas is None:
            return False
        call = replace(call, gas=gas)
        whole = Amount(cost(price, gas) + await self._transactor.data_fee(call))
        if whole > (purse := await self.purse()):
            await self._wait(some, f"the gas wallet can spend {purse} wei and {whole} are needed")
            return True
        new = await self._draw_up(asset, call, parts)
        new = replace(new, versions=(await self.version(new, Amount(0), price),))
        if not await self._write(new):
            return True
        self._warn("")
        if why := await self.show(new):
            async with connection(self._pool) as conn:
                for part in parts:
                    await sweeps.say(conn, part.sweep_id, why)
        return True

    async def _gas_for(self, call: Outgoing) -> int | None:
        """Return the gas to offer; None if it would fail, or no endpoint can try it out."""
        try:
            gas = await self._transactor.gas_for(call)
        except ChainOutage as outage:  # one that does not know of authorizations says anything
            why = str(outage)
        else:
            if isinstance(gas, int):
                return gas
            why = gas.why if isinstance(gas, Reverts) else "the gas wallet has nothing"
        self._warn(f"batch: it would fail, so tokens are swept one by one: {why}")
        return None

    async def _parts(self, some: Sequence[Decision]) -> list[Part]:
        """Return what a batch moves, with the nonces of those who must authorize it first."""
        limit = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

        async def part(one: Decision) -> Part:
            sweep = one.sweep
            async with limit:
                code = await self._transactor.code(sweep.address)
                gave = delegate_in(code) == self.contract()
                nonce = None if gave else await self.next_nonce(sweep.address)
            return Part(
                sweep_id=sweep.id,
                address=sweep.address,
                derivation_index=sweep.derivation_index,
                amount=one.view.balance,
                nonce=nonce,
            )

        return list(await asyncio.gather(*(part(one) for one in some)))

    async def _call(
        self, asset: Asset, parts: Sequence[Part], gas_each: int, price: Price
    ) -> Outgoing:
        """Return the transaction, without nonce and gas."""
        keys = self.keys()
        orders = [Order(part.address, part.amount) for part in parts]
        call = replace(
            self.plain(self.gas_wallet, self.contract(), Amount(0)),
            data=batch_sweep(asset, gas_each, orders),
            max_fee=price.max_fee,
            priority_fee=price.priority_fee,
        )
        lent = await asyncio.to_thread(authorizations, keys, call, parts)
        return replace(call, authorizations=lent)

    async def _draw_up(self, asset: Asset, call: Outgoing, parts: Sequence[Part]) -> Sending:
        return Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=call.sender,
            derivation_index=None,
            nonce=await self.next_nonce(call.sender),
            purpose=Purpose.BATCH,
            sweep_id=None,
            asset=asset,
            amount=Amount(sum(part.amount for part in parts)),
            beneficiary=self.treasury(),
            recipient=call.to,
            data=call.data,
            gas=call.gas,
            created_at=self._clock.now(),
            parts=tuple(parts),
        )

    async def _write(self, new: Sending) -> bool:
        """Write a batch before anybody sees it; False if one of its sweeps has gone on."""
        async with transaction(self._pool) as conn:
            held = await sweeps.lock(conn, new.sweep_ids)
            before = await sendings.of_sweeps(conn, new.sweep_ids)
            for sweep in held:
                moving = latest(before[sweep.id], Purpose.SWEEP)
                fuel = latest(before[sweep.id], Purpose.FUEL)
                is_moving = moving is not None and moving.state in SAME_AGAIN
                is_fuelled = fuel is not None and fuel.state in UNDER_WAY
                if sweep.state not in WAITS or is_moving or is_fuelled:
                    return False
            if not await sendings.insert(conn, new):
                return False  # another process was faster with this nonce
            after_it = await sendings.of_sweeps(conn, new.sweep_ids)
            for sweep in held:
                await transfers.plan_sweep(
                    conn, sweep.id, self.chain.name, sweep.address, sweep.asset
                )
                now_is = going(sweep, now=new.created_at)
                await sweeps.save(conn, advance(now_is, after_it[sweep.id], now=new.created_at))
        return True

    async def _wait(self, some: Sequence[Decision], why: str) -> None:
        """Note what sweeps wait for, unless they have gone on meanwhile."""
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            for sweep in await sweeps.lock(conn, [one.sweep.id for one in some]):
                if sweep.state in WAITS:
                    await sweeps.save(conn, after(sweep, Wait(f"{why}: send it coin"), now=now))


def asset_of(decision: Decision) -> Asset:
    """Return what is to be moved."""
    return decision.sweep.asset


def price_of(some: Sequence[Decision]) -> Price:
    """Return what to offer. A transaction of type 4 names a tip, also where all is tip."""
    price = some[0].view.price
    assert price is not None, "a sweep was to be sent at no price"  # noqa: S101
    tip = price.max_fee if price.priority_fee is None else price.priority_fee
    return Price(price.max_fee, tip)


def missing(contract: RawAddress) -> str:
    """Say how the contract gets to its place."""
    return (
        f"batch: no contract is at {contract} for this treasury and this gas wallet, so tokens are"
        f" swept one by one; `ctrip sweep batcher` says what to send to {FACTORY}"
    )
