"""Find out what became of an exported refund whose nonce went to a transaction unknown here.

Somebody names that transaction. Whether it is of that place in the line, is final, and paid the
refund is read off the chain: then it is on record as what paid it, as if it had come back. If it
did anything else, nothing that was signed for the refund can be mined any more, and it gets another
nonce.
"""

from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.core.errors import ConfigError
from ctrip.core.ids import RefundId
from ctrip.core.outgoing import Signed
from ctrip.core.payment import Settles
from ctrip.core.refund import ENDED, NOT_EXPORTED, Refund, RefundState
from ctrip.core.sending import Sending, SendingState, Version
from ctrip.core.transaction import Transaction
from ctrip.flows.refund import bring_on
from ctrip.flows.settling import Settling
from ctrip.flows.witness import disagreement, say
from ctrip.store import blocks, refunds, sendings
from ctrip.store.pool import Conn, connection, transaction

NO_BYTES: Final = "0x"  # it is final, so nobody is shown it again
NOT_MINED: Final = frozenset({SendingState.UNSIGNED, SendingState.TAKEN})

log = logs.get("ctrip.refund")


class NotThat(ConfigError):
    """The transaction that was named says nothing about the refund."""


class Adopter(Settling):
    """The refunds of one chain of which it is not known whether they were paid."""

    async def used(self, refund_id: RefundId, found: Transaction) -> bool:
        """Note which transaction has a refund's nonce; True if it paid it. Raise NotThat."""
        await self._check_final(found)
        async with transaction(self._pool) as conn:
            of_refund = (await sendings.of_refunds(conn, [refund_id]))[refund_id]
            await sendings.lock(conn, self.chain.name, [one.id for one in of_refund])
            [refund] = await refunds.lock(conn, [refund_id])
            one = without_answer(of_refund)
            if refund.state in ENDED or one is None:
                raise NotThat(f"refund {refund_id} is {refund.state}, and was not exported")
            if (found.sender, found.nonce) != (one.sender, one.nonce):
                raise NotThat(
                    f"--by: {found.tx_hash} is of {found.sender}, nonce {found.nonce}; the refund"
                    f" is of {one.sender}, nonce {one.nonce}"
                )
            paid = is_paid_by(refund, found)
            if paid:
                await self._adopt(conn, refund, one, found)
            else:
                await self._release(conn, refund, one)
        log.info("refund's nonce is told", refund_id=refund_id, tx_hash=found.tx_hash, paid=paid)
        return paid

    async def _check_final(self, found: Transaction) -> None:
        """Refuse a transaction whose block may be replaced."""
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, self.chain.name)
        [outcome] = await self._transactor.outcomes([found.tx_hash])
        mined = outcome.mined
        if cursor is None or mined is None or mined.block_number > cursor.finalized:
            raise NotThat(f"--by: {found.tx_hash} is in no final block; wait until it is")
        [opinion] = await self._transactor.second_look([outcome])
        if opinion.second and not opinion.agrees:
            raise NotThat(f"--by: {disagreement(outcome, opinion)}")
        if opinion.outvoted:
            say(self.chain.name, opinion, disagreement(outcome, opinion))

    async def _adopt(self, conn: Conn, refund: Refund, one: Sending, found: Transaction) -> None:
        """Follow a transaction as the refund's own."""
        assert one.exported is not None, f"{one.id} was not exported"  # noqa: S101
        version = Version(
            signed=Signed(found.tx_hash, NO_BYTES),
            value=one.exported.value,
            price=one.exported.price,
            created_at=self._clock.now(),
        )
        await sendings.sign(conn, one.id, version)
        await refunds.say(conn, refund.id, "")
        await bring_on(conn, [refund.id], now=version.created_at)

    async def _release(self, conn: Conn, refund: Refund, one: Sending) -> None:
        """Let a refund have another nonce."""
        await sendings.release(conn, one.id)
        waits = NOT_EXPORTED if self.chain.settlement.mode is Settles.EXPORT else ""
        now = self._clock.now()
        await refunds.save(conn, replace(refund, state=RefundState.QUEUED, why=waits, due_at=now))


def without_answer(of_refund: list[Sending]) -> Sending | None:
    """Return the sending that was exported, and of which nothing came back that was mined."""
    found = [one for one in of_refund if one.exported and one.state in NOT_MINED]
    return found[0] if found else None


def is_paid_by(refund: Refund, found: Transaction) -> bool:
    """Tell whether a transaction paid a refund, or was meant to, and failed."""
    wanted = (refund.asset, refund.recipient, refund.amount)
    return wanted in {(m.asset, m.recipient, m.amount) for m in (*found.offered, *found.moved)}
