"""The waits between attempts."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core import retry
from ctrip.core.retry import SCHEDULE

MINUTE = timedelta(minutes=1)
LONG_AGO = timedelta(days=4)  # an event's age that asks for nothing
next_attempt = partial(retry.next_attempt, age=LONG_AGO)
attempts = st.integers(0, len(SCHEDULE) - 1)
jitters = st.floats(0, 1)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    waits = [next_attempt(attempt, jitter=0.5) for attempt in range(10)]
    seconds = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert waits == [timedelta(seconds=s) for s in seconds]


def test_it_lasts_three_days_and_then_gives_up() -> None:
    assert sum(SCHEDULE, timedelta()) > timedelta(days=3)
    assert next_attempt(10, jitter=0.5) is None
    assert next_attempt(10, jitter=0.5, retry_after_seconds=1, busy=True) is None


@given(st.lists(jitters, min_size=9, max_size=9))
def test_however_the_dice_fall_it_is_tried_for_three_days(dice: list[float]) -> None:
    age = timedelta(0)
    for attempt, jitter in enumerate(dice, start=1):
        wait = retry.next_attempt(attempt, jitter=jitter, age=age)
        assert wait is not None
        age += wait
    assert age >= timedelta(hours=72)


@given(attempts, jitters)
def test_jitter_moves_a_wait_by_a_fifth_at_most(attempt: int, jitter: float) -> None:
    wait = next_attempt(attempt, jitter=jitter)
    assert wait is not None
    assert SCHEDULE[attempt] * 0.8 <= wait <= SCHEDULE[attempt] * 1.2


def test_jitter_reaches_both_ends() -> None:
    assert next_attempt(1, jitter=0) == timedelta(seconds=4)
    assert next_attempt(1, jitter=1) == timedelta(seconds=6)


@given(attempts, jitters, st.integers(0, 10**30), st.booleans())
def test_retry_after_delays_but_at_most_doubles_the_wait(
    attempt: int,
    jitter: float,
    asked: int,
    busy: bool,  # noqa: FBT001
) -> None:
    due = next_attempt(attempt, jitter=jitter, busy=busy)
    wait = next_attempt(attempt, jitter=jitter, busy=busy, retry_after_seconds=asked)
    assert due is not None
    assert wait is not None
    assert due <= wait <= 2 * due


@pytest.mark.parametrize(("asked", "seconds"), [(0, 300), (299, 300), (400, 400), (601, 600)])
def test_retry_after_is_honoured_between_the_wait_and_twice_it(asked: int, seconds: int) -> None:
    wait = next_attempt(2, jitter=0.5, retry_after_seconds=asked)
    assert wait == timedelta(seconds=seconds)


def test_an_overloaded_receiver_is_left_alone_for_a_minute() -> None:
    assert next_attempt(1, jitter=0, busy=True) == MINUTE
    assert next_attempt(1, jitter=0, busy=True, retry_after_seconds=90) == 1.5 * MINUTE
    assert next_attempt(2, jitter=0.5, busy=True) == 5 * MINUTE
