"""Where a payment stands and why, in one sentence: judge(case) -> Verdict.

The status says most of it. What it leaves open is read off the facts in the order in which
they matter to whoever waits: money that is there but does not count, then a chain that cannot
be read, and only then that nothing came.
"""

from datetime import timedelta
from typing import Final

from ctrip.core.acts import Act, allowed
from ctrip.core.case import Case, Reading, Verdict
from ctrip.core.events import EventType
from ctrip.core.finality import Tag
from ctrip.core.ids import BlockNumber
from ctrip.core.machine import is_deep_enough, is_vouched
from ctrip.core.payment import Payment, Settles, Status, total
from ctrip.core.reasons import Reason
from ctrip.core.wording import asked, duration, moment, several, worth

BEHIND_SECONDS: Final = 120.0  # since the last block that was read; less is a hiccup
TOLD_SECONDS_MAX: Final = 7 * 86_400.0  # that confirmations take; a tag may stand for ever
UNSERVED: Final = "is not served here any more"


def judge(case: Case, payment: Payment) -> Verdict:
    """Say where a payment stands."""
    match payment.status:
        case Status.SETTLED:
            return Verdict(Reason.SETTLED, f"The payment is complete and final: {came(payment)}.")
        case Status.PAID:
            return Verdict(
                Reason.PAID,
                f"The payment is paid and confirmed: {came(payment)}. It is final when the chain "
                f"has finalized block {last_block(payment)}.",
            )
        case Status.CONFIRMED:
            goes_on = (
                "" if payment.settles is Settles.HOLD else " It is on its way to the treasury."
            )
            return Verdict(Reason.CONFIRMED, f"The payment is confirmed: {came(payment)}.{goes_on}")
        case Status.DETECTED:
            return detected(case, payment)
        case Status.PENDING:
            return pending(case, payment)
        case Status.EXPIRED | Status.FAILED:
            return ended(case, payment)


def last_block(payment: Payment) -> BlockNumber | None:
    """Return the block that must be final before a payment is: where its money moved last."""
    if payment.settles is Settles.HOLD:
        return payment.detected_in_block
    swept = [t.swept_in for t in payment.needed() if t.swept_in is not None]
    return max(swept, default=None)


def came(payment: Payment) -> str:
    """Say how much came, and where."""
    return f"{asked(payment, payment.amount_received)} came on {payment.chain}"


def detected(case: Case, payment: Payment) -> Verdict:
    """Say what a payment waits for whose money is there."""
    needed = payment.needed()
    if fault := unread(case):
        return Verdict(
            Reason.CHAIN_UNREACHABLE,
            f"The whole amount has come, but {fault}, so its confirmations are not counted yet.",
        )
    if needed and is_deep_enough(payment, needed) and not is_vouched(payment, needed):
        return Verdict(
            Reason.WAITING_FOR_SECOND_OPINION,
            f"The whole amount has come and is deep enough; so much money counts when a second "
            f"endpoint of {payment.chain} shows it too.",
        )
    return Verdict(Reason.WAITING_FOR_CONFIRMATIONS, f"The whole amount has come; {missing(case)}.")


def missing(case: Case) -> str:
    """Say how many confirmations are missing, and when they should be there."""
    payment, reading = case.payment, case.reading
    if payment is None or (since := payment.detected_in_block) is None:
        return "it waits for the chain"
    if payment.confirmed_by is None:
        blocks = payment.confirmations_required - payment.confirmations
        words = (
            f"{payment.confirmations} of {payment.confirmations_required} confirmations are there"
        )
    else:
        tagged = payment.finalized
        if payment.confirmed_by is Tag.SAFE:
            tagged = max(payment.safe, tagged)
        blocks = since - tagged
        words = f"its block {since} waits until the chain calls it {payment.confirmed_by.value}"
    if blocks <= 0 or reading is None:
        return f"{words}, and it counts at any moment now"
    seconds = min(blocks * reading.pace_seconds, TOLD_SECONDS_MAX)
    due = moment(case.now + timedelta(seconds=seconds))
    return (
        f"{words}, {several(blocks, 'block')} to go, which takes about {duration(seconds)} "
        f"(until {due})"
    )


def pending(case: Case, payment: Payment) -> Verdict:
    """Say why a payment that may still be paid is not."""
    if payment.counted():
        return Verdict(Reason.UNDERPAID, f"{short(payment)}. The rest {awaited(case, payment)}.")
    if payment.own():
        return late(payment)
    if other := astray(case, payment):
        return other
    if payment.transfers:
        return reversed_before(payment)
    if fault := unread(case):
        return Verdict(
            Reason.CHAIN_UNREACHABLE,
            f"{fault}, so money that was sent lately is not seen yet. It is not lost, and the "
            f"deadline waits.",
        )
    if behind(case.reading, case):
        return Verdict(
            Reason.CHAIN_BEHIND, f"{lagging(case)} What was sent since then is not seen yet."
        )
    return Verdict(
        Reason.WAITING_FOR_MONEY,
        f"No money has reached {payment.address} yet; {asked(payment, payment.amount)} on "
        f"{payment.chain} {awaited(case, payment)}.",
    )


