"""Ask a second endpoint about large amounts before they count as confirmed.

One operator of RPC nodes is one signer over the till: what a node invents, nobody else
has. So above an amount that the chain's entry names, another endpoint must show the same
transfer in the same block. Until it does the payment stays `detected`; if it shows
something else and most of those that answer do not outvote it, the payment is held, and
health names both endpoints.
"""

from typing import Final

from ctrip.core.changes import Change, TransferVouched
from ctrip.core.errors import OutageError
from ctrip.core.ids import PaymentId
from ctrip.flows.apply import apply
from ctrip.flows.on_chain import OnChain
from ctrip.flows.rescan import hold_head
from ctrip.store import payment_sets, payments
from ctrip.store.pool import connection, transaction

PAYMENTS_PER_PASS_MAX: Final = 50  # each of their transfers costs a few calls


class Disagreement(OutageError):
    """Two endpoints tell of different money. A payment is held until they agree."""


class Voucher(OnChain):
    """The second opinions on one chain."""

    async def run_once(self) -> bool:
        """Ask about the money that waits for it; raise Disagreement once the rest is written."""
        name = self.chain.name
        async with connection(self._pool) as conn:
            ids = await payment_sets.unvouched(conn, name, count_max=PAYMENTS_PER_PASS_MAX)
            found = [await payments.find(conn, payment_id) for payment_id in ids]
        changes: dict[PaymentId, list[Change]] = {}
        faults = []
        for payment in filter(None, found):
            for transfer in payment.needed():
                if transfer.vouched:
                    continue
                opinion = await self.opinion(transfer)
                if opinion.agrees:
                    vouched = TransferVouched(transfer.key, transfer.block_hash)
                    changes.setdefault(payment.id, []).append(vouched)
                else:
                    faults.append(f"payment {payment.id} is held: {opinion.doubt}")
        await self._write(changes)
        if faults:
            raise Disagreement(f"{name}: " + "; ".join(faults))
        return False

    async def _write(self, changes: dict[PaymentId, list[Change]]) -> None:
        """Note what was vouched for, and let the payments go on from there."""
        if not changes:
            return
        async with transaction(self._pool) as conn:
            reached = await hold_head(conn, self.chain.name)
            for of_payment in changes.values():
                of_payment.append(reached)
            events = await apply(conn, changes, now=self._clock.now())
        if events:
            self._news.set()
