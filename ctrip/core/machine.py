"""The payment state machine: advance(payment, change) -> Transition.

Rule 1: everything that decides a payment's status and flags lives in this file.
Rule 2: this file knows nothing of chains, databases, clocks or webhooks.

How it works. A change is handled in three steps, each a pure function:

    absorb     record the new fact in the payment (a transfer, a deadline, ...)
    walk       follow the edges from the status of before to the one the facts call for
    announce   say what moved, and only if something did

Because statuses and flags are read off the facts, order and repetition do not matter:
seeing the same transfer twice is one fact, and a reorg is a fact taken back. Walking
edge by edge, instead of jumping, gives a payment that was found paid and final at once
(after an hour of downtime) the same events as one that was watched block by block.

EDGES is the second lock on the door: a step along an edge that is not in the table is a
bug in next_status, and stops the task before anything is written.

What always holds (tests cite these):

    I1  a status moves only along EDGES
    I2  amount_received is the sum of the live transfers in the payment's own asset
    I3  finalized money is never taken back
    I4  there is an event iff a status moved, a flag appeared, or money came that a flag tells of
    I5  the same change twice is one change
    I6  every event row has its delivery rows, written in the same transaction
    I7  sequence counts a payment's events: 1, 2, 3, ... without a hole
    I8  money counts once, however often its transaction is mined again
"""

from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.changes import (
    Accepted,
    Cancelled,
    Change,
    ClockRead,
    HeadMoved,
    TransferLost,
    TransferSeen,
)
from ctrip.core.errors import InvariantError, RequestError
from ctrip.core.events import OF_FLAG, OF_STATUS, EventType, PaymentEvent
from ctrip.core.payment import Flag, Payment, Status, Transfer, total

EDGES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.DETECTED, Status.EXPIRED}),
    Status.DETECTED: frozenset({Status.CONFIRMED, Status.PENDING}),
    Status.CONFIRMED: frozenset({Status.PAID, Status.FAILED}),
    Status.PAID: frozenset({Status.SETTLED, Status.FAILED}),
    Status.SETTLED: frozenset(),
    Status.EXPIRED: frozenset({Status.DETECTED, Status.FAILED}),
    Status.FAILED: frozenset(),
}

# Money is on its way through; the address stays watched however late it gets.
UNDER_WAY: Final = frozenset({Status.DETECTED, Status.CONFIRMED, Status.PAID})


class WrongState(RequestError):
    """The payment is not in a state that allows this."""

    status = 409
    code = "wrong_state"


class Transition(Struct, frozen=True):
    """The payment after a change, and the news the change made."""

    payment: Payment
    events: tuple[PaymentEvent, ...] = ()


def advance(payment: Payment, change: Change) -> Transition:
    """Apply one change to one payment."""
    absorbed = absorb(payment, change)
    after = replace(absorbed, flags=flags_of(absorbed))
    events: list[PaymentEvent] = []
    for step in walk(after):
        after = replace(step, sequence=after.sequence + 1)
        events.append(PaymentEvent(type=OF_STATUS[after.status], payment=after))
    for news in announce(payment, after):
        if all(event.type is not news for event in events):
            after = replace(after, sequence=after.sequence + 1)
            events.append(PaymentEvent(type=news, payment=after))
    return Transition(after, tuple(events))


def absorb(payment: Payment, change: Change) -> Payment:
    """Record the fact that the change states."""
    match change:
        case TransferSeen(transfer):
            return see(payment, transfer)
        case TransferLost():
            return lose(payment, change)
        case HeadMoved(number, finalized):
            final = max(payment.finalized, finalized)
            return replace(payment, head=number, finalized=final)
        case ClockRead(now):
            return replace(
                payment,
                lapsed=payment.lapsed or now >= payment.expires_at,
                closed=payment.closed
                or (now >= payment.watched_until and payment.status not in UNDER_WAY),
            )
        case Cancelled():
            return cancel(payment)
        case Accepted():
            return accept(payment)
        case _:
            assert_never(change)


def see(payment: Payment, transfer: Transfer) -> Payment:
    """Record a transfer, or the new place of one that was mined again.

    A chain was read where new money was seen. Not so for money that only moved: other money
    that moved with it may still be known at its old place, and must not get deeper there.
    """
    head = max(payment.head, transfer.block_number)
    for known in payment.transfers:
        if known.key == transfer.key:
            if known == transfer:
                return payment
            if is_final(payment, known):
                raise InvariantError(f"payment {payment.id}: a final transfer changed its block")
            if not known.orphaned:
                head = payment.head
    others = tuple(t for t in payment.transfers if t.key != transfer.key)
    return replace(payment, transfers=(*others, transfer), head=head)


