"""Clocks that stand still until they are moved."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)  # as on the fake chain, whose clock is its blocks


class FakeClock:
    """Clock."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, **by: float) -> None:
        """Let time pass: move(minutes=31)."""
        self._now += timedelta(**by)

    def set(self, now: datetime) -> None:
        self._now = now


class Ticks:
    """A clock of a process: it tells no time of day, and goes on while the process stands."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
