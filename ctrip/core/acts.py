"""What the shop may decide about a payment, and in which state it may.

    cancel    end it, while nobody has begun to pay
    accept    take what has come as enough, while that is too little or too late
    extend    give the payer until a time, while the payment waits for money
    refund    give back what has come for good, once the payment waits for no more

To ask for what is so already changes nothing, so whoever lost an answer asks again. What is
not possible is refused, and the refusal says what would be.

Time is given to pending payments only. An expired one was announced as such, and shops let
the goods go at that; money that comes to it is taken by hand.

What may be given back is what sweeps may take (store/sweepable.py): what a confirmed payment
needed, and the rest once it is final. What is given back, or is going to be, cannot be given back
again, nor does it bring the payment to life.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from msgspec.structs import replace

from ctrip.core.changes import Accepted, Cancelled, Decision, Extended, RefundAsked
from ctrip.core.errors import RequestError
from ctrip.core.ids import Amount
from ctrip.core.payment import STANDING, GivenBack, Payment, Status, Transfer, total

PAYABLE: Final = frozenset({Status.PENDING, Status.DETECTED})  # its money is still on its way in
AHEAD_MAX: Final = timedelta(days=7)  # of a new deadline, as long as a create may ask for


class Act(StrEnum):
    """A decision, as the outside names it."""

    ACCEPT = "accept"
    CANCEL = "cancel"
    EXTEND = "extend"


class WrongState(RequestError):
    """The payment is not in a state that allows this."""

    status = 409
    code = "wrong_state"

    def __init__(self, rule: str, payment: Payment) -> None:
        got = payment.amount_received
        of_money = "nothing" if not got else f"{got} of {payment.amount}"
        super().__init__(f"{rule}; this one is {payment.status} and has received {of_money}")
        self.is_now = payment.status
        self.allowed = allowed(payment)


class RefundTooLarge(RequestError):
    """More is to be given back than there is."""

    status = 409
    code = "refund_too_large"

    def __init__(self, payment: Payment) -> None:
        final = total(t for t in payment.own() if has_come_for_good(payment, t))
        super().__init__(
            f"At most {max(0, left_to_refund(payment))} can be refunded: {payment.amount_received}"
            f" came, {final} of it for good, and {payment.amount_given_back} is given back already"
        )


def allowed(payment: Payment) -> tuple[Act, ...]:
    """Return what would change something now."""
    waits = payment.status is Status.PENDING
    acts = []
    if (waits or payment.status is Status.EXPIRED) and payment.own() and not gives_back(payment):
        acts.append(Act.ACCEPT)
    if waits and not payment.live():
        acts.append(Act.CANCEL)
    if waits:
        acts.append(Act.EXTEND)
    return tuple(acts)


def decide(payment: Payment, decision: Decision) -> Payment:
    """Record what the shop has decided."""
    match decision:
        case Cancelled():
            return cancel(payment)
        case Accepted():
            return accept(payment)
        case Extended(until):
            return prolong(payment, until)
        case RefundAsked():
            return refund(payment, decision)
        case _:
            assert_never(decision)


def cancel(payment: Payment) -> Payment:
    """End a payment that nobody has begun to pay."""
    if payment.cancelled and payment.status not in STANDING:
        return payment
    if Act.CANCEL not in allowed(payment):
        raise WrongState(
            "Only a pending payment that has received nothing can be cancelled", payment
        )
    return replace(payment, cancelled=True)


def accept(payment: Payment) -> Payment:
    """Take what has come as enough."""
    if payment.accepted_amount is not None and payment.status in STANDING:
        return payment
    if gives_back(payment):
        raise WrongState("A payment whose money is given back cannot be accepted", payment)
    if Act.ACCEPT not in allowed(payment):
        raise WrongState("Only an underpaid or late payment can be accepted", payment)
    return replace(payment, accepted_amount=min(payment.amount, payment.amount_received))


def prolong(payment: Payment, until: datetime) -> Payment:
    """Give the payer until a time; the late window moves along. A later deadline stays."""
    if until == payment.expires_at and payment.status in STANDING:
        return payment
    if Act.EXTEND not in allowed(payment):
        raise WrongState("Only a pending payment can be given more time", payment)
    if until <= payment.expires_at:
        return payment
    window = payment.watched_until - payment.expires_at
    return replace(payment, expires_at=until, watched_until=until + window)


def refund(payment: Payment, asked: RefundAsked) -> Payment:
    """Give money back; asked twice, it is given back once."""
    if any(back.id == asked.refund_id for back in payment.refunds):
        return payment
    if payment.status in PAYABLE:
        raise WrongState("Only a payment that waits for no more money can be refunded", payment)
    left = left_to_refund(payment)
    amount = left if asked.amount is None else asked.amount
    if not 0 < amount <= left:
        raise RefundTooLarge(payment)
    back = GivenBack(id=asked.refund_id, to=asked.to, amount=Amount(amount))
    return replace(payment, refunds=(*payment.refunds, back))


def left_to_refund(payment: Payment) -> int:
    """Return what may still be given back; below 0 if a reorg took what was promised."""
    here = total(t for t in payment.own() if has_come_for_good(payment, t))
    return here - payment.amount_given_back


def has_come_for_good(payment: Payment, transfer: Transfer) -> bool:
    """Tell whether a transfer is final, or was needed for what the payment was confirmed by."""
    since = None if payment.status in PAYABLE else payment.detected_in_block
    return transfer.block_number <= max(payment.finalized, since or 0)


def gives_back(payment: Payment) -> bool:
    """Tell whether money of a payment was given back, or is going to be."""
    return payment.amount_given_back > 0
