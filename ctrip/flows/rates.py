"""Knows how many deliveries each endpoint that has a rate may be given now.

A rate is kept in memory, for each process. What an endpoint's rate is, is read again every now
and then; a rate that did not change keeps its bucket.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from ctrip.core import pace
from ctrip.core.endpoints import EndpointId
from ctrip.core.pace import Bucket
from ctrip.store import endpoints
from ctrip.store.pool import Conn

KNOWN_FOR: Final = timedelta(seconds=1)


class Rates:
    """The buckets of a sender."""

    def __init__(self) -> None:
        self._buckets: dict[EndpointId, Bucket] = {}
        self._read_at: datetime | None = None

    async def allowed(self, conn: Conn, now: datetime) -> Mapping[EndpointId, int]:
        """Return how many each endpoint with a rate may be given now."""
        if self._read_at is None or now - self._read_at >= KNOWN_FOR:
            rates = await endpoints.rates(conn)
            as_before = {one: b for one, b in self._buckets.items() if rates.get(one) == b.rate}
            self._buckets = {one: pace.full(rate, now) for one, rate in rates.items()} | as_before
            self._read_at = now
        self._buckets = {one: pace.refilled(b, now) for one, b in self._buckets.items()}
        return {one: int(bucket.tokens) for one, bucket in self._buckets.items()}

    def were_given(self, counts: Mapping[EndpointId, int]) -> None:
        """Take what endpoints were given."""
        for endpoint_id, count in counts.items():
            if bucket := self._buckets.get(endpoint_id):
                self._buckets[endpoint_id] = pace.taken(bucket, count)
