"""How often one may ask: so often by a key, and so often from an address without one.

A bucket for each caller lets ten seconds' worth through at once and fills up again at the
rate that is configured. It is kept as one number, the time at which it will be full, so a
request costs one look-up, and a caller who was quiet is forgotten at no loss. Buckets belong
to a process: two processes let through twice as much.

Guessing keys is slow: who has no valid key pays from the bucket of his address, and once it is
empty an unknown key is not even looked up. A key that is known goes on working from there.
"""

import time
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address
from math import ceil
from typing import Final

from msgspec import Struct
from starlette.requests import HTTPConnection

from ctrip.core.errors import RequestError
from ctrip.core.ids import NOBODY, KeyId
from ctrip.settings import Server
from ctrip.web.forwarded import IPAddress, Proxies
from ctrip.web.manners import MORE_HEADERS

BURST_SECONDS: Final = 10  # of its rate that a bucket holds
BUCKETS_MAX: Final = 100_000  # of either kind; some 20 MB
ROUNDING: Final = 1e-6  # what sums of fractions may be off
NETWORK_BYTES: Final = 8  # of an IPv6 address: a /64 is one household, an address in it is free


class RateLimited(RequestError):
    """The caller asks more often than he may."""

    status = 429
    code = "rate_limited"


class Left(Struct, frozen=True):
    """What a bucket holds after a take."""

    size: int
    tokens: int
    full_in_seconds: int
    lacking_seconds: float  # until there is one again; 0 if one was taken


class Buckets:
    """The buckets of all callers of a kind."""

    def __init__(self, rate: float, *, count_max: int = BUCKETS_MAX) -> None:
        self._rate = rate  # tokens a second
        self._size = max(1.0, rate * BURST_SECONDS)
        self._count_max = count_max
        self._full_at: dict[Hashable, float] = {}  # the longest unused first

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: Hashable, now: float) -> Left:
        """Take a token, if there is one."""
        full_at = max(now, self._full_at.pop(name, now))
        lacking = self._lacking(full_at - now)
        if not lacking:
            full_at += 1 / self._rate
        self._full_at[name] = full_at
        self._forget(now)
        return self._left(full_at - now, lacking)

    def look(self, name: Hashable, now: float) -> Left:
        """Return what there is, and take nothing."""
        seconds = max(0.0, self._full_at.get(name, now) - now)
        return self._left(seconds, self._lacking(seconds))

    def _left(self, full_in: float, lacking: float) -> Left:
        tokens = max(0.0, self._size - full_in * self._rate)
        return Left(int(self._size), int(tokens + ROUNDING), ceil(full_in - ROUNDING), lacking)

    def _lacking(self, full_in: float) -> float:
        seconds = full_in - (self._size - 1) / self._rate
        return seconds if seconds > ROUNDING else 0.0

    def _forget(self, now: float) -> None:
        oldest = next(iter(self._full_at))
        if self._full_at[oldest] <= now or len(self._full_at) > self._count_max:
            del self._full_at[oldest]


class RateLimits:
    """What the site asks before it asks a page."""

    def __init__(
        self, settings: Server, proxies: Proxies, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._proxies = proxies
        self._of_keys = Buckets(settings.rate_per_key) if settings.rate_per_key else None
        self._of_addresses = (
            Buckets(settings.rate_per_address) if settings.rate_per_address else None
        )

    def take(self, request: HTTPConnection, key: KeyId | None) -> None:
        """Count a request for the key it bears, or for its address; raise if there were too many.

        With auth = "off" everybody is NOBODY, whose rate is a key's, for each address.
        """
        buckets = self._of_addresses if key is None else self._of_keys
        if buckets is None:
            return
        name = key if key and key != NOBODY else bucket_of(self._proxies.address_of(request))
        tell(request, buckets.take(name, self._now()))

    def may_guess(self, request: HTTPConnection) -> None:
        """Raise if so many keys from this address were wrong that no other is looked up now."""
        if self._of_addresses:
            name = bucket_of(self._proxies.address_of(request))
            left = self._of_addresses.look(name, self._now())
            if left.lacking_seconds:
                tell(request, left)


def bucket_of(address: IPAddress | None) -> bytes:
    """Return what addresses share a bucket by."""
    if address is None:
        return b""
    packed = address.packed
    return packed[:NETWORK_BYTES] if isinstance(address, IPv6Address) else packed


def tell(request: HTTPConnection, left: Left) -> None:
    """Let the answer say what is left, and be a refusal if that is nothing.

    The fields are those of draft-ietf-httpapi-ratelimit-headers up to its revision 06, three
    and not one, which clients know best.
    """
    headers = request.scope.setdefault(MORE_HEADERS, [])
    headers += (
        (b"ratelimit-limit", b"%d" % left.size),
        (b"ratelimit-remaining", b"%d" % left.tokens),
        (b"ratelimit-reset", b"%d" % left.full_in_seconds),
    )
    if left.lacking_seconds:
        headers.append((b"retry-after", b"%d" % ceil(left.lacking_seconds)))
        raise RateLimited("Too many requests; try again after the seconds that Retry-After says")
