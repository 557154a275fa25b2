"""What a payment remembers of the changes that happen to it: absorb(payment, change).

Only facts are written here; what follows from them, status, flags and news, machine.py
reads off. A fact that is known already changes nothing, so any change may come twice, in
any order that its chain allows. What the shop decides is a fact too; acts.py says when it may.

Money is known from transactions, logs and traces, which name it, or, when none of them
shows it, from a balance that is higher than all that is known to have come. What only a
balance showed shrinks when the transaction behind it is found, so it counts once.
"""

from datetime import timedelta
from math import ceil
from typing import Final, assert_never

from msgspec.structs import replace

from ctrip.core.acts import decide
from ctrip.core.changes import (
    Accepted,
    BalanceRead,
    Cancelled,
    ChainStood,
    Change,
    ClockRead,
    Extended,
    HeadMoved,
    RefundAsked,
    Refunded,
    RefundFailed,
    TransferLost,
    TransferSeen,
    TransferSwept,
    TransferVouched,
)
from ctrip.core.errors import InvariantError, OutageError
from ctrip.core.ids import Amount, RawAddress, TxHash, raw
from ctrip.core.payment import GivenBack, Payment, Source, Status, Transfer, TransferKey

# Money is on its way through; the address stays watched however late it gets.
UNDER_WAY: Final = frozenset({Status.DETECTED, Status.CONFIRMED, Status.PAID})
UNKNOWN_SENDER: Final = RawAddress("0x" + "00" * 20)  # a balance does not say who


class FinalElsewhere(OutageError):
    """Money that is final was shown in another block: an endpoint is wrong, or lies."""


def absorb(payment: Payment, change: Change) -> Payment:
    """Record the fact that the change states."""
    match change:
        case TransferSeen(transfer):
            return see(payment, transfer)
        case TransferLost():
            return lose(payment, change)
        case TransferVouched() | TransferSwept():
            return mark(payment, change)
        case Refunded() | RefundFailed():
            return pay_back(payment, change)
        case BalanceRead():
            return weigh(payment, change)
        case HeadMoved():
            return reach(payment, change)
        case ChainStood():
            return extend(payment, change)
        case ClockRead(now):
            over = now >= payment.watched_until and payment.status not in UNDER_WAY
            lapsed = payment.lapsed or now >= payment.expires_at
            return replace(payment, lapsed=lapsed, closed=payment.closed or over)
        case Cancelled() | Accepted() | Extended() | RefundAsked():
            return decide(payment, change)
        case _:
            assert_never(change)


def reach(payment: Payment, moved: HeadMoved) -> Payment:
    """Note how far the payment's own chain was read; what is final stays final."""
    if moved.chain != payment.chain:
        return payment
    return replace(
        payment,
        head=moved.number,
        finalized=max(payment.finalized, moved.finalized),
        safe=max(payment.safe, moved.safe),
    )


def see(payment: Payment, transfer: Transfer) -> Payment:
    """Record a transfer, or the new place of one that was mined again.

    A chain was read where new money was seen. Not so for money that only moved: other money
    that moved with it may still be known at its old place, and must not get deeper there.
    """
    known = next((t for t in payment.transfers if t.key == transfer.key), None)
    others = tuple(t for t in payment.transfers if t.key != transfer.key)
    is_new = known is None or known.orphaned
    if known and known.block_hash == transfer.block_hash and not known.orphaned:
        return payment
    if known and is_final(payment, known):
        raise FinalElsewhere(
            f"payment {payment.id}: {known.key.tx_hash} is final in block {known.block_number}, "
            f"and was shown in block {transfer.block_number} now"
        )
    if known:
        transfer = replace(transfer, swept_in=known.swept_in, swept_by=known.swept_by)
    if known and known.came_at < transfer.block_time:
        transfer = replace(transfer, first_time=known.came_at)
    if is_new:
        others = explain(others, transfer)
    moved_on = is_new and transfer.key.chain == payment.chain
    head = max(payment.head, transfer.block_number) if moved_on else payment.head
    return replace(payment, transfers=(*others, transfer), head=head)


