"""What is claimed ahead of a slot: how much, for whom, and that it stays there for no time."""

from uuid import uuid4

import pytest

from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import EndpointId, Format, Kind
from ctrip.core.events import EventType
from ctrip.core.ids import EventId
from ctrip.flows.lanes import AHEAD_SECONDS, Lanes
from tests.support.builders import CREATED

SHOP = EndpointId("we_shop")
WIDTH = 4


def a_claim(number: int = 0, *, width: int = WIDTH) -> Claim:
    return Claim(
        event_id=EventId(f"evt_{number}"),
        endpoint_id=SHOP,
        claim_id=uuid4(),
        attempts=1,
        faults=0,
        manual=False,
        payment_id=None,
        sequence=1,
        type=EventType.CREATED,
        created_at=CREATED,
        body=b"{}",
        url="http://127.0.0.1/",
        kind=Kind.API,
        format=Format.STANDARD,
        revision=1,
        failures=0,
        width=width,
    )


def an_end(claim: Claim, *, delivered: bool = True) -> Ended:
    return Ended(
        claim=claim,
        delivered=delivered,
        due_at=None,
        outcome="200" if delivered else "500",
        milliseconds=1,
        address=None,
        answer=b"",
    )


@pytest.fixture
def busy() -> Lanes:
    """All slots of a shop are on the wire."""
    busy = Lanes()
    busy.held(0, ())
    assert all(busy.takes(a_claim(number), 0) for number in range(WIDTH))
    return busy


def answers(lanes: Lanes, count: int) -> None:
    """Answer, be written down, and be sent the next; so often."""
    for number in range(count):
        claim = a_claim(number)
        lanes.ends(an_end(claim))
        lanes.wrote([an_end(claim)])
        assert lanes.takes(claim, 0)


def test_who_answers_fast_is_given_more_than_its_slots(busy: Lanes) -> None:
    answers(busy, 12)
    assert busy.held(2 * AHEAD_SECONDS, ()) == {SHOP: WIDTH - 6}


def test_who_answers_ever_so_fast_is_given_twice_its_slots_ahead(busy: Lanes) -> None:
    answers(busy, 100)
    assert busy.held(2 * AHEAD_SECONDS, ()) == {SHOP: WIDTH - 2 * WIDTH}


def test_who_takes_a_tenth_of_a_second_is_given_nothing_ahead(busy: Lanes) -> None:
    answers(busy, WIDTH)
    assert busy.held(0.1, ()) == {SHOP: WIDTH}


def test_who_has_a_rate_is_given_nothing_ahead(busy: Lanes) -> None:
    answers(busy, 12)
    assert busy.held(2 * AHEAD_SECONDS, {SHOP}) == {SHOP: WIDTH}


def test_what_is_ahead_is_sent_when_a_slot_is_free(busy: Lanes) -> None:
    ahead = a_claim()
    assert not busy.takes(ahead, 0)
    assert busy.next(SHOP) is None
    busy.ends(an_end(a_claim()))
    assert busy.next(SHOP) == ahead
    assert busy.held(1, ()) == {SHOP: WIDTH}


def test_what_is_ahead_counts_when_more_is_claimed(busy: Lanes) -> None:
    for _ in range(3):
        busy.takes(a_claim(), 0)
    assert busy.held(1, ()) == {SHOP: WIDTH + 3}


def test_slots_that_others_took_are_left_to_them(busy: Lanes) -> None:
    assert not busy.takes(a_claim(width=2), 0)
    for number in range(WIDTH - 2):
        busy.ends(an_end(a_claim(number)))
        assert busy.next(SHOP) is None
    busy.wrote([an_end(a_claim(number)) for number in range(WIDTH - 2)])
    busy.ends(an_end(a_claim()))
    assert busy.next(SHOP)


def test_no_more_wait_to_be_written_than_there_are_slots(busy: Lanes) -> None:
    ends = [an_end(a_claim(number)) for number in range(WIDTH + 1)]
    for end in ends[:WIDTH]:
        busy.takes(a_claim(), 0)
        busy.ends(end)
        assert busy.next(SHOP)
    busy.takes(a_claim(), 0)
    busy.ends(ends[WIDTH])
    assert busy.next(SHOP) is None
    busy.wrote(ends)
    assert busy.next(SHOP)


def test_an_answer_frees_no_slot_while_nothing_can_be_written(busy: Lanes) -> None:
    busy.takes(a_claim(), 0)
    busy.is_stuck = True
    busy.ends(an_end(a_claim()))
    assert busy.next(SHOP) is None
    busy.is_stuck = False
    assert busy.next(SHOP)


def test_what_is_ahead_of_a_failure_is_given_back(busy: Lanes) -> None:
    before, after = a_claim(1), a_claim(2)
    busy.takes(before, 0)
    failed = an_end(a_claim(), delivered=False)
    busy.ends(failed)
    assert busy.late(-1) == [before]
    busy.forget([before])
    busy.takes(after, 0)
    assert busy.next(SHOP) is None, "a failure frees no slot before it is written"
    busy.wrote([failed])
    assert busy.late(-1) == [after], "and what is written may be that it is left alone"
    busy.forget([after])
    assert not busy.kept


def test_a_failure_ends_the_pace(busy: Lanes) -> None:
    answers(busy, 12)
    failed = an_end(a_claim(), delivered=False)
    busy.ends(failed)
    assert busy.held(2 * AHEAD_SECONDS, ()) == {SHOP: WIDTH}


def test_what_found_no_slot_in_time_is_given_back(busy: Lanes) -> None:
    first, second = a_claim(1), a_claim(2)
    busy.takes(first, 1.0)
    busy.takes(second, 2.0)
    assert busy.late(1.5) == [first]
    assert set(busy.kept) == {first, second}, "until somebody says that it went back"
    busy.forget([first])
    assert busy.kept == [second]


def test_who_has_nothing_in_hand_is_forgotten(busy: Lanes) -> None:
    ends = [an_end(a_claim(number)) for number in range(WIDTH)]
    for end in ends:
        busy.ends(end)
    assert SHOP in busy.held(1, ())
    busy.wrote(ends)
    assert not busy.held(2, ())
