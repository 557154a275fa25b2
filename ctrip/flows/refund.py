"""Pay refunds out of the payout wallet: decide, sign, write, show, one after the other.

A pass looks at the refunds that wait for a decision (flows/give_back.py takes them in). What is
decided (decide_refund.py, core/refund.py) and signed is written before it is shown to nodes.
Between any two of these steps the process may die: what was written goes on in flows/follow.py,
what was not did not happen.

What was exported while the chain was settled by exports is signed here now, with the nonce that it
has: a signature of it may be somewhere.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.changes import Change
from ctrip.core.fees import Market
from ctrip.core.ids import Amount, PaymentId, RefundId
from ctrip.core.refund import advance, after, news_of
from ctrip.core.refund import next_step as decide
from ctrip.core.sending import Sending, SendingState
from ctrip.core.sweep import Send
from ctrip.flows.decide_refund import RefundDecider
from ctrip.store import offers, refunds, sendings
from ctrip.store.pool import Conn, connection, transaction

REFUND_SECONDS: Final = 2.0  # between passes; asks Postgres only, unless money is to go back
LOOKED_AT_PER_PASS_MAX: Final = 20  # some five calls each, in turn

log = logs.get("ctrip.refund")


class Refunder(RefundDecider):
    """The refunds of one chain that we sign for."""

    async def run_once(self) -> bool:
        """Do what is next for the refunds that wait; True if there may be more of them."""
        async with connection(self._pool) as conn:
            waiting = await refunds.due(
                conn, self.chain.name, self._clock.now(), count_max=LOOKED_AT_PER_PASS_MAX
            )
            exported = [
                one
                for one in await offers.waiting(conn, self.chain.name)
                if one.state is SendingState.UNSIGNED
            ]
        if not waiting and not exported:
            return False
        market = await self._transactor.market()
        for one in exported:
            await self._take_over(one, market)
        for refund in waiting:
            step = decide(refund, await self.view(refund, market))
            if isinstance(step, Send):
                new = await self.draw_up(refund, step)
                value = step.amount if new.is_native else Amount(0)
                new = replace(new, versions=(await self.version(new, value, step.price),))
                if await self.write(refund, new):
                    await self._show(new)
            else:
                await self.note(after(refund, step, now=self._clock.now()))
        return len(waiting) == LOOKED_AT_PER_PASS_MAX

    async def _take_over(self, one: Sending, market: Market) -> None:
        """Sign what was exported when the chain was settled by exports, in its place."""
        assert one.exported is not None, f"{one.id} was exported at no price"  # noqa: S101
        offer = self.dearer(one.exported, market) or one.exported
        if why := self.of_another_wallet(one):
            await self._say(one, why)
            return
        version = await self.version(one, offer.value, offer.price)
        async with transaction(self._pool) as conn:
            [now_is] = (await sendings.lock(conn, self.chain.name, [one.id])).values()
            if now_is.state is not SendingState.UNSIGNED:
                return
            [refund] = await refunds.lock(conn, refund_ids_of([one]))
            if why := await self.why_not(conn, refund):
                await refunds.say(conn, refund.id, why)
                return
            await sendings.sign(conn, one.id, version)
            await bring_on(conn, [refund.id], now=version.created_at)
        await self._show(replace(one, state=SendingState.SIGNED, versions=(version,)))

    async def _show(self, new: Sending) -> None:
        """Show nodes what pays a refund, and note if they do not want it."""
        if why := await self.show(new):
            await self._say(new, why)

    async def _say(self, one: Sending, why: str) -> None:
        assert one.refund_id is not None, f"{one.id} is of no refund"  # noqa: S101
        async with connection(self._pool) as conn:
            await refunds.say(conn, one.refund_id, why)


def refund_ids_of(some: Collection[Sending]) -> set[RefundId]:
    """Return the refunds that sendings pay."""
    return {one.refund_id for one in some if one.refund_id is not None}


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
