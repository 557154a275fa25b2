"""What became of the transaction that a payer says they have paid with: judge(case) -> Verdict.

What is on record is asked first: it was read by the watcher, and the machine has decided
whether it counts. Only a transaction that is not on record is held against what the chains
say of it now. None means that it counts, so the payment's own state is the answer.
"""

from collections.abc import Sequence
from typing import Final

from ctrip.core.case import Case, Complaint, Look, Verdict
from ctrip.core.ids import NATIVE, Asset, PaymentId
from ctrip.core.payment import Payment, Transfer, total
from ctrip.core.reasons import Reason
from ctrip.core.transaction import Moved, Transaction
from ctrip.core.verdict import left_to_shop
from ctrip.core.wording import asked, moment, worth

SHOWN_MAX: Final = 3  # of the things that one transaction moved


def judge(case: Case, complaint: Complaint) -> Verdict | None:
    """Say what became of a transaction; None if it counts towards the payment."""
    known = case.on_record()
    if case.payment and (live := [t for t in known if not t.orphaned]):
        return recorded(case, case.payment, live)
    if others := [paid for paid in complaint.paid if case.payment and paid != case.payment.id]:
        return to_others(others)
    look = case.sighting()
    if look is None or look.found is None:
        return unseen(complaint, known)
    if look.found.block is None:
        return unmined(look.found, look)
    if not look.found.succeeded:
        return failed(case, look.found, look)
    return arrived(case, look.found, look) or strayed(case, complaint, look.found, look)


def recorded(case: Case, payment: Payment, live: Sequence[Transfer]) -> Verdict | None:
    """Say why money that was seen does not count, if it does not."""
    own = [t for t in live if payment.asks_for(t.key)]
    counted = {t.key for t in payment.counted()}
    if any(t.key in counted for t in own):
        return None
    if own:
        return too_late(payment, own)
    elsewhere = live[0].key.chain != payment.chain
    chain = case.chains.get(live[0].key.chain)
    amount = worth(total(live), live[0].key.asset, chain)
    return (
        wrong_chain(payment, amount, live[0].key.chain)
        if elsewhere
        else wrong_token(payment, amount)
    )


def too_late(payment: Payment, own: Sequence[Transfer]) -> Verdict:
    """Say that money of the right kind came too late."""
    when = moment(max(t.came_at for t in own))
    limit = (
        "after the payment was cancelled"
        if payment.cancelled
        else f"after the deadline, {moment(payment.expires_at)}"
    )
    return Verdict(
        Reason.LATE,
        f"This transaction paid {asked(payment, total(own))} at {when}, {limit}. What comes late "
        f"does not count by itself; {left_to_shop(payment)}.",
    )


def wrong_token(payment: Payment, amount: str) -> Verdict:
    """Say that something else came than was asked for."""
    return Verdict(
        Reason.WRONG_TOKEN,
        f"This transaction sent {amount} to the right address, but "
        f"{asked(payment, payment.amount)} was asked for. It does not count, and the shop can "
        f"give it back.",
    )


def wrong_chain(payment: Payment, amount: str, chain: str) -> Verdict:
    """Say that the money came on another chain than was asked for."""
    return Verdict(
        Reason.WRONG_CHAIN,
        f"This transaction sent {amount} to the right address, but on {chain} instead of "
        f"{payment.chain}. It does not count, and the shop can give it back.",
    )


def unseen(complaint: Complaint, known: Sequence[Transfer]) -> Verdict:
    """Say what it can mean that no chain knows a transaction."""
    if known:
        return Verdict(
            Reason.REORGED,
            f"This transaction was in block {known[0].block_number} of {known[0].key.chain}, which "
            f"the chain replaced by another one without it. It counts if it is mined again.",
        )
    chains = [look.chain for look in complaint.looks]
    if down := [look.chain for look in complaint.looks if look.fault]:
        rest = [name for name in chains if name not in down]
        known_to_none = f" It is unknown on {', '.join(rest)}." if rest else ""
        return Verdict(
            Reason.CHAIN_UNREACHABLE,
            f"This transaction could not be looked up on {', '.join(down)} at the moment; ask "
            f"again in a few minutes.{known_to_none}",
        )
    return Verdict(
        Reason.NOT_FOUND,
        f"No network that is served here ({', '.join(chains)}) knows this transaction: the hash "
        f"is wrong, it was sent on another network, or it was dropped before it was mined.",
    )


