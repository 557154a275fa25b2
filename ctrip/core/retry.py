"""When a webhook that was not taken is tried again.

The waits are the example of Standard Webhooks: ten attempts over three days. Each is
stretched or shortened by up to a fifth, so that a receiver that comes back is not met
by everything at once. A Retry-After is honoured, but only between the wait that was
due and twice that: a receiver may slow us down, not stop us. One that is overloaded,
or did not answer in time, is left alone for a minute at least. However the dice fall, the
last attempt is not made before an event is three days old.

Pure: the caller draws the random number and keeps the clock.
"""

from datetime import timedelta
from typing import Final

# The wait before each attempt, the first included (standardwebhooks.com, "Deliverability").
SCHEDULE: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER: Final = 0.2  # of a wait, either way
BUSY_WAIT_MIN: Final = timedelta(seconds=60)  # room for an overloaded receiver to recover in
RETRY_AFTER_FACTOR_MAX: Final = 2  # times the wait that was due
TRIED_FOR_MIN: Final = timedelta(hours=72)  # a weekend that nobody looks at the receiver
OWN_FAULT_WAIT: Final = timedelta(minutes=1)
OWN_FAULTS_MAX: Final = 60  # an hour, in which an operator can mend what only he can


def next_attempt(
    attempt: int,
    *,
    jitter: float,
    age: timedelta,
    retry_after_seconds: int | None = None,
    busy: bool = False,
) -> timedelta | None:
    """Return how long to wait once `attempt` attempts have failed, or None to give up.

    `jitter` is a random number from 0 to 1; 0.5 keeps the schedule. `busy` is True
    after a 429 and after a timeout; `age` is the event's.
    """
    if attempt >= len(SCHEDULE):
        return None
    wait = SCHEDULE[attempt] * (1 + JITTER * (2 * jitter - 1))
    if attempt == len(SCHEDULE) - 1:
        wait = max(wait, TRIED_FOR_MIN - age)
    if busy:
        wait = max(wait, BUSY_WAIT_MIN)
    if retry_after_seconds is None:
        return wait
    # Compared as seconds: a receiver may name more of them than a timedelta holds.
    seconds = wait.total_seconds()
    asked = min(max(retry_after_seconds, seconds), seconds * RETRY_AFTER_FACTOR_MAX)
    return timedelta(seconds=asked)
