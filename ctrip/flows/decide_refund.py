"""What is next for the refunds of a chain, by what the chain says: asked, and not yet done.

Who signs is not decided here: refund.py does it at once, export_refunds.py leaves it to another
machine. Either writes a refund's transaction, with its nonce, in a database transaction that looks
at the refund and its payment again.

The payout wallet has one line of nonces on each chain, so refunds are drawn up in turn.
"""

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.acts import left_to_refund
from ctrip.core.fees import Market, is_outbid, price, raised
from ctrip.core.ids import NATIVE, Amount, Asset
from ctrip.core.outgoing import Reverts, TooPoor
from ctrip.core.refund import (
    EXPORTED,
    Refund,
    RefundState,
    View,
    advance,
    held_back,
    may_be_paid,
    news_of,
)
from ctrip.core.sending import Offer, Purpose, Sending, SendingState
from ctrip.core.sweep import Send
from ctrip.flows.apply import apply
from ctrip.flows.settling import Settling, new_sending_id
from ctrip.store import lines, payments, reconciliations, refunds, sendings
from ctrip.store.pool import Conn, connection, transaction

log = logs.get("ctrip.refund")


class RefundDecider(Settling):
    """Looks at the refunds of one chain."""

    async def view(self, refund: Refund, market: Market) -> View:
        """Ask what the payout wallet has, and what paying takes."""
        wallet, is_coin = self.payout_wallet, refund.asset == NATIVE
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
        wallet = self.payout_wallet
        return await lines.promised_of(conn, self.chain.name, wallet, asset)

    async def why_not(self, conn: Conn, refund: Refund) -> str:
        """Say why nothing may be signed for a refund, though it was exported; "" if it may."""
        held = await reconciliations.held_assets(conn, self.chain.name)
        [payment] = await payments.lock(conn, [refund.payment_id])
        return held_back(held.get(refund.asset, ""), backed=left_to_refund(payment) >= 0)

    def of_another_wallet(self, one: Sending) -> str:
        """Say that a refund was exported before the payout wallet was changed; "" if it was not."""
        if one.sender == self.payout_wallet:
            return ""
        return f"it was exported for another payout wallet, {one.sender}"

    def dearer(self, offer: Offer, market: Market) -> Offer | None:
        """Return what else to offer where blocks take dearer transactions; None: what it was."""
        if not is_outbid(offer.price, market):
            return None
        ceiling = self.chain.settlement.gas_price_max
        price = raised(offer.price, market, max_fee_ceiling=ceiling)
        return None if price is None else Offer(offer.value, price)

    async def draw_up(self, refund: Refund, step: Send) -> Sending:
        """Return the sending that pays a refund, which nobody has signed yet."""
        wallet = self.payout_wallet
        paying = self.moving(wallet, refund.asset, refund.recipient, step.amount)
        return Sending(
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

    async def write(self, refund: Refund, new: Sending) -> bool:
        """Write a sending before anybody sees it; False if the refund has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await refunds.lock(conn, [refund.id])
            before = (await sendings.of_refunds(conn, [refund.id]))[refund.id]
            if not may_be_paid(now_is, before):
                return False
            [payment] = await payments.lock(conn, [refund.payment_id])
            if left_to_refund(payment) < 0:
                return False  # a reorg took its money back just now
            if not await sendings.insert(conn, new):
                return False  # another process was faster with this nonce
            if new.state is SendingState.UNSIGNED:
                now_is = replace(now_is, state=RefundState.QUEUED, why=EXPORTED)
            await refunds.save(conn, advance(now_is, [new], now=new.created_at))
        return True

    async def note(self, refund: Refund) -> None:
        """Write what a refund waits for, or that it failed, unless it has gone on meanwhile."""
        async with transaction(self._pool) as conn:
            [now_is] = await refunds.lock(conn, [refund.id])
            before = (await sendings.of_refunds(conn, [refund.id]))[refund.id]
            if not may_be_paid(now_is, before):
                return
            await refunds.save(conn, refund)
            if refund.state is RefundState.FAILED:
                log.warning("refund failed", refund_id=refund.id, why=refund.why)
                told = {refund.payment_id: [news_of(refund, before)]}
                await apply(conn, told, now=self._clock.now())