def explain(transfers: tuple[Transfer, ...], found: Transfer) -> tuple[Transfer, ...]:
    """Take what was found from what only a balance showed, so that it counts once."""
    left, after = found.amount, []
    for known in transfers:
        of_balance = known.source is Source.BALANCE and found.source is not Source.BALANCE
        same = (known.key.chain, known.key.asset) == (found.key.chain, found.key.asset)
        if of_balance and same and found.block_number <= known.block_number:
            part = Amount(min(left, known.amount))
            left = Amount(left - part)
            known = replace(known, amount=Amount(known.amount - part))  # noqa: PLW2901  the rest
        after.append(known)
    return tuple(after)


def weigh(payment: Payment, read: BalanceRead) -> Payment:
    """Record what an address holds beyond all that is known to have come to it.

    What our own transactions brought is no payer's money, and what they took away had come.
    What another balance showed counts whichever of the two was read first: when it came
    is not known, and it may be the same money.
    """
    known = [
        t.amount
        for t in payment.live()
        if (t.key.chain, t.key.asset) == (read.chain, read.asset)
        and (t.block_number <= read.block.number or t.source is Source.BALANCE)
    ]
    beyond = read.balance - read.moved - sum(known)
    if beyond <= 0:
        return payment
    recipient = raw(payment.address)
    key = TransferKey(read.chain, TxHash(read.block.hash), read.asset, recipient, 0)
    return see(
        payment,
        Transfer(
            key=key,
            sender=UNKNOWN_SENDER,
            amount=Amount(beyond),
            block_number=read.block.number,
            block_hash=read.block.hash,
            block_time=read.block.time,
            source=Source.BALANCE,
        ),
    )


def mark(payment: Payment, change: TransferVouched | TransferSwept) -> Payment:
    """Note what became of a transfer that is known."""
    return replace(
        payment,
        transfers=tuple(marked(t, change) if t.key == change.key else t for t in payment.transfers),
    )


def marked(transfer: Transfer, change: TransferVouched | TransferSwept) -> Transfer:
    """Note that a second endpoint shows a transfer, or in which block its money was moved on."""
    match change:
        case TransferVouched():
            is_same = transfer.block_hash == change.block_hash
            return replace(transfer, vouched=True) if is_same else transfer
        case TransferSwept():
            return replace(transfer, swept_in=change.block_number, swept_by=change.tx_hash)


def pay_back(payment: Payment, change: Refunded | RefundFailed) -> Payment:
    """Note what became of a refund."""
    return replace(
        payment,
        refunds=tuple(
            paid_back(back, change) if back.id == change.refund_id else back
            for back in payment.refunds
        ),
    )


def paid_back(back: GivenBack, change: Refunded | RefundFailed) -> GivenBack:
    """Note which block paid a refund out, that none does any more, or that none ever will."""
    if back.failed:
        return back
    match change:
        case Refunded():
            is_paid = change.block_number is not None
            return replace(
                back,
                tx_hash=change.tx_hash,
                block_number=change.block_number,
                told=back.told or is_paid,
            )
        case RefundFailed():
            return replace(back, tx_hash=None, block_number=None, failed=True)


def extend(payment: Payment, stood: ChainStood) -> Payment:
    """Give the payer the time back in which their chain, or our view of it, stood still."""
    since = max(stood.since, payment.created_at, payment.stood_until or stood.since)
    over = payment.lapsed or since >= payment.expires_at
    if stood.chain != payment.chain or over or since >= stood.until:
        return payment
    seconds = ceil((stood.until - since).total_seconds())
    return replace(
        payment,
        stood_until=stood.until,
        extended_seconds=payment.extended_seconds + seconds,
        expires_at=payment.expires_at + timedelta(seconds=seconds),
        watched_until=payment.watched_until + timedelta(seconds=seconds),
    )


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
    ours = transfer.key.chain == payment.chain
    return ours and not transfer.orphaned and transfer.block_number <= payment.finalized
