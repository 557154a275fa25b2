"""Let the shop decide about a payment: end it, take what came as enough, give it more time.

core/acts.py says when each is possible. The payment is changed by the one door, so a decision
meets whatever else happens to the payment in some order, and each sees what the other left.
"""

import asyncio

from ctrip.clock import Clock
from ctrip.core.changes import Decision
from ctrip.core.ids import KeyId, PaymentId
from ctrip.core.payment import Payment
from ctrip.flows.apply import apply
from ctrip.store import payments
from ctrip.store.pool import Pool, transaction


class Acts:
    """What may be done to payments by hand."""

    def __init__(self, pool: Pool, clock: Clock, news: asyncio.Event) -> None:
        self._pool = pool
        self._clock = clock
        self._news = news

    async def decide(
        self, payment_id: PaymentId, decision: Decision, *, owner: KeyId | None = None
    ) -> Payment | None:
        """Return the payment as it is then, or None if this owner has none of this id.

        Raise WrongState, and change nothing, where it is not possible.
        """
        async with transaction(self._pool) as conn:
            if not await payments.find(conn, payment_id, owner=owner):
                return None
            events = await apply(conn, {payment_id: [decision]}, now=self._clock.now())
            decided = await payments.find(conn, payment_id)
        if events:
            self._news.set()
        return decided
