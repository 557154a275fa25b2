"""How many deliveries a receiver with a rate may be given now: a token bucket.

It holds a second's worth, at least one, so that a receiver that was quiet gets no more than
a second's worth at once.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace


class Bucket(Struct, frozen=True):
    """Tokens that were there at a time."""

    rate: float  # a second
    tokens: float
    at: datetime


def full(rate: float, now: datetime) -> Bucket:
    """Return a bucket that nobody has taken from."""
    return Bucket(rate, max(1.0, rate), now)


def refilled(bucket: Bucket, now: datetime) -> Bucket:
    """Return a bucket as it is by now; a clock that went back fills nothing."""
    seconds = max(0.0, (now - bucket.at).total_seconds())
    most = max(1.0, bucket.rate)
    return replace(bucket, tokens=min(most, bucket.tokens + seconds * bucket.rate), at=now)


def taken(bucket: Bucket, count: int) -> Bucket:
    """Return a bucket without what was just sent."""
    return replace(bucket, tokens=bucket.tokens - count)