def awaited(case: Case, payment: Payment) -> str:
    """Say until when money may come; the deadline is the chain's, so it may be over for us."""
    until = moment(payment.expires_at)
    if case.now < payment.expires_at:
        return f"is awaited until {until}"
    return f"was awaited until {until}; it expires once {payment.chain} is read that far"


def short(payment: Payment) -> str:
    """Say how much is missing."""
    got = total(payment.counted())
    return (
        f"Too little has come: {asked(payment, got)} of {asked(payment, payment.required)}, "
        f"{asked(payment, max(0, payment.required - got))} missing"
    )


def late(payment: Payment) -> Verdict:
    """Say what came too late."""
    in_time = total(payment.counted())
    came_late = asked(payment, payment.amount_received - in_time)
    if payment.cancelled:
        words = f"{came_late} came after the payment was cancelled"
    else:
        words = f"{came_late} came after the deadline, {moment(payment.expires_at)}"
    before = f", and only {asked(payment, in_time)} before it" if in_time else ""
    return Verdict(
        Reason.LATE,
        f"{words}{before}. What comes late does not count by itself; {left_to_shop(payment)}.",
    )


def left_to_shop(payment: Payment) -> str:
    """Say what the shop can do about what came late."""
    if Act.ACCEPT in allowed(payment):
        return "the shop may accept it or give it back"
    return "the shop can give it back"


def astray(case: Case, payment: Payment) -> Verdict | None:
    """Say that what came was not what was asked for, if that is so."""
    if not (live := payment.live()):
        return None
    here = [t for t in live if t.key.chain == payment.chain]
    wanted = asked(payment, payment.amount)
    if here:
        asset = here[0].key.asset
        same = [t for t in here if t.key.asset == asset]
        return Verdict(
            Reason.WRONG_TOKEN,
            f"{worth(total(same), asset, case.chains.get(payment.chain))} came, but {wanted} was "
            f"asked for. It does not count, and the shop can give it back.",
        )
    return Verdict(
        Reason.WRONG_CHAIN,
        f"The money came on {live[0].key.chain}, but was asked for on {payment.chain}. It does "
        f"not count, and the shop can give it back.",
    )


def reversed_before(payment: Payment) -> Verdict:
    """Say that money was seen and is gone."""
    return Verdict(
        Reason.REORGED,
        f"Money was seen, but {payment.chain} replaced the block that it was in; it counts again "
        f"if its transaction is mined again.",
    )


def ended(case: Case, payment: Payment) -> Verdict:
    """Say why a payment came to nothing."""
    if EventType.CONFIRMED in {kind for kind, _ in case.announced}:
        return Verdict(
            Reason.REVERSED,
            f"The payment was confirmed, and then {payment.chain} replaced blocks that its money "
            f"was in: what is left does not cover the amount.",
        )
    if len(payment.counted()) < len(payment.own()):
        return late(payment)
    if payment.own():
        text = f"{short(payment)}, and the deadline passed at {moment(payment.expires_at)}."
        return Verdict(Reason.EXPIRED_UNDERPAID, text)
    if other := astray(case, payment):
        return other
    if payment.cancelled:
        return Verdict(Reason.CANCELLED, "The shop cancelled the payment before any money came.")
    if payment.transfers:
        return reversed_before(payment)
    watched = ", nor in the time after it" if payment.closed else ""
    return Verdict(
        Reason.EXPIRED_UNPAID,
        f"No money reached {payment.address} until the deadline, {moment(payment.expires_at)}"
        f"{watched}.",
    )


def unread(case: Case) -> str:
    """Return that the payment's chain cannot be read, if it cannot."""
    reading = case.reading
    if case.payment is None or (reading and reading.read is not None and not reading.fault):
        return ""
    return f"{case.payment.chain} {'cannot be read at the moment' if reading else UNSERVED}"


def behind(reading: Reading | None, case: Case) -> bool:
    """Tell whether much of a chain that works was not read yet."""
    if reading is None or reading.read is None or reading.read_until is None:
        return False
    is_old = (case.now - reading.read_until).total_seconds() > BEHIND_SECONDS
    return is_old and (reading.has_gap or (reading.head or 0) > reading.read)


def lagging(case: Case) -> str:
    """Say how far a chain was read that is behind."""
    payment, reading = case.payment, case.reading
    if payment is None or reading is None or reading.read_until is None:
        return ""
    return f"{payment.chain} was read up to {moment(reading.read_until)} so far."
