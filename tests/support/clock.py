"""A clock that stands still until it is moved."""

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