def unmined(found: Transaction, look: Look) -> Verdict:
    """Say what a transaction in the pool waits for, if it still does."""
    if found.is_replaced:
        return Verdict(
            Reason.REPLACED,
            f"This transaction will never be mined: its sender replaced it by another one with "
            f"the same number ({found.nonce}) on {look.chain}. The wallet shows which.",
        )
    why = "it may pay too low a fee"
    if found.is_held_up:
        why = "an earlier transaction of the same sender has to be mined first"
    return Verdict(
        Reason.NOT_MINED,
        f"This transaction is known on {look.chain}, but in no block yet: {why}. The wallet can "
        f"speed it up.",
    )


def failed(case: Case, found: Transaction, look: Look) -> Verdict:
    """Say that nothing moved."""
    number = found.block.number if found.block else 0
    offered = listed(found.offered, case, look)
    what = f" The {offered} it was to send never left." if offered else ""
    return Verdict(
        Reason.FAILED_TRANSACTION,
        f"This transaction failed in block {number} of {look.chain}, so no money moved.{what} It "
        f"has to be sent again.",
    )


def arrived(case: Case, found: Transaction, look: Look) -> Verdict | None:
    """Say why what reached the payment's address is not on record as its money."""
    payment = case.payment
    if payment is None or not (came := [m for m in found.moved if case.is_to_payment(m)]):
        return None
    amount = listed(came, case, look)
    if look.chain != payment.chain:
        return wrong_chain(payment, amount, look.chain)
    if all(moved.asset != payment.asset for moved in came):
        return wrong_token(payment, amount)
    number = found.block.number if found.block else 0
    reading = case.reading
    if reading is None or reading.read is None or reading.has_gap or number > reading.read:
        return Verdict(
            Reason.NOT_READ_YET,
            f"This transaction sent {amount} to the right address, in block {number} of "
            f"{look.chain}, which was not read yet.",
        )
    return Verdict(
        Reason.NOT_ON_RECORD,
        f"This transaction sent {amount} to the right address, in block {number}, and was not "
        f"recorded. The operator can have the block read again: `ctrip rescan --chain "
        f"{look.chain} --from {number} --to {number}`.",
    )


def strayed(case: Case, complaint: Complaint, found: Transaction, look: Look) -> Verdict:
    """Say where the money went, if not to the payment's address."""
    mine = case.payment.id if case.payment else None
    whose = [complaint.ours.get(moved.recipient) for moved in found.moved]
    if others := [other for other in whose if other is not None and other != mine]:
        return to_others(others)
    where = case.payment.address if case.payment else "an address of a payment here"
    if paid := paid_by_sender(found):
        to = ", ".join(dict.fromkeys(m.recipient for m in paid[:SHOWN_MAX]))
        return Verdict(
            Reason.WRONG_ADDRESS,
            f"This transaction sent {listed(paid, case, look)} on {look.chain} to {to}, which is "
            f"not {where}.",
        )
    return Verdict(
        Reason.NO_TRANSFER,
        f"This transaction succeeded on {look.chain}, but its receipt shows nothing that went to "
        f"{where}{through(found)}.",
    )


def to_others(others: Sequence[PaymentId]) -> Verdict:
    """Say whom the transaction paid instead."""
    ids = ", ".join(str(other) for other in dict.fromkeys(others[:SHOWN_MAX]))
    return Verdict(Reason.OTHER_PAYMENT, f"This transaction paid another payment: {ids}.")


def paid_by_sender(found: Transaction) -> list[Moved]:
    """Return what the sender itself sent to others; coin for a contract's call is spent there."""
    return [
        moved
        for moved in found.moved
        if moved.sender == found.sender and not (moved.asset == NATIVE and found.calls)
    ]


def through(found: Transaction) -> str:
    """Say why a receipt may show too little."""
    if not found.calls or found.recipient is None:
        return ""
    return (
        f"; it called the contract {found.recipient}. Coin that a contract passes on shows in no "
        f"receipt, and counts as soon as the address's balance or a trace shows it"
    )


def listed(moves: Sequence[Moved], case: Case, look: Look) -> str:
    """Return the first few amounts of some, those of one asset as one."""
    sums: dict[Asset, int] = {}
    for moved in moves:
        sums[moved.asset] = sums.get(moved.asset, 0) + moved.amount
    chain = case.chains.get(look.chain)
    words = [worth(amount, asset, chain) for asset, amount in sums.items()]
    more = f" and {len(words) - SHOWN_MAX} other tokens" if len(words) > SHOWN_MAX else ""
    return ", ".join(words[:SHOWN_MAX]) + more
