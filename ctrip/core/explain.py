"""Why isn't this paid? explain(case) -> Explanation: one sentence, and the facts behind it.

The sentence is for whoever waits: a shop's support can send it to a payer as it stands. The
facts are for whoever wants to know how we know, always in the same order: what was asked
for, how far the chain was read, what came and what of it counts, what is missing, which
endpoints are in trouble, what receivers were told, and last the transaction that somebody
complained of. Codes are stable and documented in docs/explain.md; sentences may change.

It never fails: what is not known is said to be unknown.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct

from ctrip.core import complaint, verdict
from ctrip.core.case import Case, Complaint, Delivery, Reading, Verdict
from ctrip.core.ids import PaymentId, TxHash
from ctrip.core.payment import STANDING, Payment, Source, Status, Transfer
from ctrip.core.reasons import FactCode, Reason
from ctrip.core.transaction import Transaction
from ctrip.core.verdict import UNSERVED, missing
from ctrip.core.wording import asked, moment, several, worth

FACTS_MAX: Final = 100  # transfers, or deliveries that failed, told one by one


class Fact(Struct, frozen=True):
    """Something that is known."""

    at: datetime | None  # when it became true, where that is known
    code: FactCode
    text: str


class Explanation(Struct, frozen=True, kw_only=True):
    """The answer."""

    code: Reason
    answer: str
    payment_id: PaymentId | None  # None: the transaction has to do with no payment
    status: Status | None
    tx_hash: TxHash | None  # the transaction that was asked about
    facts: list[Fact]


def explain(case: Case) -> Explanation:
    """Reason."""
    payment, complained = case.payment, case.complaint
    answer = complaint.judge(case, complained) if complained else None
    if answer is None and payment is not None:
        answer = verdict.judge(case, payment)
    answer = answer or Verdict(Reason.NOT_FOUND, "Nothing is known of this.")
    facts = [*of_payment(case, payment)] if payment else []
    if complained:
        facts += of_complaint(case, complained)
    return Explanation(
        code=answer.code,
        answer=answer.text,
        payment_id=payment.id if payment else None,
        status=payment.status if payment else None,
        tx_hash=complained.tx_hash if complained else None,
        facts=facts,
    )


def of_payment(case: Case, payment: Payment) -> Iterator[Fact]:
    """Yield what is known of a payment."""
    yield Fact(
        payment.created_at,
        FactCode.CREATED,
        f"{asked(payment, payment.amount)} on {payment.chain} was asked for, to "
        f"{payment.address}, until {moment(payment.expires_at)}.",
    )
    yield from of_chain(payment, case.reading)
    yield from of_deadline(case, payment)
    yield from of_transfers(case, payment)
    yield from of_depth(case, payment)
    if case.reading:
        for trouble in case.reading.troubles:
            yield Fact(None, FactCode.ENDPOINT_TROUBLE, f"{trouble.label}: {trouble.why}.")
    yield from of_news(case)


def of_chain(payment: Payment, reading: Reading | None) -> Iterator[Fact]:
    """Yield how far the chain was read."""
    if reading is None:
        yield Fact(None, FactCode.CHAIN_UNSERVED, f"{payment.chain} {UNSERVED}.")
        return
    if reading.since is not None:
        about = "about block" if reading.since_is_estimate else "block"
        text = f"The address is watched since {about} {reading.since} of {payment.chain}"
        yield Fact(payment.created_at, FactCode.WATCHED, f"{text}, when it was given out.")
    if reading.read is None:
        yield Fact(None, FactCode.CHAIN_UNREAD, f"{payment.chain} was never read.")
    else:
        of_head = f"; its newest block is {reading.head}" if reading.head is not None else ""
        text = f"{payment.chain} was read up to block {reading.read}{of_head}."
        yield Fact(reading.read_until, FactCode.CHAIN_READ, text)
    if reading.has_gap:
        text = f"Blocks of {payment.chain} from a downtime are still being read."
        yield Fact(reading.read_until, FactCode.CHAIN_GAP, text)
    if reading.fault:
        text = f"{payment.chain} cannot be read at the moment: {reading.fault}."
        yield Fact(None, FactCode.CHAIN_TROUBLE, text)


def of_deadline(case: Case, payment: Payment) -> Iterator[Fact]:
    """Yield what moved or ended the time to pay."""
    if payment.extended_seconds:
        text = (
            f"The deadline was moved by {several(payment.extended_seconds, 'second')}, for which "
            f"{payment.chain} stood still or could not be read."
        )
        yield Fact(payment.stood_until, FactCode.EXTENDED, text)
    if payment.cancelled:
        yield Fact(None, FactCode.CANCELLED, "The shop cancelled the payment.")
    if payment.accepted_amount is not None:
        text = f"The shop takes {asked(payment, payment.accepted_amount)} as enough."
        yield Fact(None, FactCode.ACCEPTED, text)
    if case.now > payment.expires_at and payment.status not in STANDING:
        over = "has passed" if payment.lapsed else "has passed by our clock, not yet by the chain's"
        yield Fact(payment.expires_at, FactCode.DEADLINE, f"The deadline {over}.")
    if payment.closed:
        text = "The time in which late money is looked for closely is over."
        yield Fact(payment.watched_until, FactCode.CLOSED, text)


def of_transfers(case: Case, payment: Payment) -> Iterator[Fact]:
    """Yield each transfer that was seen, the oldest first, and why it counts or not."""
    counted = {transfer.key for transfer in payment.counted()}
    seen = sorted(payment.transfers, key=lambda t: (t.block_time, t.key))
    if not seen:
        yield Fact(None, FactCode.NOTHING_CAME, f"Nothing was seen coming to {payment.address}.")
    for transfer in seen[:FACTS_MAX]:
        code, why = reason(payment, transfer, counts=transfer.key in counted)
        amount = worth(transfer.amount, transfer.key.asset, case.chains.get(transfer.key.chain))
        if payment.asks_for(transfer.key):
            amount = asked(payment, transfer.amount)
        how = (
            "an address's balance shows it"
            if transfer.source is Source.BALANCE
            else f"transaction {transfer.key.tx_hash}"
        )
        text = f"{amount} in block {transfer.block_number} of {transfer.key.chain} ({how}): {why}."
        yield Fact(transfer.block_time, code, text)
    if len(seen) > FACTS_MAX:
        text = f"{len(seen) - FACTS_MAX} more transfers are in the payment itself."
        yield Fact(None, FactCode.MORE_TRANSFERS, text)


def reason(payment: Payment, transfer: Transfer, *, counts: bool) -> tuple[FactCode, str]:
    """Return why a transfer counts, or why it does not."""
    if transfer.orphaned:
        return FactCode.TRANSFER_REORGED, "does not count, because the chain dropped this block"
    if not transfer.amount:
        return FactCode.TRANSFER_NAMED, "does not count any more, its transaction was found"
    if transfer.key.chain != payment.chain:
        return FactCode.TRANSFER_WRONG_CHAIN, f"does not count, it was asked for on {payment.chain}"
    if not payment.asks_for(transfer.key):
        return FactCode.TRANSFER_WRONG_TOKEN, f"does not count, {payment.currency} was asked for"
    if counts:
        return FactCode.TRANSFER_COUNTED, "counts"
    if payment.cancelled:
        return FactCode.TRANSFER_LATE, "does not count, it came after the payment was cancelled"
    return FactCode.TRANSFER_LATE, f"does not count, it came after {moment(payment.expires_at)}"


def of_depth(case: Case, payment: Payment) -> Iterator[Fact]:
    """Yield what is missing of a payment whose whole amount came."""
    if payment.detected_in_block is None:
        return
    if payment.status is Status.DETECTED:
        yield Fact(
            None, FactCode.CONFIRMATIONS, f"Of the block that completed it: {missing(case)}."
        )
        if payment.needs_vouching:
            unsure = sum(not transfer.vouched for transfer in payment.needed())
            text = "A second endpoint shows the money too."
            if unsure:
                text = f"A second endpoint does not show {several(unsure, 'transfer')} yet."
            yield Fact(None, FactCode.SECOND_OPINION, text)
        return
    number = several(payment.confirmations, "confirmation")
    text = f"Block {payment.detected_in_block}, which completed the amount, has {number}."
    yield Fact(None, FactCode.CONFIRMATIONS, text)


def of_news(case: Case) -> Iterator[Fact]:
    """Yield what was announced and what became of it; failures one by one."""
    if not case.announced:
        return
    kinds = ", ".join(kind for kind, _ in case.announced)
    yield Fact(case.announced[-1][1], FactCode.ANNOUNCED, f"Announced so far: {kinds}.")
    if not case.deliveries:
        yield Fact(None, FactCode.NO_RECEIVER, "No receiver asked for these events.")
        return
    states = Counter(delivery.state for delivery in case.deliveries)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    ends = [d.at for d in case.deliveries if d.at and d.state == "delivered"]
    yield Fact(max(ends, default=None), FactCode.DELIVERIES, f"Webhooks: {counts}.")
    failing = [delivery for delivery in case.deliveries if is_failing(delivery)]
    for delivery in failing[:FACTS_MAX]:
        yield Fact(delivery.at, FactCode.DELIVERY_FAILING, failure(delivery))


def is_failing(delivery: Delivery) -> bool:
    """Tell whether a receiver failed to take an event."""
    return delivery.state == "dead" or (delivery.state != "delivered" and delivery.attempts > 0)


def failure(delivery: Delivery) -> str:
    """Say what became of an event that a receiver has not taken."""
    tries = several(delivery.attempts, "attempt")
    last = f", the last one: {delivery.outcome}" if delivery.outcome else ""
    if delivery.state == "dead":
        end = "given up"
    else:
        end = f"tried again at {moment(delivery.at)}" if delivery.at else "tried again"
    return f"{delivery.type} to {delivery.endpoint_id}: {tries}{last}; {end}."


def of_complaint(case: Case, complained: Complaint) -> Iterator[Fact]:
    """Yield what each chain says of the transaction."""
    for look in complained.looks:
        if look.fault:
            text = f"{look.chain} could not be asked for the transaction: {look.fault}."
            yield Fact(None, FactCode.TRANSACTION_UNASKED, text)
        elif look.found is None:
            yield Fact(
                None, FactCode.TRANSACTION_UNKNOWN, f"{look.chain} does not know the transaction."
            )
        else:
            yield of_transaction(case, look.chain, look.found)
    if len(complained.paid) > 1:
        text = f"It paid {len(complained.paid)} payments: {', '.join(map(str, complained.paid))}."
        yield Fact(None, FactCode.TRANSACTION_PAID_SEVERAL, text)


def of_transaction(case: Case, chain: str, found: Transaction) -> Fact:
    """Say what a chain shows of a transaction."""
    served = next((c for name, c in case.chains.items() if name == chain), None)
    moves = [
        f"{worth(m.amount, m.asset, served)} to {m.recipient}"
        for m in (found.moved if found.succeeded else found.offered)[: complaint.SHOWN_MAX]
    ]
    what = f": {', '.join(moves)}" if moves else ""
    start = f"{chain} shows the transaction, from {found.sender}"
    if found.block is None:
        return Fact(None, FactCode.TRANSACTION_UNMINED, f"{start}, in no block{what}.")
    when, number = found.block.time, found.block.number
    if not found.succeeded:
        return Fact(when, FactCode.TRANSACTION_FAILED, f"{start}, failed in block {number}{what}.")
    return Fact(when, FactCode.TRANSACTION_MINED, f"{start}, in block {number}{what}.")
