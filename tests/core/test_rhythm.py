"""When the next block is looked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ctrip.core.blocks import Header
from ctrip.core.ids import BlockHash, BlockNumber
from ctrip.core.rhythm import GAPS_MIN, SOON, Rhythm, heard

START = datetime(2026, 1, 1, tzinfo=UTC)
POLL = 4.0
MOMENT = 0.001


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def block(number: int, seconds: float) -> Header:
    name = BlockHash(f"{number:x}")
    return Header(number=BlockNumber(number), hash=name, parent_hash=name, time=at(int(seconds)))


class Watch:
    """A chain whose blocks are made and seen at given seconds, and a watcher that looks."""

    def __init__(self, made: list[float], seen: list[float], block_seconds: float = 12) -> None:
        self.made, self.seen = made, seen
        self.rhythm = Rhythm(poll_seconds=POLL, block_seconds_max=block_seconds)
        self.looks = 0
        self.waits: list[float] = []  # from a block that can be seen to the look that saw it
        self.pauses: list[float] = []
        self.now = seen[0]
        self.tip = -1

    def run(self, blocks: int, *, clock: Callable[[float], float] = lambda now: now) -> None:
        """Look until so many blocks were seen; our clock may show another time."""
        while self.tip < blocks - 1:
            self.looks += 1
            now = at(clock(self.now))
            tip = max(i for i, seen in enumerate(self.seen) if seen <= self.now)
            if tip > self.tip:
                self.waits += [self.now - seen for seen in self.seen[self.tip + 1 : tip + 1]]
            self.tip = tip
            self.rhythm = heard(self.rhythm, block(tip, self.made[tip]), now)
            self.pauses.append(self.rhythm.pause_seconds(now))
            self.now += self.pauses[-1]

    def run_on(
        self, blocks: int, *, clock: Callable[[float], float] = lambda now: now
    ) -> tuple[float, float]:
        """Go on for so many blocks; return the looks for each, and the longest wait."""
        looks, waits, tip = self.looks, len(self.waits), self.tip
        self.run(self.tip + 1 + blocks, clock=clock)
        return (self.looks - looks) / (self.tip - tip), max(self.waits[waits:])


def regular(count: int, *, every: float = 12, lag: Callable[[], float]) -> Watch:
    made = [n * every for n in range(count)]
    return Watch(made, [time + lag() for time in made], every)


def test_a_chain_is_looked_at_as_often_as_ever_until_its_rhythm_is_known() -> None:
    watch = regular(100, lag=lambda: 1)
    watch.run(GAPS_MIN)
    assert set(watch.pauses) == {POLL}


@pytest.mark.parametrize("lag", [0.0, 0.7, 3.0, 9.0])
def test_a_block_is_looked_for_when_it_is_due(lag: float) -> None:
    watch = regular(2_000, lag=lambda: lag)
    watch.run(40)
    looks, wait = watch.run_on(1_500)
    assert looks < 1.08
    assert wait <= SOON * POLL + MOMENT


def test_where_blocks_are_seen_now_sooner_now_later_none_waits_longer_than_the_interval() -> None:
    chance = Random(5)
    watch = regular(2_000, lag=lambda: chance.uniform(0.5, 3.0))
    watch.run(40)
    looks, wait = watch.run_on(1_500)
    assert looks < 1.15
    assert wait <= POLL


def test_a_block_that_never_came_is_looked_for_at_the_interval() -> None:
    made = [n * 12.0 for n in range(400) if n % 30]
    watch = Watch(made, [time + 1 for time in made])
    watch.run(40)
    looks, wait = watch.run_on(300)
    assert looks < 1.3
    assert wait <= POLL
    assert watch.rhythm.beat == 12
    assert max(watch.rhythm.lags) <= 1 + SOON * POLL + MOMENT, "it tells nothing of the lag"


def test_blocks_that_come_at_any_moment_are_looked_for_at_the_interval() -> None:
    chance = Random(7)
    made = [0.0]
    for _ in range(300):
        made.append(made[-1] + chance.expovariate(1 / 12))
    watch = Watch(made, made)
    watch.run(250)
    assert set(watch.pauses[60:]) == {POLL}
    assert max(watch.waits) <= POLL + MOMENT


@pytest.mark.parametrize("every", [0.45, 1.0, 2.0, 4.0, 5.0])
def test_where_blocks_are_about_as_fast_as_the_looks_there_is_nothing_to_wait_for(
    every: float,
) -> None:
    watch = regular(400, every=every, lag=lambda: 0.5)
    watch.run(300)
    assert set(watch.pauses) == {POLL}


def test_a_chain_that_grows_faster_surprises_once() -> None:
    made = [n * 12.0 for n in range(100)]
    made += [made[-1] + n * 3.0 for n in range(1, 100)]
    watch = Watch(made, [time + 1 for time in made])
    watch.run(98)
    before = len(watch.pauses)
    watch.run(190)
    assert max(watch.waits) < 12
    assert set(watch.pauses[before + 4 :]) == {POLL}


@pytest.mark.parametrize("error", [-4_000, -5, 5, 4_000])
def test_our_clock_may_be_wrong_and_may_be_set(error: float) -> None:
    watch = regular(500, lag=lambda: 1)
    watch.run(60)
    _, wait = watch.run_on(1, clock=lambda now: now + error)
    assert wait <= 12
    _, wait = watch.run_on(60, clock=lambda now: now + error)
    assert wait <= POLL + MOMENT
    looks, wait = watch.run_on(300, clock=lambda now: now + error)
    assert looks < 1.08
    assert wait <= SOON * POLL + MOMENT


def test_trouble_that_is_over_does_not_keep_blocks_waiting() -> None:
    """For five minutes an endpoint shows each block eight seconds late."""
    made = [n * 12.0 for n in range(300)]
    watch = Watch(made, [time + (9 if 100 <= n < 125 else 1) for n, time in enumerate(made)])
    watch.run(125)
    _, wait = watch.run_on(100)
    assert wait <= POLL + MOMENT


def test_a_chain_that_stands_still_is_looked_at_at_the_interval() -> None:
    watch = regular(60, lag=lambda: 1)
    watch.run(60)
    watch.pauses.clear()
    for _ in range(10):
        watch.now += watch.rhythm.pause_seconds(at(watch.now))
        watch.rhythm = heard(watch.rhythm, block(59, watch.made[59]), at(watch.now))
        watch.pauses.append(watch.rhythm.pause_seconds(at(watch.now)))
    assert watch.pauses[:2] == [SOON * POLL, POLL]
    assert set(watch.pauses[1:]) == {POLL}


def test_a_block_that_was_replaced_at_its_height_is_no_new_one() -> None:
    watch = regular(60, lag=lambda: 1)
    watch.run(40)
    gaps = watch.rhythm.gaps
    again = heard(watch.rhythm, block(watch.tip, watch.made[watch.tip]), at(watch.now - 5))
    assert again.gaps == gaps
    assert again.looks == 0, "it was not due"


def test_blocks_that_were_slept_through_tell_nothing_of_the_rhythm() -> None:
    """While a chain rests it is looked at every minute, and two close blocks are not seen."""
    rhythm = Rhythm(poll_seconds=POLL, block_seconds_max=12)
    for n in range(100):
        rhythm = heard(rhythm, block(5 * n, 60.0 * n), at(60.0 * n))
    assert rhythm.gaps == ()
    assert rhythm.pause_seconds(at(6_000)) == POLL
