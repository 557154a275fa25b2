"""Who hears of events: receivers, what they asked for, and when they are left alone.

Three kinds of endpoint share one queue, so that caps, breaker and log are the same for all.
Those made over the API have a URL, a filter and secrets of their own. The pair of the
configuration is one more, and hears of everything. A site stands for all the URLs at one
origin that payments named: shops put an order's number into the URL, so the URL would be a
new receiver each time, and a shop that is down would take a slot for every order. A site that
nobody has named for SITE_IDLE is forgotten. So news of a payment nearly as old names its site
anew, in the transaction that writes it down; a younger one has its site.

The breaker keeps a receiver that is down from being asked for each event anew. After
FAILURES_MIN failures without a success in between it is left alone for a while, longer each
time, and then asked once. Waiting costs a delivery none of its attempts. Whoever fails for
FAILING_MAX, or answers that it is gone, is disabled and the operator is told.

Pure: the caller keeps the clock.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, NewType
from urllib.parse import urlsplit

from msgspec import Struct

from ctrip.core.events import EventType

EndpointId = NewType("EndpointId", str)

CONFIG: Final = EndpointId("we_config")
PREFIX: Final = "we_"
PORTS: Final = {"http": 80, "https": 443}

CONCURRENCY_DEFAULT: Final = 16  # deliveries at once; a receiver that answers in 0.2 s takes 80/s
CONCURRENCY_MAX: Final = 256

ANY: Final = "*"
PATTERN: Final = re.compile(r"\*|[a-z]+\.(\*|[a-z_]+)")

FAILURES_MIN: Final = 5  # in a row; fewer are a restart of the receiver
PAUSE_MIN: Final = timedelta(seconds=15)
PAUSE_MAX: Final = timedelta(minutes=5)  # how late a receiver that is back may be noticed
FAILING_MAX: Final = timedelta(days=5)
ROTATION_OVERLAP: Final = timedelta(hours=24)  # old secrets go on signing beside the new one

SITE_IDLE: Final = timedelta(days=90)
SITE_SURE: Final = SITE_IDLE - timedelta(days=1)  # the age of a payment whose site is surely there

GONE: Final = "the receiver answered 410 Gone"
FAILED_TOO_LONG: Final = f"every delivery failed for {FAILING_MAX.days} days"
NOT_CONFIGURED: Final = "the configuration names no receiver"
BY_HAND: Final = "disabled by its owner"


class Kind(StrEnum):
    """Where a receiver was named."""

    API = "api"
    CONFIG = "config"
    SITE = "site"


class Format(StrEnum):
    """What is sent: the whole payment, or its id."""

    STANDARD = "standard"
    THIN = "thin"


class Leave(Struct, frozen=True):
    """Ask nothing of it before this time."""

    until: datetime


class Disable(Struct, frozen=True):
    """Ask nothing of it any more."""

    reason: str


def matches(patterns: Sequence[str], event_type: str) -> bool:
    """Tell whether a filter lets a type through; the queue's statement says the same in SQL."""
    noun = event_type.partition(".")[0]
    return any(pattern in {ANY, f"{noun}.*", event_type} for pattern in patterns)


def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with one entry of a filter, for its author, or None."""
    nouns = {kind.partition(".")[0] for kind in EventType}
    if not PATTERN.fullmatch(pattern):
        return f"{pattern[:80]!r} is neither a type, nor 'payment.*', nor '*'"
    known = {*EventType, ANY, *(f"{noun}.*" for noun in nouns)}
    return None if pattern in known else f"there are no events of type {pattern!r}"


def origin_of(url: str) -> str:
    """Return scheme, host and port, spelt one way (RFC 6454, 4)."""
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme, 0)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port}"


def site_of(url: str) -> EndpointId:
    """Return the endpoint that stands for everything at a URL's origin."""
    return EndpointId(PREFIX + sha256(origin_of(url).encode()).hexdigest()[:24])


def after_failures(
    kind: Kind, failures: int, failing_since: datetime, now: datetime
) -> Leave | Disable | None:
    """Decide what follows once a receiver has failed so often in a row, and for so long."""
    if kind is not Kind.SITE and now - failing_since >= FAILING_MAX:
        return Disable(FAILED_TOO_LONG)
    if failures < FAILURES_MIN:
        return None
    # As long again as it has lasted: a restart costs seconds, an outage few requests.
    return Leave(now + min(PAUSE_MAX, max(PAUSE_MIN, now - failing_since)))
