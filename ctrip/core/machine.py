"""The payment state machine: advance(payment, change) -> Transition.

Rule 1: everything that decides a payment's status and flags lives in this file.
Rule 2: this file knows nothing of chains, databases, clocks or webhooks.

How it works. A change is handled in three steps, each a pure function:

    absorb     record the new fact in the payment (core/facts.py)
    walk       follow the edges from the status of before to the one the facts call for
    announce   say what moved, and only if something did

Because statuses and flags are read off the facts, order and repetition do not matter:
seeing the same transfer twice is one fact, and a reorg is a fact taken back. Walking
edge by edge, instead of jumping, gives a payment that was found paid and final at once
(after an hour of downtime) the same events as one that was watched block by block.

EDGES is the second lock on the door: a step along an edge that is not in the table is a
bug in next_status, and stops the task before anything is written.

A settled payment is not expected to lose money: what is final is not taken back (I3), and where a
chain does so nothing more is credited on it (flows/watch.py). It has happened all the same if
somebody lowered what counts as final to mend such a chain, or if an endpoint made up the block of a
sweep. Then the payment fails like any other that was confirmed, so that its shop is told and the
pass that found it goes on for the others.

What always holds (tests cite these):

    I1  a status moves only along EDGES
    I2  amount_received is the sum of the live transfers in the payment's own asset
    I3  finalized money is never taken back
    I4  there is an event iff a status moved, a flag appeared, money came that a flag tells of,
        or money went back
    I5  the same change twice is one change
    I6  every event row has its delivery rows, written in the same transaction
    I7  sequence counts a payment's events: 1, 2, 3, ... without a hole
    I8  money counts once, however often its transaction is mined again
    I9  never is more given back than had come for good when it was asked for
    I10 a refund is announced once, however often it is mined again
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.acts import gives_back
from ctrip.core.changes import Change, HeadMoved
from ctrip.core.errors import InvariantError
from ctrip.core.events import OF_FLAG, OF_STATUS, EventType, PaymentEvent
from ctrip.core.facts import absorb
from ctrip.core.finality import Tag
from ctrip.core.payment import STANDING, Flag, Payment, Settles, Source, Status, Transfer, total

EDGES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.DETECTED, Status.EXPIRED}),
    Status.DETECTED: frozenset({Status.CONFIRMED, Status.PENDING}),
    Status.CONFIRMED: frozenset({Status.PAID, Status.FAILED}),
    Status.PAID: frozenset({Status.SETTLED, Status.FAILED}),
    Status.SETTLED: frozenset({Status.FAILED}),
    Status.EXPIRED: frozenset({Status.DETECTED, Status.FAILED}),
    Status.FAILED: frozenset(),
}
NO_FLAGS: Final = frozenset[Flag]()


class Transition(Struct, frozen=True):
    """The payment after a change, and the news the change made."""

    payment: Payment
    events: tuple[PaymentEvent, ...] = ()


def advance(payment: Payment, change: Change) -> Transition:
    """Apply one change to one payment."""
    after = absorb(payment, change)
    brings_money = not isinstance(change, HeadMoved)  # nor does a head raise a flag
    if brings_money and (flags := flags_of(after)) != after.flags:
        after = replace(after, flags=flags)
    events: list[PaymentEvent] = []
    for step in walk(after):
        after = step
        events.append(PaymentEvent(type=OF_STATUS[after.status], payment=after))
    for news in announce(payment, after) if brings_money else ():
        if all(event.type is not news for event in events):
            after = replace(after, sequence=after.sequence + 1)
            events.append(PaymentEvent(type=news, payment=after))
    return Transition(after, tuple(events))


def walk(payment: Payment) -> Iterator[Payment]:
    """Yield the payment at each status on its way to the one the facts call for."""
    while (status := next_status(payment)) is not payment.status:
        if status not in EDGES[payment.status]:
            raise InvariantError(f"payment {payment.id}: {payment.status} -> {status}")
        payment = replace(payment, status=status, sequence=payment.sequence + 1)
        yield payment


def next_status(payment: Payment) -> Status:
    """Read the next status off the facts, one edge at a time."""
    needed = payment.needed()
    covered = total(needed) >= payment.required
    match payment.status:
        case Status.PENDING if covered:
            return Status.DETECTED
        case Status.PENDING if payment.lapsed or payment.cancelled:
            return Status.EXPIRED
        case Status.DETECTED if not covered:
            return Status.PENDING
        case Status.DETECTED if is_deep_enough(payment, needed) and is_vouched(payment, needed):
            return Status.CONFIRMED
        case Status.CONFIRMED | Status.PAID | Status.SETTLED if not covered:
            return Status.FAILED
        case Status.CONFIRMED if is_processed(payment, needed):
            return Status.PAID
        case Status.PAID if is_final(payment, needed):
            return Status.SETTLED
        case Status.EXPIRED if covered and not gives_back(payment):
            return Status.DETECTED
        case Status.EXPIRED if payment.closed and not payment.live():
            return Status.FAILED
    return payment.status


def is_deep_enough(payment: Payment, needed: Sequence[Transfer]) -> bool:
    """Tell whether the whole amount lies as deep as was asked for, or behind the tag."""
    since = needed[-1].block_number
    match payment.confirmed_by:
        case None:
            return payment.depth_of(since) >= payment.confirmations_required
        case Tag.SAFE:
            return since <= max(payment.safe, payment.finalized)
        case Tag.FINALIZED:
            return since <= payment.finalized


def is_vouched(payment: Payment, needed: Sequence[Transfer]) -> bool:
    """Tell whether so much money rests on more than one endpoint's word."""
    return not payment.needs_vouching or all(t.vouched for t in needed)


