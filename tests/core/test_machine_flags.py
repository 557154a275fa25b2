"""What else is true of a payment, and the news that flags make."""

from typing import Final

import pytest

from ctrip.core.changes import Accepted, Cancelled
from ctrip.core.events import EventType
from ctrip.core.payment import Flag, Payment, Status
from tests.support.builders import (
    TOKEN,
    TOO_LATE,
    WINDOW_END,
    a_payment,
    a_token_payment,
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

E = EventType
EXPIRED: Final = after(a_payment(), clock())
CANCELLED: Final = after(a_payment(), Cancelled())
SETTLED: Final = after(a_payment(), seen(), head(20, finalized=10))
FAILED: Final = after(EXPIRED, clock(WINDOW_END))


def test_a_part_is_underpaid_until_the_rest_comes() -> None:
    part = after(a_payment(), seen(a_transfer(1, 60)))
    assert part.status is Status.PENDING
    assert part.flags == {Flag.UNDERPAID}
    whole = after(part, seen(a_transfer(2, 40)))
    assert whole.status is Status.DETECTED
    assert whole.flags == set()


def test_every_part_that_is_not_the_last_is_told() -> None:
    parts = [seen(a_transfer(n, 30)) for n in (1, 2, 3, 4)]
    assert told(a_payment(), *parts) == [E.UNDERPAID, E.UNDERPAID, E.UNDERPAID, E.DETECTED,
                                         E.OVERPAID]  # fmt: skip


def test_too_much_at_once_is_detected_and_overpaid() -> None:
    payment, news = run(a_payment(), seen(a_transfer(amount=101)))
    assert [e.type for e in news] == [E.DETECTED, E.OVERPAID]
    assert payment.flags == {Flag.OVERPAID}
    assert payment.amount_received == 101


def test_exactly_enough_raises_no_flag() -> None:
    assert after(a_payment(), seen()).flags == set()


def test_one_wei_too_little_is_too_little() -> None:
    assert told(a_payment(), seen(a_transfer(amount=99))) == [E.UNDERPAID]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_surplus_is_told_also_when_the_payment_is_settled(n: int) -> None:
    extra = [seen(a_transfer(2 + i, 1, 30)) for i in range(n)]
    assert told(SETTLED, *extra) == [E.OVERPAID] * n


def test_late_money_is_recorded_and_told_and_moves_nothing() -> None:
    payment, news = run(EXPIRED, seen(a_transfer(block_time=TOO_LATE)))
    assert [e.type for e in news] == [E.LATE]
    assert payment.status is Status.EXPIRED
    assert payment.flags == {Flag.LATE}
    assert payment.amount_received == 100
    assert payment.detected_in_block is None


def test_every_late_transfer_is_told() -> None:
    parts = [seen(a_transfer(n, 20, block_time=TOO_LATE)) for n in (1, 2)]
    assert told(EXPIRED, *parts).count(E.LATE) == 2


def test_late_money_on_a_payment_that_was_paid_in_time_is_late_and_too_much() -> None:
    payment, news = run(SETTLED, seen(a_transfer(2, 5, 30, block_time=TOO_LATE)))
    assert {e.type for e in news} == {E.LATE, E.OVERPAID}
    assert payment.flags == {Flag.LATE, Flag.OVERPAID}


def test_late_money_does_not_fill_up_what_came_in_time() -> None:
    payment = after(
        a_payment(), seen(a_transfer(1, 60)), clock(), seen(a_transfer(2, 40, block_time=TOO_LATE))
    )
    assert payment.status is Status.EXPIRED
    assert payment.flags == {Flag.LATE}


def test_cancelling_is_expiring_with_a_flag() -> None:
    assert CANCELLED.status is Status.EXPIRED
    assert CANCELLED.flags == {Flag.CANCELLED}


@pytest.mark.parametrize("accepts_late", [False, True])
def test_money_on_a_cancelled_payment_is_late_and_waits_for_the_shop(
    accepts_late: bool,  # noqa: FBT001
) -> None:
    cancelled = after(a_payment(accepts_late=accepts_late), Cancelled())
    payment, news = run(cancelled, seen())
    assert [e.type for e in news] == [E.LATE]
    assert payment.status is Status.EXPIRED
    assert payment.flags == {Flag.CANCELLED, Flag.LATE}
    assert after(payment, Accepted()).status is Status.DETECTED


def test_a_reorg_is_a_flag_for_as_long_as_the_money_is_gone() -> None:
    gone = after(a_payment(), seen(), lost())
    assert gone.status is Status.PENDING
    assert gone.flags == {Flag.REORGED}
    assert after(gone, seen(a_transfer(block=12, branch="b"))).flags == set()


def test_a_second_reorg_is_told_again() -> None:
    again = a_transfer(block=12, branch="b")
    changes = (seen(), lost(), seen(again), lost(again))
    assert told(a_payment(), *changes) == [E.DETECTED, E.REORGED] * 2


def test_a_reorg_that_leaves_enough_is_told_without_a_step() -> None:
    surplus = a_transfer(2, 100, 11)
    payment, news = run(after(a_payment(), seen(), seen(surplus)), lost(surplus))
    assert [e.type for e in news] == [E.REORGED]
    assert payment.status is Status.DETECTED
    assert payment.flags == {Flag.REORGED}


def test_a_reorg_of_a_part_leaves_the_rest_underpaid() -> None:
    rest = a_transfer(2, 40, 11)
    payment, news = run(after(a_payment(), seen(a_transfer(1, 60)), seen(rest)), lost(rest))
    assert [e.type for e in news] == [E.REORGED, E.UNDERPAID]
    assert payment.flags == {Flag.REORGED, Flag.UNDERPAID}


@pytest.mark.parametrize("payment", [a_payment(), EXPIRED, CANCELLED, SETTLED, FAILED])
def test_a_token_that_nobody_asked_for_is_unexpected_each_time(payment: Payment) -> None:
    wrong = [seen(an_other_transfer(n, 10**6, 30)) for n in (7, 8)]
    after_both, news = run(payment, *wrong)
    assert [e.type for e in news] == [E.UNEXPECTED_TRANSFER] * 2
    assert after_both.status is payment.status
    assert after_both.flags == payment.flags | {Flag.WRONG_TOKEN}
    assert after_both.amount_received == payment.amount_received


def test_native_coin_on_a_token_payment_is_unexpected() -> None:
    payment, news = run(a_token_payment(), seen(a_transfer()))
    assert [e.type for e in news] == [E.UNEXPECTED_TRANSFER]
    assert (payment.status, payment.amount_received) == (Status.PENDING, 0)


def test_the_token_that_was_asked_for_pays() -> None:
    payment = after(a_token_payment(), seen(a_transfer(asset=TOKEN.asset)))
    assert payment.status is Status.DETECTED
    assert payment.flags == set()


def test_an_expired_payment_that_got_another_token_does_not_fail() -> None:
    payment = after(EXPIRED, seen(an_other_transfer(7)), clock(WINDOW_END))
    assert payment.status is Status.EXPIRED
    assert payment.closed


def test_money_on_a_failed_payment_is_unexpected() -> None:
    payment, news = run(FAILED, seen(a_transfer(block_time=TOO_LATE)))
    assert [e.type for e in news] == [E.LATE, E.UNEXPECTED_TRANSFER]
    assert payment.status is Status.FAILED


def test_taking_a_part_by_hand_takes_the_flag_with_it() -> None:
    assert after(a_payment(), seen(a_transfer(amount=60)), Accepted()).flags == set()


def test_taking_too_much_by_hand_asks_for_no_more_than_the_amount() -> None:
    payment = after(EXPIRED, seen(a_transfer(amount=150, block_time=TOO_LATE)), Accepted())
    assert payment.required == 100
    assert payment.flags == {Flag.LATE, Flag.OVERPAID}


def test_the_rest_of_a_part_that_was_taken_by_hand_is_not_too_much() -> None:
    taken = after(a_payment(), seen(a_transfer(1, 60)), Accepted())
    assert after(taken, seen(a_transfer(2, 40))).flags == set()
    assert after(taken, seen(a_transfer(2, 41))).flags == {Flag.OVERPAID}


def test_what_else_comes_to_a_payment_with_late_money_is_not_called_late() -> None:
    late = after(EXPIRED, seen(a_transfer(amount=60, block_time=TOO_LATE)))
    assert told(late, seen(an_other_transfer(7))) == [E.UNEXPECTED_TRANSFER]
