"""Pay refunds out of the payout wallet: decide, sign, write, show, one after the other.

A pass looks at the refunds that wait for a decision (flows/give_back.py takes them in). What is
decided (core/refund.py) and signed is written, with its nonce, in a transaction that looks at the
refund and its payment again; only then is it shown to nodes. Between any two of these steps the
process may die: what was written goes on in flows/follow.py, what was not did not happen.

The payout wallet has one line of nonces on each chain, so they are drawn up in turn.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.acts import left_to_refund
from ctrip.core.changes import Change
from ctrip.core.fees import Market, price
from ctrip.core.ids import NATIVE, Amount, Asset, PaymentId, RefundId
from ctrip.core.outgoing import Reverts, TooPoor
from ctrip.core.refund import WAITS, Refund, RefundState, View, advance, after, news_of
from ctrip.core.refund import next_step as decide
from ctrip.core.sending import Purpose, Sending
from ctrip.core.sweep import Send, latest
from ctrip.flows.apply import apply
from ctrip.flows.settling import Settling, new_sending_id
from ctrip.store import lines, payments, reconciliations, refunds, sendings
from ctrip.store.pool import Conn, connection, transaction

REFUND_SECONDS: Final = 2.0  # between passes; asks Postgres only, unless money is to go back
LOOKED_AT_PER_PASS_MAX: Final = 20  # some five calls each, in turn

log = logs.get("ctrip.refund")


class Refunder(Settling):
    """The refunds of one chain."""

    async def run_once(self) -> bool:
        """Do what is next for the refunds that wait; True if there may be more of them."""
        async with connection(self._pool) as conn:
            waiting = await refunds.due(
                conn, self.chain.name, self._clock.now(), count_max=LOOKED_AT_PER_PASS_MAX
            )
        if not waiting:
            return False
        market = await self._transactor.market()
        for refund in waiting:
            step = decide(refund, await self._view(refund, market))
            if isinstance(step, Send):
                await self._send(refund, step)
            else:
                await self._note(after(refund, step, now=self._clock.now()))
        return len(waiting) == LOOKED_AT_PER_PASS_MAX

    async def _view(self, refund: Refund, market: Market) -> View:
        """Ask what the payout wallet has, and what paying takes."""
        wallet, is_coin = self.keys().payout_address, refund.asset == NATIVE
        coin = await self._transactor.balance(wallet, NATIVE)
        tokens = Amount(0) if is_coin else await self._transactor.balance(wallet, refund.asset)
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, refund.payment_id)
            coin = Amount(coin - await lines.promised(conn, self.chain.name, wallet))
            tokens = Amount(tokens - await self._promised(conn, refund.asset))
            held = await reconciliations.held_assets(conn, self.chain.name)
        view = View(
            wallet=wallet,
            free=Amount(max(0, coin if is_coin else tokens)),
            coin=Amount(max(0, coin)),
            backed=payment is not None and left_to_refund(payment) >= 0,
            price=price(market, max_fee_ceiling=self.chain.settlement.gas_price_max),
            gas=0,
            held=held.get(refund.asset, ""),
        )
        if not view.backed or view.free < refund.amount:
            return view
        paying = self.moving(wallet, refund.asset, refund.recipient, refund.amount)
        gas = await self._transactor.gas_for(paying)
        if isinstance(gas, Reverts):
            return replace(view, fails=gas.why)
        if isinstance(gas, TooPoor):
            return replace(view, free=Amount(0))  # it is being spent just now
        data_fee = await self._transactor.data_fee(replace(paying, gas=gas))
        return replace(view, gas=gas, data_fee=data_fee)

    async def _promised(self, conn: Conn, asset: Asset) -> Amount:
        wallet = self.keys().payout_address
        return await lines.promised_of(conn, self.chain.name, wallet, asset)

    async def _send(self, refund: Refund, step: Send) -> None:
        """Sign what pays a refund, write it, and show it."""
        wallet = self.keys().payout_address
        paying = self.moving(wallet, refund.asset, refund.recipient, step.amount)
        new = Sending(
            id=new_sending_id(),
            chain=self.chain.name,
            sender=wallet,
            derivation_index=None,
            nonce=await self.next_nonce(wallet),
            purpose=Purpose.REFUND,
            sweep_id=None,
            refund_id=refund.id,
            asset=refund.asset,
            amount=step.amount,
            beneficiary=refund.recipient,
            recipient=paying.to,
            data=paying.data,
            gas=step.gas,
            created_at=self._clock.now(),
        )
        new = replace(new, versions=(await self.version(new, paying.value, step.price),))
        if not await self._write(refund, new):
            return
        if why := await self.show(new):
            async with connection(self._pool) as conn:
                await refunds.say(conn, refund.id, why)

    async def _write(self, refund: Refund, new: Sending) -> bool:
        """Write a sending before anybody sees it; False if the refund has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await refunds.lock(conn, [refund.id])
            before = (await sendings.of_refunds(conn, [refund.id]))[refund.id]
            if now_is.state not in WAITS or latest(before, Purpose.REFUND):
                return False
            [payment] = await payments.lock(conn, [refund.payment_id])
            if left_to_refund(payment) < 0:
                return False  # a reorg took its money back just now
            if not await sendings.insert(conn, new):
                return False  # another process was faster with this nonce
            await refunds.save(conn, advance(now_is, [new], now=new.created_at))
        return True

    async def _note(self, refund: Refund) -> None:
        """Write what a refund waits for, or that it failed, unless it has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await refunds.lock(conn, [refund.id])
            before = (await sendings.of_refunds(conn, [refund.id]))[refund.id]
            if now_is.state not in WAITS or latest(before, Purpose.REFUND):
                return
            await refunds.save(conn, refund)
            if refund.state is RefundState.FAILED:
                log.warning("refund failed", refund_id=refund.id, why=refund.why)
                told = {refund.payment_id: [news_of(refund, before)]}
                await apply(conn, told, now=self._clock.now())


async def bring_on(
    conn: Conn, ids: Collection[RefundId], *, now: datetime
) -> dict[PaymentId, list[Change]]:
    """Bring refunds up to what their sendings say; return what their payments are to be told."""
    of_refunds = await sendings.of_refunds(conn, ids)
    changes: dict[PaymentId, list[Change]] = defaultdict(list)
    for before in await refunds.lock(conn, ids):
        refund = advance(before, of_refunds[before.id], now=now)
        await refunds.save(conn, refund)
        if refund.state is not before.state:
            log.info("refund", refund_id=refund.id, state=refund.state, why=refund.why)
        changes[refund.payment_id].append(news_of(refund, of_refunds[refund.id]))
    return changes