def is_processed(payment: Payment, needed: Sequence[Transfer]) -> bool:
    """Tell whether the money is where it was to go; what is held is there already."""
    return payment.settles is Settles.HOLD or all(t.swept_in is not None for t in needed)


def is_final(payment: Payment, needed: Sequence[Transfer]) -> bool:
    """Tell whether no reorg can take back what the money did last."""
    if payment.settles is Settles.HOLD:
        return needed[-1].block_number <= payment.finalized
    return all(t.swept_in is not None and t.swept_in <= payment.finalized for t in needed)


def flags_of(payment: Payment) -> frozenset[Flag]:
    """Read the flags off the facts."""
    if not payment.transfers and not payment.cancelled:
        return NO_FLAGS
    live, own = payment.live(), payment.own()
    received = total(own)
    flags: set[Flag] = set()
    if 0 < received < payment.required:
        flags.add(Flag.UNDERPAID)
    if received > payment.amount:
        flags.add(Flag.OVERPAID)
    if any(payment.is_late(t) for t in own):
        flags.add(Flag.LATE)
    if len(own) < len(live):
        flags.add(Flag.WRONG_TOKEN)
    if any(t.orphaned for t in payment.transfers):
        flags.add(Flag.REORGED)
    if payment.cancelled:
        flags.add(Flag.CANCELLED)
    return frozenset(flags)


def announce(before: Payment, after: Payment) -> Iterator[EventType]:
    """Yield the news beside the status: flags that appeared, and money nobody asked for."""
    known = {t.key for t in before.live()}
    fresh = [t for t in after.live() if t.key not in known and is_more(t, before, after)]
    own = [t for t in fresh if after.asks_for(t.key)]
    for flag in sorted(after.flags):
        if flag not in before.flags or tells_of(flag, after, fresh, own):
            yield OF_FLAG[flag]
    if own and (before.status is Status.FAILED or is_beyond(before, after, fresh, own)):
        yield EventType.UNEXPECTED_TRANSFER
    if {back.id for back in after.refunds if back.told} > {b.id for b in before.refunds if b.told}:
        yield EventType.REFUNDED


def is_beyond(
    before: Payment, after: Payment, fresh: Sequence[Transfer], own: Sequence[Transfer]
) -> bool:
    """Tell whether money came after less than the amount was taken as enough, and no flag says so.

    It is neither too little any more nor too much yet, and somebody may be owed it.
    """
    enough = before.accepted_amount is not None and before.status in STANDING
    return enough and not any(tells_of(flag, after, fresh, own) for flag in after.flags)


def is_more(transfer: Transfer, before: Payment, after: Payment) -> bool:
    """Tell whether a transfer brings money, or only names what a balance had shown."""
    if all(known.source is not Source.BALANCE for known in before.transfers):
        return True
    place = (transfer.key.chain, transfer.key.asset)

    def held(payment: Payment) -> int:
        return sum(t.amount for t in payment.live() if (t.key.chain, t.key.asset) == place)

    return held(after) > held(before)


def tells_of(
    flag: Flag, payment: Payment, fresh: Sequence[Transfer], own: Sequence[Transfer]
) -> bool:
    """Tell whether a flag that was there before is news again, because money came."""
    match flag:
        case Flag.UNDERPAID | Flag.OVERPAID:
            return bool(own)
        case Flag.LATE:
            return any(payment.is_late(t) for t in own)
        case Flag.WRONG_TOKEN:
            return len(own) < len(fresh)
        case _:
            return False
