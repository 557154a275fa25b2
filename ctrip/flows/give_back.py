"""Take in refunds: say no to what cannot be, promise the rest; flows/refund.py pays it.

A promise is a fact of the payment, made through the one door, so that of two who ask for the same
money one is refused. What may be promised within 24 hours is limited for each asset; whoever asks
counts alone. Nothing is promised where nobody can sign: here, or elsewhere by an export.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import uuid4

from msgspec import Struct

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.chains import Chain
from ctrip.core.changes import RefundAsked
from ctrip.core.errors import RequestError
from ctrip.core.ids import Address, Amount, ChainName, KeyId, PaymentId, RawAddress, RefundId, raw
from ctrip.core.payment import GivenBack, Payment, Settles
from ctrip.core.refund import NOT_EXPORTED, Refund
from ctrip.flows.apply import apply
from ctrip.flows.register import Unfit
from ctrip.flows.settling import NO_WALLETS, Wallets
from ctrip.store import payment_sets, payments, refunds
from ctrip.store.pool import Conn, Pool, connection, transaction
from ctrip.wallet.derive import checksum
from ctrip.wallet.sign import Signer

DAY: Final = timedelta(hours=24)

log = logs.get("ctrip.refund")


class RefundsOff(RequestError):
    """This gateway refunds nothing of this asset."""

    status = 409
    code = "refunds_off"


class RefundLimit(RequestError):
    """So much may not be refunded within 24 hours."""

    status = 409
    code = "refund_limit_reached"


class Wish(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    payment_id: PaymentId
    to: str
    amount: Amount | None  # None: all that is left
    asked_by: KeyId


class Refunds:
    """What may be given back, and what was."""

    def __init__(
        self,
        chains: Sequence[Chain],
        signer: Signer | None,
        pool: Pool,
        clock: Clock,
        wallets: Wallets = NO_WALLETS,
    ) -> None:
        self._chains: Mapping[ChainName, Chain] = {chain.name: chain for chain in chains}
        self._signer = signer
        self._pool = pool
        self._clock = clock
        self._elsewhere = wallets

    async def ask(
        self, wish: Wish, *, owner: KeyId | None, refund_id: RefundId | None = None
    ) -> tuple[Refund, GivenBack] | None:
        """Return the refund that is promised, or None if this owner has no such payment.

        Raise Unfit, WrongState, RefundTooLarge, RefundsOff or RefundLimit, and change nothing,
        where it is not possible. One that has this id already is returned as it is.
        """
        new_id, now = refund_id or RefundId(uuid4()), self._clock.now()
        async with transaction(self._pool) as conn:
            payment = await payments.find(conn, wish.payment_id, owner=owner)
            if payment is None:
                return None
            if refund_id and (known := await self._of(conn, payment, refund_id)):
                return known
            limit = self._limit(payment)
            to = await self._recipient(conn, payment, wish.to)
            await refunds.take_turn(conn)
            asked = RefundAsked(refund_id=new_id, to=to, amount=wish.amount)
            await apply(conn, {payment.id: [asked]}, now=now)
            back = await self._promised(conn, payment.id, new_id)
            already = await refunds.asked_since(conn, payment.chain, payment.asset, now - DAY)
            if already + back.amount > limit:
                raise RefundLimit(
                    f"refund_per_day_max allows {limit} within 24 hours, and {already} of it is"
                    " used; ask later, or raise it in chains.yaml"
                )
            refund = Refund(
                id=new_id,
                chain=payment.chain,
                payment_id=payment.id,
                asset=payment.asset,
                amount=back.amount,
                recipient=raw(to),
                asked_by=wish.asked_by,
                created_at=now,
                due_at=now,
                why=NOT_EXPORTED if self._is_exported(payment) else "",
            )
            await refunds.insert(conn, refund)
        log.info("refund is asked for", refund_id=new_id, payment_id=payment.id, to=to)
        return refund, back

    async def of_payment(
        self, payment_id: PaymentId, *, owner: KeyId | None
    ) -> list[tuple[Refund, GivenBack]] | None:
        """Return a payment's refunds, the oldest first; None if this owner has no such payment."""
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, payment_id, owner=owner)
            if payment is None:
                return None
            found = {one.id: one for one in await refunds.of_payment(conn, payment_id)}
        return [(found[back.id], back) for back in payment.refunds]

    async def _of(
        self, conn: Conn, payment: Payment, refund_id: RefundId
    ) -> tuple[Refund, GivenBack] | None:
        """Return a refund that was asked for before."""
        found = {one.id: one for one in await refunds.of_payment(conn, payment.id)}
        backs = {back.id: back for back in payment.refunds}
        return (found[refund_id], backs[refund_id]) if refund_id in found else None

    async def _promised(self, conn: Conn, payment_id: PaymentId, refund_id: RefundId) -> GivenBack:
        [payment] = await payments.lock(conn, [payment_id])
        return next(back for back in payment.refunds if back.id == refund_id)

    def _limit(self, payment: Payment) -> Amount:
        """Return how much of a payment's asset may be refunded in a day; raise RefundsOff."""
        chain = self._chains.get(payment.chain)
        if chain is None:
            raise RefundsOff(f"The chain {payment.chain} is not served any more")
        if self._is_exported(payment) and self._elsewhere.payout is None:
            raise RefundsOff(
                f"Nobody is known who pays refunds on {chain.name}; [settlement] payout_wallet in"
                " config.toml names the wallet that they are signed for elsewhere"
            )
        if not self._is_exported(payment) and (
            self._signer is None or chain.settlement.mode is not Settles.SWEEP
        ):
            raise RefundsOff(
                f"Nothing can be signed here: {chain.name} is in the mode"
                f' "{chain.settlement.mode}"; refunds need "sweep" or "export"'
            )
        limit = chain.terms(payment.asset).refund_per_day_max
        if limit is None:
            raise RefundsOff(
                f"Refunds of {payment.currency} on {chain.name} are off; refund_per_day_max in"
                " chains.yaml turns them on"
            )
        return limit

    def _is_exported(self, payment: Payment) -> bool:
        """Tell whether what pays a payment's refunds is signed elsewhere."""
        return self._chains[payment.chain].settlement.mode is Settles.EXPORT

    async def _recipient(self, conn: Conn, payment: Payment, text: str) -> Address:
        """Return the address to pay to; raise Unfit if money would not reach anybody there."""
        to = RawAddress(text.lower())
        spelt, digits = checksum(to), text[2:]
        if digits not in {digits.lower(), digits.upper()} and text != spelt:
            raise unfit("has a wrong checksum (EIP-55), so it may be mistyped; copy it again")
        if not int(to, 16):
            raise unfit("is the zero address, from which nothing comes back")
        if payment.contract is not None and to == raw(payment.contract):
            raise unfit("is the token's contract, from which nothing comes back")
        if to in self._own_wallets(payment):
            raise unfit("is a wallet of this gateway")
        if await payment_sets.owners(conn, [to]):
            raise unfit("is the address of a payment")
        return spelt

    def _own_wallets(self, payment: Payment) -> set[RawAddress]:
        treasury = self._chains[payment.chain].settlement.treasury
        wallets = {raw(treasury)} if treasury else set()
        wallets |= {one for one in (self._elsewhere.gas, self._elsewhere.payout) if one}
        if self._signer:
            wallets |= {self._signer.gas_address, self._signer.payout_address}
        return wallets


def unfit(why: str) -> Unfit:
    """Return the refusal of an address."""
    return Unfit({"to": why})
