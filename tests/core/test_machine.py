"""Where a payment is: every status, every edge by its name, and what may not happen."""

from datetime import timedelta
from typing import Final

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.acts import WrongState
from ctrip.core.changes import Accepted, Cancelled, Change, TransferSeen
from ctrip.core.errors import InvariantError
from ctrip.core.events import OF_FLAG, OF_STATUS, EventType
from ctrip.core.facts import FinalElsewhere
from ctrip.core.ids import BlockNumber
from ctrip.core.machine import EDGES, advance
from ctrip.core.payment import Flag, Payment, Status
from tests.support.builders import (
    DEADLINE,
    IN_TIME,
    TOO_LATE,
    WINDOW_END,
    a_payment,
    a_transfer,
    after,
    clock,
    head,
    lost,
    run,
    seen,
    told,
)

LATE_MONEY: Final = a_transfer(block_time=TOO_LATE)
DETECTED: Final = after(a_payment(), seen())
PAID: Final = after(DETECTED, head(12))
SETTLED: Final = after(PAID, head(20, finalized=10))
EXPIRED: Final = after(a_payment(), clock())
FAILED: Final = after(EXPIRED, clock(WINDOW_END))
# Holding deposits, ctrip passes through this status; a payment rests in it while it is swept.
CONFIRMED: Final = replace(PAID, status=Status.CONFIRMED)
LATE: Final = after(EXPIRED, seen(LATE_MONEY))
# What was final is so no more: somebody lowered what counts as that.
UNMADE: Final = replace(SETTLED, finalized=BlockNumber(9))
UNDERPAID: Final = after(a_payment(), seen(a_transfer(amount=60)))


class Step(Struct, frozen=True):
    """A change that takes a payment along one edge, and the news it makes."""

    name: str
    before: Payment
    change: Change
    to: Status
    news: tuple[EventType, ...]


