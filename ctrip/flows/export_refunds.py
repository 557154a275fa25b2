"""Let another machine sign refunds, each with one nonce for ever.

A refund that is decided is written with its nonce and handed out. What did not come back is handed
out again by every export, in the same place of the payout wallet's line: whichever of them is
signed, and however often, one transaction of them is mined (core/refund.py). It is the same to the
byte, unless gas has become dearer; then it offers more, and what was signed before is known too.
One that came back, and is outbid in the pool, is handed out again for the same reason.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.bundles import RefundOf, Unsigned
from ctrip.core.fees import Market, cost
from ctrip.core.ids import NATIVE, Amount
from ctrip.core.paths import PAYOUT_PATH
from ctrip.core.refund import EXPORTED, Refund, after, nonce_spent
from ctrip.core.refund import next_step as decide
from ctrip.core.sending import UNDER_WAY, Offer, Sending, SendingState
from ctrip.core.sweep import Send
from ctrip.flows.decide_refund import RefundDecider
from ctrip.flows.write_out import offered, worth, written
from ctrip.store import lines, offers, refunds, sendings
from ctrip.store.pool import Conn, connection, transaction
from ctrip.wallet.derive import checksum

EXPORTED_MAX: Final = 1_000  # refunds in a file


class Line(Struct, frozen=True, kw_only=True):
    """What the chain says of the payout wallet."""

    next_nonce: int
    coin: Amount


class RefundExporter(RefundDecider):
    """The refunds of one chain that are signed elsewhere."""

    async def export(self) -> list[Unsigned]:
        """Return the refunds that are to be signed: those of before, and then new ones."""
        now, name = self._clock.now(), self.chain.name
        async with connection(self._pool) as conn:
            before = (await offers.waiting(conn, name))[:EXPORTED_MAX]
            left = EXPORTED_MAX - len(before)
            waiting = await refunds.due(conn, name, now, count_max=left)
        if not before and not waiting:
            return []
        market = await self._transactor.market()
        line = Line(
            next_nonce=await self._transactor.next_nonce(self.payout_wallet),
            coin=await self._transactor.balance(self.payout_wallet, NATIVE),
        )
        again = [await self._again(one, market, line) for one in before]
        new = [await self._anew(refund, market) for refund in waiting]
        return [one for one in (*again, *new) if one is not None]

    async def _again(self, one: Sending, market: Market, line: Line) -> Unsigned | None:
        """Hand out once more what did not come back; not if it is doubtful what became of it."""
        assert one.refund_id is not None, f"{one.id} is of no refund"  # noqa: S101
        async with transaction(self._pool) as conn:
            [now_is] = (await sendings.lock(conn, self.chain.name, [one.id])).values()
            [refund] = await refunds.lock(conn, [one.refund_id])
            if now_is.state not in UNDER_WAY or now_is.exported is None:
                return None  # it went on just now
            why = self.of_another_wallet(now_is)
            if not why and now_is.nonce < line.next_nonce:
                why = nonce_spent(refund, now_is)
            why = why or await self.why_not(conn, refund)
            if now_is.state is SendingState.UNSIGNED:
                await refunds.say(conn, refund.id, why or EXPORTED)
            if why:
                return None
            offer = await self._offer_again(conn, now_is, now_is.exported, market, line)
        if offer.price in {version.price for version in now_is.versions}:
            return None  # it came back signed, and is dear enough
        return self._to_sign(replace(now_is, exported=offer), refund)

    async def _offer_again(
        self, conn: Conn, one: Sending, offer: Offer, market: Market, line: Line
    ) -> Offer:
        """Return what a refund offers in this export: more, if it must and the wallet can pay."""
        more = self.dearer(offer, market)
        if more is None:
            return offer
        rise = cost(more.price, one.gas) - cost(offer.price, one.gas)
        if line.coin - await lines.promised(conn, self.chain.name, one.sender) < rise:
            return offer
        await offers.keep(conn, one.id, now=self._clock.now())
        await sendings.export_at(conn, one.id, more)
        return more

    async def _anew(self, refund: Refund, market: Market) -> Unsigned | None:
        """Decide about a refund that was not exported yet."""
        step = decide(refund, await self.view(refund, market))
        if not isinstance(step, Send):
            await self.note(after(refund, step, now=self._clock.now()))
            return None
        new = offered(await self.draw_up(refund, step), step.price)
        return self._to_sign(new, refund) if await self.write(refund, new) else None

    def _to_sign(self, one: Sending, refund: Refund) -> Unsigned:
        """Put a refund into the words of the file."""
        to = checksum(refund.recipient)
        why = f"refund of payment {refund.payment_id}: {worth(one, self.chain)} to {to}"
        of = RefundOf(id=refund.id, payment_id=refund.payment_id, asked_at=refund.created_at)
        return written(one, self.chain, why, PAYOUT_PATH, refund=of)
