"""Money that is to be moved: a payment is paid when it was, and settled when that is final."""

from typing import Final

import pytest

from ctrip.core.changes import TransferSwept
from ctrip.core.events import EventType
from ctrip.core.ids import BlockNumber
from ctrip.core.payment import Payment, Settles, Status, Transfer
from tests.support.builders import a_payment, a_transfer, after, head, lost, seen, told, tx_hash

FIRST: Final = a_transfer(1, 60)
SECOND: Final = a_transfer(2, 40, block=11)


def swept(transfer: Transfer, block: int | None) -> TransferSwept:
    if block is None:
        return TransferSwept(transfer.key, None, None)
    return TransferSwept(transfer.key, BlockNumber(block), tx_hash(block))


@pytest.fixture(params=[Settles.SWEEP, Settles.EXPORT])
def confirmed(request: pytest.FixtureRequest) -> Payment:
    payment = a_payment(settles=request.param)
    return after(payment, seen(FIRST), seen(SECOND), head(13))


def test_it_rests_in_confirmed_until_all_that_was_needed_is_moved(confirmed: Payment) -> None:
    assert confirmed.status is Status.CONFIRMED
    assert told(confirmed, head(40, finalized=30)) == []
    assert told(confirmed, swept(FIRST, 14)) == []
    assert told(confirmed, swept(FIRST, 14), swept(SECOND, 15)) == [EventType.PAID]


def test_it_is_settled_when_the_last_block_that_moved_it_is_final(confirmed: Payment) -> None:
    paid = after(confirmed, swept(FIRST, 14), swept(SECOND, 15))
    assert told(paid, head(30, finalized=14)) == []
    assert told(paid, head(30, finalized=15)) == [EventType.SETTLED]


def test_a_sweep_that_a_reorg_drops_takes_no_status_back(confirmed: Payment) -> None:
    paid = after(confirmed, swept(FIRST, 14), swept(SECOND, 15))
    dropped = after(paid, swept(SECOND, None))
    assert dropped.status is Status.PAID
    assert told(dropped, head(40, finalized=30)) == []
    assert told(dropped, swept(SECOND, 16), head(40, finalized=30)) == [EventType.SETTLED]


def test_money_that_a_reorg_takes_back_fails_the_payment_swept_or_not(confirmed: Payment) -> None:
    paid = after(confirmed, swept(FIRST, 14), swept(SECOND, 15))
    for payment in (confirmed, paid):
        assert after(payment, lost(FIRST)).status is Status.FAILED


def test_money_nobody_asked_for_need_not_be_moved_first(confirmed: Payment) -> None:
    more = after(confirmed, seen(a_transfer(3, 500, block=12)))
    assert after(more, swept(FIRST, 14), swept(SECOND, 14)).status is Status.PAID


def test_a_transfer_that_was_mined_again_is_still_moved(confirmed: Payment) -> None:
    paid = after(confirmed, swept(FIRST, 14), swept(SECOND, 15))
    moved = after(paid, seen(a_transfer(2, 40, block=12)))
    assert {(t.key, t.swept_in, t.swept_by) for t in moved.transfers} == {
        (FIRST.key, 14, tx_hash(14)),
        (SECOND.key, 15, tx_hash(15)),
    }
