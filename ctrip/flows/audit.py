"""The standing audit: in a slow round, ask what every address ever given out holds.

The safety net under everything that reads blocks. It finds money for payments that are
closed, which came while nothing was open and no block was read; tokens whose logs no endpoint
showed; native coin sent for a token payment, or by ways that no transaction and no trace
shows; and money on this chain for a payment of another, whose address is the same here.
What is beyond the record is noted with its block and counts once that is final: the payment
records it, dated by that block, flags it and says so.

What it cannot see: money that others than us moved on before the round came by, and money that
came after they moved on as much, since a balance below the record is nothing. And a token
that grows by itself (one that rebases) seems to be paid.

What it costs: with 10,000 addresses, native coin and three tokens, a round is 34 passes of
one header and four calls, and there are four rounds a day: 680 calls. With many more
addresses a round takes longer, and the passes bound the cost: 1,440 times five a day.
"""

from datetime import timedelta
from typing import Final

from ctrip import logs
from ctrip.core.ids import NATIVE, PaymentId, RawAddress
from ctrip.core.scan import Cursor
from ctrip.flows.on_chain import OnChain
from ctrip.flows.unnamed import Seen, Unnamed
from ctrip.flows.weigh import at_cursor, heavier
from ctrip.store import audits, blocks, payment_sets
from ctrip.store.audits import BEFORE_ALL, Round
from ctrip.store.payment_sets import Held
from ctrip.store.pool import connection

AUDIT_SECONDS: Final = 60.0  # between passes
AUDIT_ADDRESSES_PER_PASS: Final = 300  # one call for each asset
ROUND_SECONDS_MIN: Final = 6 * 3600.0  # from the end of a round to the beginning of the next

log = logs.get("ctrip.audit")


class Auditor(OnChain):
    """The audit of one chain."""

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self._assets = [NATIVE, *(token.asset for token in self.chain.tokens if token.enabled)]
        self._unnamed = self.beside(Unnamed)
        # Ahead of the place that is stored while something found is not final yet: if we
        # were stopped now, it would have to be found again.
        self._ahead: PaymentId | None = None
        self._addresses = 0  # looked at in this round, by this process
        self._findings = 0

    async def run_once(self) -> bool:
        """Do a pass; raise EndpointsDisagree at its end if they do on what was found."""
        more = await self._pass()
        self._unnamed.complain()
        return more

    async def _pass(self) -> bool:
        """Look at the next addresses, unless a gap is open or the round has ended lately."""
        async with connection(self._pool) as conn:
            cursor = await blocks.whole(conn, self.chain.name)
            stored = await audits.find(conn, self.chain.name)
        if cursor is None:
            return False
        if await self._unnamed.credit(cursor.finalized):
            self._unnamed.clear()
            self._ahead = None  # back to the place that is stored, and all of it again
        if self._rests(stored):
            return False
        after = stored.after if self._ahead is None else self._ahead
        async with connection(self._pool) as conn:
            some = await payment_sets.used(conn, after=after, count_max=AUDIT_ADDRESSES_PER_PASS)
        if some and not await self._look(cursor, some):
            return False
        after = some[-1][0] if some else after
        await self._step(after, ended=len(some) < AUDIT_ADDRESSES_PER_PASS)
        return False

    def _rests(self, stored: Round) -> bool:
        """Tell whether a round has ended and the next is not due."""
        if self._ahead is not None or stored.after != BEFORE_ALL or stored.ended_at is None:
            return False
        return self._clock.now() - stored.ended_at < timedelta(seconds=ROUND_SECONDS_MIN)

    async def _look(self, cursor: Cursor, some: list[tuple[PaymentId, RawAddress]]) -> bool:
        """Compare some addresses with the record; False if the chain is changing just now."""
        at = await at_cursor(self._client, cursor)
        if at is None:
            return False
        ids = [payment_id for payment_id, _ in some]
        async with connection(self._pool) as conn:
            record = await payment_sets.on_record(conn, self.chain.name, ids, at=at.number)
        for asset in self._assets:
            held = [
                Held(payment_id=one, owner=owner, asset=asset, amount=record.get((one, asset), 0))
                for one, owner in some
            ]
            for one, has in await heavier(self._client, at, held):
                self._unnamed.add(
                    Seen(
                        payment_id=one.payment_id,
                        owner=one.owner,
                        asset=asset,
                        balance=has,
                        block=at,
                    )
                )
                self._findings += 1
        self._addresses += len(some)
        return True

    async def _step(self, after: PaymentId, *, ended: bool) -> None:
        """Move on; and store the place once nothing that was found may be forgotten."""
        self._ahead = after
        if self._unnamed:
            return
        name = self.chain.name
        async with connection(self._pool) as conn:
            if ended:
                await audits.end(conn, name, now=self._clock.now())
            else:
                await audits.note(conn, name, after)
        self._ahead = None
        if ended:
            log.info("audit ended", chain=name, addresses=self._addresses, findings=self._findings)
            self._addresses = self._findings = 0
