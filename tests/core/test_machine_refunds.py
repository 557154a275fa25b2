"""What a payment's money that goes back means for the payment."""

from typing import Final

import pytest

from ctrip.core.acts import RefundTooLarge, WrongState, allowed, left_to_refund
from ctrip.core.changes import Accepted, Cancelled, Change, RefundFailed
from ctrip.core.events import EventType
from ctrip.core.payment import Payment, Status
from tests.support.builders import (
    TOO_LATE,
    WINDOW_END,
    a_payment,
    a_transfer,
    after,
    an_other_transfer,
    clock,
    head,
    lost,
    run,
    seen,
    told,
)
from tests.support.refunding import asked_back, paid_back, refund_id

E = EventType
PART: Final = a_transfer(1, 60)
WHOLE: Final = a_transfer(1, 100)
CONFIRMED: Final = (seen(WHOLE), head(12))
EXPIRED: Final = (seen(PART), clock(), head(90, finalized=26))


def ended(*changes: Change, accepts_late: bool = False) -> Payment:
    return after(a_payment(accepts_late=accepts_late), *changes)


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        (CONFIRMED, 100),
        ((*CONFIRMED, head(90, finalized=26)), 100),
        ((*CONFIRMED, seen(a_transfer(2, 5, 13))), 100),  # what is beyond the amount is not final
        ((*CONFIRMED, seen(a_transfer(2, 5, 13)), head(90, finalized=26)), 105),
        ((*CONFIRMED, seen(an_other_transfer(3, 7, 10)), head(90, finalized=26)), 100),
        ((seen(PART), clock()), 0),
        (EXPIRED, 60),
        ((clock(), seen(a_transfer(1, 100, 10, block_time=TOO_LATE)), head(90, finalized=26)), 100),
        ((seen(PART), clock(), clock(WINDOW_END), head(90, finalized=26)), 60),
    ],
)
def test_what_has_come_for_good_may_go_back(changes: tuple[Change, ...], left: int) -> None:
    payment = ended(*changes)
    assert left_to_refund(payment) == left
    if left:
        assert after(payment, asked_back()).amount_given_back == left
    with pytest.raises(RefundTooLarge, match=f"At most {left} "):
        after(payment, asked_back(amount=left + 1))


@pytest.mark.parametrize("changes", [(), (seen(PART),), (seen(WHOLE),), (seen(WHOLE), head(11))])
def test_a_payment_that_may_still_be_paid_keeps_what_it_has(changes: tuple[Change, ...]) -> None:
    payment = after(a_payment(), *changes)
    with pytest.raises(WrongState, match="waits for no more money") as caught:
        after(payment, asked_back())
    assert caught.value.is_now is payment.status


def test_what_is_promised_is_not_promised_again() -> None:
    payment = ended(*CONFIRMED, asked_back(1, 70))
    assert left_to_refund(payment) == 30
    with pytest.raises(RefundTooLarge, match=r"At most 30 .* 70 is given back"):
        after(payment, asked_back(2, 31))
    rest = after(payment, asked_back(2))
    assert [back.amount for back in rest.refunds] == [70, 30]
    with pytest.raises(RefundTooLarge):
        after(rest, asked_back(3))


def test_what_failed_may_be_asked_for_again() -> None:
    payment = ended(*CONFIRMED, asked_back(1), RefundFailed(refund_id(1)))
    assert left_to_refund(payment) == 100
    assert after(payment, paid_back(1)) == payment, "it never will be paid out"
    assert after(payment, asked_back(1)) == payment, "that one is over"
    assert after(payment, asked_back(2)).amount_given_back == 100


def test_it_is_announced_when_a_block_pays_it_out_and_only_then() -> None:
    payment, news = run(ended(*CONFIRMED), asked_back(1, 40))
    assert news == []
    assert payment.amount_refunded == 0
    paid, news = run(payment, paid_back(1, 20))
    assert [event.type for event in news] == [E.REFUNDED]
    assert news[0].payment == paid
    assert (paid.amount_refunded, paid.status) == (40, payment.status)


def test_a_reorg_takes_it_back_and_what_is_mined_again_is_no_news() -> None:
    payment = ended(*CONFIRMED, asked_back(1, 40), paid_back(1, 20))
    gone, news = run(payment, paid_back(1, None))
    assert (news, gone.amount_refunded, gone.amount_given_back) == ([], 0, 40)
    assert told(gone, paid_back(1, 21)) == []
    assert after(gone, paid_back(1, 21)).amount_refunded == 40


def test_each_of_two_refunds_is_announced() -> None:
    payment = ended(*CONFIRMED, asked_back(1, 40), asked_back(2, 60))
    assert told(payment, paid_back(2, 20), paid_back(1, 21)) == [E.REFUNDED] * 2


def test_late_money_does_not_bring_a_payment_to_life_whose_money_goes_back() -> None:
    more = seen(a_transfer(2, 40, 91, block_time=TOO_LATE))
    expired = ended(*EXPIRED, accepts_late=True)
    assert after(expired, more).status is Status.DETECTED
    refunded = after(expired, asked_back())
    assert after(refunded, more).status is Status.EXPIRED
    assert told(refunded, more) == [E.LATE]
    assert after(refunded, more, RefundFailed(refund_id())).status is Status.DETECTED


def test_what_goes_back_is_not_taken_as_enough() -> None:
    expired = ended(*EXPIRED)
    assert allowed(expired) == ("accept",)
    refunded = after(expired, asked_back(1, 1))
    assert allowed(refunded) == ()
    with pytest.raises(WrongState, match="given back"):
        after(refunded, Accepted())


def test_a_reorg_that_takes_the_money_leaves_less_than_nothing() -> None:
    payment = ended(*CONFIRMED, asked_back())
    gone = after(payment, lost(WHOLE))
    assert (gone.status, left_to_refund(gone)) == (Status.FAILED, -100)


def test_what_came_to_a_cancelled_payment_goes_back() -> None:
    paid_late = after(a_payment(), Cancelled(), seen(WHOLE), head(90, finalized=26))
    assert after(paid_late, asked_back()).amount_given_back == 100
