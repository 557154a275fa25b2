"""How well an endpoint does, and how hard it may be asked: numbers that learn.

Pure: the time is a parameter, in seconds of whatever clock the caller keeps.
"""

from typing import Final

BENCH_SECONDS: Final = 0.1  # after a first fault; the next may work already
BENCH_GROWTH: Final = 1.5
BENCH_SECONDS_MAX: Final = 60.0  # an endpoint that came back is used again within a minute
RETRY_AFTER_SECONDS_MAX: Final = 600.0  # what an endpoint may ask for; some say a day

WEIGHT: Final = 0.2  # of the newest observation: about the last ten count
FIT_MIN: Final = 0.4  # of the best: below it, the order of the configuration gives way

CALLS_PER_SECOND: Final = 500.0  # to begin with: a node of one's own takes more
CALLS_PER_SECOND_MIN: Final = 2.0  # 3 calls make a pass
CALLS_PER_SECOND_MAX: Final = 50_000.0  # a node on this machine; others say when it is too much
PACE_GROWTH: Final = 1.05  # for each request that was answered
BURST_SECONDS: Final = 1.0  # of calls that may come at once


class Bench:
    """A circuit breaker: who fails sits out, longer each time, and one success ends it."""

    def __init__(self) -> None:
        self._length = 0.0
        self._until = 0.0
        self._asked_until = 0.0  # the endpoint itself asked to be left alone until then

    def failed(self, now: float, *, seconds_min: float = 0.0) -> None:
        """Sit out from now on."""
        longer = max(BENCH_SECONDS, self._length * BENCH_GROWTH)
        self._length = min(max(longer, seconds_min), max(BENCH_SECONDS_MAX, seconds_min))
        self._until = now + self._length

    def asked_to_wait(self, now: float, seconds: float) -> None:
        """Honour a Retry-After."""
        self._asked_until = now + min(seconds, RETRY_AFTER_SECONDS_MAX)

    def worked(self) -> None:
        self._length = self._until = self._asked_until = 0.0

    def is_out(self, now: float) -> bool:
        return self._left(self._until, now) > 0 or self.wait_seconds(now) > 0

    def wait_seconds(self, now: float) -> float:
        """Return how long the endpoint still wants to be left alone."""
        return self._left(self._asked_until, now)

    def _left(self, until: float, now: float) -> float:
        # A clock that was set back must not keep anybody out for longer than was meant.
        left = until - now
        return left if 0 < left <= RETRY_AFTER_SECONDS_MAX else 0.0


class Score:
    """What an endpoint was like lately: 1 answers at once and always, 0 never."""

    def __init__(self) -> None:
        self.seconds = 0.0  # for one request
        self.faults = 0.0  # share of requests

    def answered(self, seconds: float) -> None:
        self.seconds += WEIGHT * (seconds - self.seconds)
        self.faults *= 1 - WEIGHT

    def failed(self) -> None:
        self.faults += WEIGHT * (1 - self.faults)

    @property
    def value(self) -> float:
        return (1 - self.faults) / (1 + self.seconds)


class Pace:
    """A bucket of calls: asked too often, half as fast; answered, a little faster."""

    def __init__(self) -> None:
        self.calls_per_second = CALLS_PER_SECOND
        self._free_at = 0.0  # when the calls that were let through are paid for

    def wait_seconds(self, calls: int, now: float) -> float:
        """Let so many calls through; return how long they have to wait first."""
        begins = max(self._free_at, now - BURST_SECONDS)
        self._free_at = begins + calls / self.calls_per_second
        return max(0.0, begins - now)

    def answered(self) -> None:
        self.calls_per_second = min(CALLS_PER_SECOND_MAX, self.calls_per_second * PACE_GROWTH)

    def too_fast(self) -> None:
        self.calls_per_second = max(CALLS_PER_SECOND_MIN, self.calls_per_second / 2)
