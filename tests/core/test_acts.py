"""What the shop may decide: when it is possible, what it changes, and what a refusal says."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.acts import Act, WrongState, allowed
from ctrip.core.changes import Accepted, Cancelled, ChainStood, Decision, Extended
from ctrip.core.events import EventType
from ctrip.core.machine import advance
from ctrip.core.payment import Flag, Payment, Status
from tests.core.histories import chaos, happen, payments
from tests.support.builders import (
    CHAIN,
    CREATED,
    DEADLINE,
    IN_TIME,
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

E = EventType
MINUTE: Final = timedelta(minutes=1)
LATER: Final = DEADLINE + timedelta(hours=1)
UNDERPAID: Final = after(a_payment(), seen(a_transfer(amount=60)))
TAKEN: Final = after(UNDERPAID, Accepted())
EXPIRED: Final = after(a_payment(), clock())
DECISIONS: Final[dict[Act, Decision]] = {
    Act.ACCEPT: Accepted(), Act.CANCEL: Cancelled(), Act.EXTEND: Extended(LATER)
}  # fmt: skip
STATES: Final[list[tuple[str, Payment, tuple[Act, ...]]]] = [
    ("new", a_payment(), (Act.CANCEL, Act.EXTEND)),
    ("underpaid", UNDERPAID, (Act.ACCEPT, Act.EXTEND)),
    ("wrong token", after(a_payment(), seen(an_other_transfer())), (Act.EXTEND,)),
    ("reorged", after(a_payment(), seen(), lost()), (Act.CANCEL, Act.EXTEND)),
    ("detected", after(a_payment(), seen()), ()),
    ("settled", after(a_payment(), seen(), head(20, 10)), ()),
    ("expired", EXPIRED, ()),
    ("late", after(EXPIRED, seen(a_transfer(block_time=TOO_LATE))), (Act.ACCEPT,)),
    ("cancelled", after(a_payment(), Cancelled()), ()),
    ("failed", after(EXPIRED, clock(WINDOW_END)), ()),
]


@pytest.mark.parametrize(("name", "payment", "acts"), STATES)
def test_what_is_allowed_in_each_state(name: str, payment: Payment, acts: tuple[Act, ...]) -> None:
    assert allowed(payment) == acts, name


@pytest.mark.parametrize(
    ("payment", "act"), [(p, a) for _, p, acts in STATES for a in Act if a not in acts]
)
def test_a_refusal_names_the_state_and_what_is_allowed(payment: Payment, act: Act) -> None:
    if act is Act.CANCEL and payment.cancelled:
        assert advance(payment, Cancelled()).payment == payment
        return
    with pytest.raises(WrongState, match=f"this one is {payment.status} ") as refusal:
        advance(payment, DECISIONS[act])
    assert (refusal.value.is_now, refusal.value.allowed) == (payment.status, allowed(payment))


@given(payments, chaos)
def test_what_is_allowed_is_what_changes_something(payment: Payment, drawn: list[object]) -> None:
    for moment in happen(payment, drawn):  # type: ignore[arg-type]  # of changes
        for act, decision in DECISIONS.items():
            try:
                step = advance(moment.after, decision)
            except WrongState:
                assert act not in allowed(moment.after)
            else:
                later = act is Act.EXTEND and moment.after.expires_at >= LATER
                assert later or (act in allowed(moment.after)) is (step.payment != moment.after)


def test_more_time_moves_the_deadline_and_the_late_window_and_tells_nothing() -> None:
    longer, news = run(a_payment(), Extended(LATER))
    assert news == []
    assert (longer.expires_at, longer.watched_until) == (LATER, LATER + (WINDOW_END - DEADLINE))
    assert told(longer, clock(LATER - MINUTE)) == []
    assert told(longer, clock(LATER)) == [E.EXPIRED]


def test_an_earlier_deadline_takes_no_time_away() -> None:
    assert after(a_payment(), Extended(DEADLINE - MINUTE)) == a_payment()


def test_money_that_came_late_is_in_time_when_the_deadline_moves_behind_it() -> None:
    waits = after(a_payment(), seen(a_transfer(block_time=TOO_LATE)))
    assert (waits.status, waits.flags) == (Status.PENDING, frozenset({Flag.LATE}))
    paid, news = run(waits, Extended(LATER))
    assert [event.type for event in news] == [E.DETECTED]
    assert paid.flags == set()
    assert after(paid, Extended(LATER)) == paid, "who lost the answer asks again"


STOOD: Final = (ChainStood(CHAIN, IN_TIME, IN_TIME + 5 * MINUTE), 5 * MINUTE)


@pytest.mark.parametrize("before", [True, False])
def test_time_that_a_standstill_took_is_given_back_beside_the_shops(
    before: bool,  # noqa: FBT001
) -> None:
    stood, lost_time = STOOD
    changes = (stood, Extended(LATER)) if before else (Extended(LATER), stood)
    payment = after(a_payment(), *changes)
    assert payment.extended_seconds == lost_time.total_seconds()
    assert payment.expires_at == (LATER if before else LATER + lost_time)
    assert payment.watched_until - payment.expires_at == WINDOW_END - DEADLINE


@given(
    st.lists(
        st.one_of(
            st.integers(0, 90).map(lambda n: Extended(CREATED + n * MINUTE)),
            st.builds(
                lambda at, n: ChainStood(CHAIN, CREATED + at * MINUTE, CREATED + (at + n) * MINUTE),
                st.integers(0, 60),
                st.integers(1, 10),
            ),
        ),
        max_size=12,
    )
)
def test_a_deadline_is_what_the_shop_said_and_what_standstills_took(
    drawn: list[Extended | ChainStood],
) -> None:
    payment = a_payment()
    for change in drawn:
        was, payment = payment, after(payment, change)
        match change:
            case Extended(until):
                assert payment.expires_at == max(was.expires_at, until)
                assert payment.extended_seconds == was.extended_seconds
            case ChainStood():
                given_back = timedelta(seconds=payment.extended_seconds - was.extended_seconds)
                assert payment.expires_at == was.expires_at + given_back
        assert payment.watched_until - payment.expires_at == WINDOW_END - DEADLINE


def test_what_comes_after_a_part_was_taken_is_told_each_time() -> None:
    more = [seen(a_transfer(n, 20, 11)) for n in (2, 3)]
    payment, news = run(TAKEN, *more)
    assert [event.type for event in news] == [E.UNEXPECTED_TRANSFER] * 2
    assert (payment.status, payment.flags, payment.amount_received) == (
        Status.DETECTED, frozenset(), 100,
    )  # fmt: skip


def test_what_a_flag_tells_of_is_not_told_twice() -> None:
    assert told(TAKEN, seen(a_transfer(2, 41, 11))) == [E.OVERPAID]
    assert told(TAKEN, seen(a_transfer(2, 1, 11, block_time=TOO_LATE))) == [E.LATE]


def test_what_was_taken_and_is_mined_again_is_not_unexpected() -> None:
    part = a_transfer(amount=60)
    again = a_transfer(amount=60, block=12, branch="b")
    assert told(TAKEN, lost(part), seen(again)) == [E.REORGED, E.DETECTED]


def test_less_can_be_taken_when_a_reorg_left_less() -> None:
    left = after(TAKEN, lost(a_transfer(amount=60)), seen(a_transfer(2, 40, 12)))
    assert (left.status, allowed(left)) == (Status.PENDING, (Act.ACCEPT, Act.EXTEND))
    assert after(left, Accepted()).status is Status.DETECTED


@pytest.mark.parametrize("when", [IN_TIME, DEADLINE])
def test_confirmed_money_that_is_mined_again_after_the_deadline_is_in_time(when: datetime) -> None:
    paid = after(a_payment(), seen(a_transfer(block_time=when)), head(12))
    moved = a_transfer(block=14, branch="b", block_time=TOO_LATE)
    payment, news = run(paid, seen(moved), clock(), head(15))
    assert (payment.status, payment.flags, news) == (Status.PAID, frozenset(), [])