E = EventType
STEPS: Final = [
    Step("covered", a_payment(), seen(), Status.DETECTED, (E.DETECTED,)),
    Step("deadline", a_payment(), clock(), Status.EXPIRED, (E.EXPIRED,)),
    Step("cancelled", a_payment(), Cancelled(), Status.EXPIRED, (E.EXPIRED, E.CANCELLED)),
    Step("taken by hand", UNDERPAID, Accepted(), Status.DETECTED, (E.DETECTED,)),
    Step("reorg", DETECTED, lost(), Status.PENDING, (E.REORGED,)),
    Step("deep enough", DETECTED, head(12), Status.PAID, (E.CONFIRMED, E.PAID)),
    Step("nothing to process", CONFIRMED, head(13), Status.PAID, (E.PAID,)),
    Step("reversed before paid", CONFIRMED, lost(), Status.FAILED, (E.FAILED, E.REORGED)),
    Step("final", PAID, head(20, 10), Status.SETTLED, (E.SETTLED,)),
    Step("reversed", PAID, lost(), Status.FAILED, (E.FAILED, E.REORGED)),
    Step("reversed once final", UNMADE, lost(), Status.FAILED, (E.FAILED, E.REORGED)),
    Step("late and taken by hand", LATE, Accepted(), Status.DETECTED, (E.DETECTED,)),
    Step("nothing ever came", EXPIRED, clock(WINDOW_END), Status.FAILED, (E.FAILED,)),
]
# The steps that stop over in `confirmed` walk both of these.
WALKED: Final = {
    "deep enough": {(Status.DETECTED, Status.CONFIRMED), (Status.CONFIRMED, Status.PAID)}
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_along_an_edge(step: Step) -> None:
    made = advance(step.before, step.change)
    assert made.payment.status is step.to
    assert tuple(event.type for event in made.events) == step.news


def test_every_edge_is_walked_by_these_steps() -> None:
    walked = [WALKED.get(s.name, {(s.before.status, s.to)}) for s in STEPS]
    assert set().union(*walked) == {(a, b) for a, targets in EDGES.items() for b in targets}


def test_every_status_is_reached() -> None:
    reached = {event.payment.status for s in STEPS for event in advance(s.before, s.change).events}
    assert reached == set(Status)


def test_every_status_and_flag_has_its_news() -> None:
    assert set(OF_STATUS) == set(EDGES) == set(Status)
    assert set(OF_FLAG) == set(Flag)
    of_payments = {kind for kind in EventType if kind.startswith("payment.")}
    assert {E.CREATED, E.REFUNDED, *OF_STATUS.values(), *OF_FLAG.values()} == of_payments


def test_an_hour_of_downtime_is_told_edge_by_edge() -> None:
    payment, news = run(a_payment(), seen(), head(100, finalized=90))
    assert [e.type for e in news] == [E.DETECTED, E.CONFIRMED, E.PAID, E.SETTLED]
    assert [e.payment.status for e in news] == [
        Status.DETECTED, Status.CONFIRMED, Status.PAID, Status.SETTLED,
    ]  # fmt: skip
    assert [e.payment.sequence for e in news] == [2, 3, 4, 5]
    assert payment == news[-1].payment


def test_parts_add_up() -> None:
    payment = after(a_payment(), seen(a_transfer(1, 60, 10)), seen(a_transfer(2, 40, 11)))
    assert payment.status is Status.DETECTED
    assert payment.amount_received == 100
    assert payment.detected_in_block == 11


def test_the_block_of_the_transfer_is_its_first_confirmation() -> None:
    assert [after(DETECTED, head(n)).confirmations for n in (9, 10, 11)] == [0, 1, 2]
    assert after(DETECTED, head(11)).status is Status.DETECTED
    assert after(DETECTED, head(12)).status is Status.PAID


def test_only_money_that_is_needed_must_be_deep() -> None:
    payment = after(DETECTED, seen(a_transfer(2, 50, 12)), head(12))
    assert payment.status is Status.PAID
    assert payment.detected_in_block == 10


def test_the_last_part_that_is_needed_must_be_deep() -> None:
    payment = after(a_payment(), seen(a_transfer(1, 60, 10)), seen(a_transfer(2, 40, 12)))
    assert after(payment, head(13)).status is Status.DETECTED
    assert after(payment, head(14)).status is Status.PAID
    assert after(payment, head(14, finalized=11)).status is Status.PAID
    assert after(payment, head(14, finalized=12)).status is Status.SETTLED


def test_one_block_is_enough_where_one_is_asked_for() -> None:
    shallow = a_payment(confirmations_required=1)
    assert told(shallow, seen(), head(10)) == [E.DETECTED, E.CONFIRMED, E.PAID]


def test_a_payment_expires_at_its_deadline_and_not_before() -> None:
    assert told(a_payment(), clock(DEADLINE - timedelta(microseconds=1))) == []
    assert told(a_payment(), clock(DEADLINE)) == [E.EXPIRED]


def test_money_in_a_block_of_the_deadline_counts() -> None:
    assert after(a_payment(), seen(a_transfer(block_time=DEADLINE))).status is Status.DETECTED


def test_a_detected_payment_never_expires() -> None:
    assert told(DETECTED, clock(), clock(WINDOW_END)) == []


def test_a_late_window_does_not_close_on_money_that_is_under_way() -> None:
    waiting = after(DETECTED, clock(WINDOW_END))
    assert not waiting.closed
    assert after(waiting, head(20, finalized=10), clock(WINDOW_END)).closed


def test_a_payment_that_was_never_looked_at_expires_and_fails_in_order() -> None:
    assert told(a_payment(), clock(WINDOW_END)) == [E.EXPIRED, E.FAILED]


def test_an_underpaid_payment_expires_but_does_not_fail() -> None:
    payment = after(UNDERPAID, clock(WINDOW_END))
    assert payment.status is Status.EXPIRED
    assert payment.closed
    assert after(payment, Accepted()).status is Status.DETECTED


def test_a_reorg_after_the_deadline_lets_it_pass_at_once() -> None:
    assert told(after(DETECTED, clock()), lost()) == [E.REORGED, E.EXPIRED]


def test_a_lost_transfer_that_is_mined_again_is_detected_again_and_counted_once() -> None:
    again = a_transfer(block=11, branch="b")
    payment, news = run(DETECTED, lost(), seen(again), head(13))
    assert [e.type for e in news] == [E.REORGED, E.DETECTED, E.CONFIRMED, E.PAID]
    assert payment.amount_received == 100
    assert payment.transfers == (again,)


def test_a_transfer_that_moves_to_another_block_starts_its_confirmations_over_in_silence() -> None:
    deep = after(DETECTED, head(11))
    moved = a_transfer(block=11, branch="b")
    payment, news = run(deep, seen(moved), head(11))
    assert news == []
    assert (deep.confirmations, payment.confirmations) == (2, 1)
    assert told(payment, head(12), head(13)) == [E.CONFIRMED, E.PAID]


def test_the_loss_of_a_block_that_a_transfer_has_left_is_no_loss() -> None:
    moved = after(DETECTED, seen(a_transfer(block=11, branch="b")))
    assert advance(moved, lost(a_transfer())).payment == moved


def test_the_loss_of_money_that_never_came_is_none() -> None:
    assert advance(a_payment(), lost()).payment == a_payment()


def test_a_failed_payment_stays_failed_when_its_money_comes_back() -> None:
    failed = after(PAID, lost())
    payment, news = run(failed, seen(a_transfer(block=12, branch="b")), head(99, 90))
    assert payment.status is Status.FAILED
    assert [e.type for e in news] == [E.UNEXPECTED_TRANSFER]


def test_a_settled_payment_stays_settled() -> None:
    assert told(SETTLED, head(30, 25), clock(), clock(WINDOW_END)) == []


def test_a_head_may_fall_but_finality_does_not() -> None:
    payment = after(a_payment(), head(20, 15), head(18, 12))
    assert (payment.head, payment.finalized) == (18, 15)


def test_final_money_is_never_taken_back() -> None:  # I3
    with pytest.raises(InvariantError, match="taken back"):
        advance(SETTLED, lost())


def test_final_money_never_changes_its_block() -> None:  # I3
    with pytest.raises(FinalElsewhere, match="is final in block 10, and was shown in block 11"):
        advance(SETTLED, seen(a_transfer(block=11, branch="b")))


def test_final_money_that_is_seen_again_where_it_was_is_nothing_new() -> None:  # I5
    assert advance(SETTLED, seen()).payment == SETTLED


def test_money_above_the_final_block_may_still_go() -> None:
    extra = a_transfer(2, 5, block=11)
    payment = after(SETTLED, seen(extra), lost(extra))
    assert payment.status is Status.SETTLED
    assert payment.amount_received == 100


def test_a_status_that_no_edge_leads_to_stops_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    # I1: the second lock, with the first one forced.
    monkeypatch.setattr(
        "ctrip.core.machine.EDGES", {**EDGES, Status.PENDING: frozenset({Status.EXPIRED})}
    )
    with pytest.raises(InvariantError, match="pending -> detected"):
        advance(a_payment(), seen())


@pytest.mark.parametrize(
    "payment", [DETECTED, CONFIRMED, PAID, SETTLED, EXPIRED, FAILED, UNDERPAID, LATE]
)
def test_only_an_unpaid_pending_payment_can_be_cancelled(payment: Payment) -> None:
    with pytest.raises(WrongState, match=f"this one is {payment.status}") as caught:
        advance(payment, Cancelled())
    assert (caught.value.status, caught.value.code) == (409, "wrong_state")


@pytest.mark.parametrize(
    "payment", [a_payment(), DETECTED, CONFIRMED, PAID, SETTLED, EXPIRED, FAILED]
)
def test_only_an_underpaid_or_late_payment_can_be_accepted(payment: Payment) -> None:
    with pytest.raises(WrongState, match=f"this one is {payment.status}"):
        advance(payment, Accepted())


def test_cancelling_and_accepting_twice_is_once() -> None:  # I5
    assert told(a_payment(), Cancelled(), Cancelled()) == [E.EXPIRED, E.CANCELLED]
    assert told(UNDERPAID, Accepted(), Accepted()) == [E.DETECTED]


def test_a_payment_whose_money_a_reorg_took_can_be_cancelled() -> None:
    assert after(DETECTED, lost(), Cancelled()).status is Status.EXPIRED


def test_what_was_taken_by_hand_goes_the_whole_way() -> None:
    payment, news = run(UNDERPAID, Accepted(), head(20, finalized=10))
    assert [e.type for e in news] == [E.DETECTED, E.CONFIRMED, E.PAID, E.SETTLED]
    assert (payment.required, payment.amount, payment.amount_received) == (60, 100, 60)


def test_late_money_counts_by_itself_where_late_payments_are_accepted() -> None:
    payment, news = run(a_payment(accepts_late=True), clock(), TransferSeen(LATE_MONEY))
    assert payment.status is Status.DETECTED
    assert [e.type for e in news] == [E.EXPIRED, E.DETECTED, E.LATE]


def test_late_money_adds_to_what_came_in_time_once_it_is_accepted() -> None:
    parts = (a_transfer(1, 60, block_time=IN_TIME), a_transfer(2, 40, block_time=TOO_LATE))
    payment = after(a_payment(), seen(parts[0]), clock(), seen(parts[1]))
    assert payment.status is Status.EXPIRED
    assert after(payment, Accepted()).status is Status.DETECTED