def lose(payment: Payment, lost: TransferLost) -> Payment:
    """Mark a transfer as orphaned, unless it has already moved to another block."""
    for known in payment.transfers:
        if known.key == lost.key and known.block_hash == lost.block_hash and not known.orphaned:
            if is_final(payment, known):
                raise InvariantError(f"payment {payment.id}: a final transfer was taken back")
            kept = tuple(t for t in payment.transfers if t.key != lost.key)
            return replace(payment, transfers=(*kept, replace(known, orphaned=True)))
    return payment


def is_final(payment: Payment, transfer: Transfer) -> bool:
    """Tell whether a transfer lies where nothing is replaced any more."""
    return not transfer.orphaned and transfer.block_number <= payment.finalized


def cancel(payment: Payment) -> Payment:
    """End a payment that nobody has begun to pay."""
    if payment.cancelled:
        return payment
    if payment.status is not Status.PENDING or any(payment.live()):
        raise WrongState(
            f"Only a pending payment that has received nothing can be cancelled; "
            f"this one is {payment.status}"
        )
    return replace(payment, cancelled=True)


def accept(payment: Payment) -> Payment:
    """Take what has come as enough."""
    if payment.accepted_amount is not None:
        return payment
    received = payment.amount_received
    if payment.status not in (Status.PENDING, Status.EXPIRED) or not received:
        raise WrongState(
            f"Only an underpaid or late payment can be accepted; this one is {payment.status} "
            f"and has received {received}"
        )
    return replace(payment, accepted_amount=min(payment.amount, received))


def walk(payment: Payment) -> Iterator[Payment]:
    """Yield the payment at each status on its way to the one the facts call for."""
    while (status := next_status(payment)) is not payment.status:
        if status not in EDGES[payment.status]:
            raise InvariantError(f"payment {payment.id}: {payment.status} -> {status}")
        payment = replace(payment, status=status)
        yield payment


def next_status(payment: Payment) -> Status:
    """Read the next status off the facts, one edge at a time."""
    covered = total(payment.counted()) >= payment.required
    match payment.status:
        case Status.PENDING if covered:
            return Status.DETECTED
        case Status.PENDING if payment.lapsed or payment.cancelled:
            return Status.EXPIRED
        case Status.DETECTED if not covered:
            return Status.PENDING
        case Status.DETECTED if payment.confirmations >= payment.confirmations_required:
            return Status.CONFIRMED
        case Status.CONFIRMED | Status.PAID if not covered:
            return Status.FAILED
        case Status.CONFIRMED:
            return Status.PAID  # deposits are held: there is nothing left to process
        case Status.PAID if is_covered_for_good(payment):
            return Status.SETTLED
        case Status.EXPIRED if covered:
            return Status.DETECTED
        case Status.EXPIRED if payment.closed and not any(payment.live()):
            return Status.FAILED
    return payment.status


def is_covered_for_good(payment: Payment) -> bool:
    """Tell whether the whole amount lies where nothing is replaced any more."""
    since = payment.detected_in_block
    return since is not None and since <= payment.finalized


def flags_of(payment: Payment) -> frozenset[Flag]:
    """Read the flags off the facts."""
    received = payment.amount_received
    facts = {
        Flag.UNDERPAID: 0 < received < payment.required,
        Flag.OVERPAID: received > payment.amount,
        Flag.LATE: any(payment.is_late(t) for t in payment.own()),
        Flag.WRONG_TOKEN: any(t.key.asset != payment.asset for t in payment.live()),
        Flag.REORGED: any(t.orphaned for t in payment.transfers),
        Flag.CANCELLED: payment.cancelled,
    }
    return frozenset(flag for flag, holds in facts.items() if holds)


def announce(before: Payment, after: Payment) -> Iterator[EventType]:
    """Yield the news beside the status: flags that appeared, and money nobody asked for."""
    known = {t.key for t in before.live()}
    fresh = [t for t in after.live() if t.key not in known]
    own = [t for t in fresh if t.key.asset == after.asset]
    speaks = {
        Flag.UNDERPAID: bool(own),
        Flag.OVERPAID: bool(own),
        Flag.LATE: any(after.is_late(t) for t in own),
        Flag.WRONG_TOKEN: len(own) < len(fresh),
    }
    for flag in sorted(after.flags):
        if flag not in before.flags or speaks.get(flag, False):
            yield OF_FLAG[flag]
    if own and before.status is Status.FAILED:
        yield EventType.UNEXPECTED_TRANSFER
