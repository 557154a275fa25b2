"""Drain the outbox: claim what is due, sign, send, write down what became of it.

A pass claims as many deliveries as there are slots and starts them; it waits for none. So a
receiver that does not answer holds its own slots and nobody else's. What has ended is written
down beside that, by one writer at a time: under load it finds a batch, all that ended while it
wrote the one before. Whoever took a delivery is given the next before that is written, as long as
writing works; whoever failed is not, because what is written may be that he is left alone.

An end calls for another pass only if that may find something: if its endpoint had no slot for
all that was due (crowd.py), or the sender had none.

A delivery is claimed for a lease that outlives its request, so a sender that dies gives it
back by doing nothing. At least once: an answer that could not be written is asked for again,
with the same webhook-id. Faults of ours (no key, a mistake in this file) cost the receiver
no attempt, and are given up after a while of their own.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any, Final, assert_never
from uuid import uuid4

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core import pace
from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import (
    FAILURES_MIN,
    GONE,
    Disable,
    EndpointId,
    Format,
    Kind,
    Leave,
    after_failures,
)
from ctrip.core.errors import ConfigError, OutageError
from ctrip.core.pace import Bucket
from ctrip.core.view import thin_body
from ctrip.flows.conclude import GONE_STATUS, conclude, our_fault, report, tally
from ctrip.flows.crowd import Crowd
from ctrip.flows.endpoints import disable
from ctrip.flows.receivers import Receivers
from ctrip.store import endpoints, queue
from ctrip.store.endpoints import Endpoint, Tally
from ctrip.store.pool import Conn, Pool, connection, transaction
from ctrip.store.queue import Leases
from ctrip.webhooks.client import Outcome, WebhookClient

SLOTS_MAX: Final = 256  # deliveries on the wire; a connection and some 50 KB each
CLAIMED_AT_ONCE_MAX: Final = 64  # so that some are on the wire while others are claimed
LEASE_MARGIN: Final = timedelta(seconds=15)  # for writing the answer down on a busy database
EMPTY_SECONDS: Final = 0.02  # after a look for nothing: news comes in flocks
RATES_KNOWN_FOR: Final = timedelta(seconds=1)

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

log = logs.get("ctrip.deliver")


class Sender:
    """Sends for this process. `spawn` makes tasks, `news` tells that there may be work."""

    def __init__(
        self,
        pool: Pool,
        client: WebhookClient,
        receivers: Receivers,
        clock: Clock,
        news: asyncio.Event,
        *,
        lease: timedelta,
        spawn: Spawn,
    ) -> None:
        self._pool = pool
        self._client = client
        self._receivers = receivers
        self._clock = clock
        self._news = news
        self._lease = lease
        self._spawn = spawn
        self._under_way: dict[asyncio.Task[None], Claim] = {}
        self._ended: list[Ended] = []
        self._written: list[Ended] = []  # being written down
        self._writer: asyncio.Task[None] | None = None  # under way, or failed
        self._is_stuck = False  # the last that ended could not be written
        self._is_full = False  # the last pass had no slots left
        self._crowd = Crowd()
        self._troubled: set[EndpointId] = set()  # the last we wrote of them was a failure
        self._buckets: dict[EndpointId, Bucket] = {}
        self._rates_read_at: datetime | None = None

    async def run_once(self) -> bool:
        """Do a pass; return True if there may be more to claim at once."""
        self._write_on()
        free = SLOTS_MAX - len(self._under_way) - len(self._ended) - len(self._written)
        self._is_full = free <= 0
        if self._is_full:
            return False
        count_max = min(free, CLAIMED_AT_ONCE_MAX)
        claims = await self._claim(count_max)
        for claim in claims:
            task = self._spawn(self._deliver(claim))
            self._under_way[task] = claim
            task.add_done_callback(self._let_go)
        if not claims and not self._crowd:
            await asyncio.sleep(EMPTY_SECONDS)
        return len(claims) == count_max

    async def settled(self) -> None:
        """Wait until nothing is on the wire, and write it down."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        while self._ended or self._writer:
            self._write_on()
            if self._writer:
                await asyncio.wait({self._writer})

    async def close(self) -> None:
        """Stop what is on the wire, write down what has ended and give the rest back."""
        stopped = dict(self._under_way)
        for task in stopped:
            task.cancel()
        if waits := {*stopped, *filter(None, [self._writer])}:
            await asyncio.wait(waits)
        if self._writer and self._writer.done():
            self._writer = None  # if it failed, what it had is tried once more
        answered = [end.claim for end in self._ended]
        unsent = [claim for claim in stopped.values() if claim not in answered]
        try:
            await self.settled()
            if unsent:
                async with connection(self._pool) as conn:
                    await queue.release(conn, unsent, now=self._clock.now())
        except OutageError as outage:
            log.warning("claims end with their lease", count=len(unsent), why=str(outage))

    def _let_go(self, task: asyncio.Task[None]) -> None:
        claim = self._under_way.pop(task)
        self._has_slot({claim.endpoint_id})
        if self._writer is None and self._ended:
            self._write_on()

    def _has_slot(self, freed: Set[EndpointId]) -> None:
        """Call for a pass if there may be something for these slots."""
        if self._crowd.has_slot(freed) or self._is_full:
            self._news.set()

    def _write_on(self) -> None:
        """Let the writer go on, or raise what it failed with."""
        if self._writer and self._writer.done():
            failed, self._writer = self._writer, None
            failed.result()
        if self._writer is None and self._ended:
            self._writer = self._spawn(self._write_all())
            self._writer.add_done_callback(self._wrote)

    def _wrote(self, writer: asyncio.Task[None]) -> None:
        if writer.cancelled() or writer.exception():
            self._news.set()  # the next pass says so
        elif self._writer is writer:
            self._writer = None

    def _leases(self) -> Leases:
        """Return what is ours: an answer frees a slot, unless answers cannot be written."""
        wire, ended = self._under_way.values(), (*self._written, *self._ended)
        claims = [*wire, *(end.claim for end in ended)]
        held = [*wire, *(end.claim for end in ended if self._is_stuck or not end.delivered)]
        return Leases(
            ids={claim.claim_id for claim in claims},
            leased=Counter(claim.endpoint_id for claim in claims),
            held=Counter(claim.endpoint_id for claim in held),
        )

    async def _claim(self, count_max: int) -> list[Claim]:
        now = self._clock.now()
        async with connection(self._pool) as conn:
            allowed = await self._allowed(conn, now)
            own = self._leases()
            asked = self._crowd.asks(own.leased)
            claims = await queue.claim(
                conn,
                now=now,
                count_max=count_max,
                lease_until=now + self._lease,
                claim_id=uuid4(),
                allowed=allowed,
                tried_after=FAILURES_MIN,
                own=own,
            )
        self._crowd.was_given(claims, asked)
        taken = Counter(claim.endpoint_id for claim in claims)
        for endpoint_id, count in taken.items():
            if bucket := self._buckets.get(endpoint_id):
                self._buckets[endpoint_id] = pace.taken(bucket, count)
        return claims

    async def _allowed(self, conn: Conn, now: datetime) -> Mapping[EndpointId, int]:
        """Return how many each endpoint with a rate may be given now."""
        if self._rates_read_at is None or now - self._rates_read_at >= RATES_KNOWN_FOR:
            rates = await endpoints.rates(conn)
            as_before = {one: b for one, b in self._buckets.items() if rates.get(one) == b.rate}
            self._buckets = {one: pace.full(rate, now) for one, rate in rates.items()} | as_before
            self._rates_read_at = now
        self._buckets = {one: pace.refilled(b, now) for one, b in self._buckets.items()}
        return {one: int(bucket.tokens) for one, bucket in self._buckets.items()}

    async def _deliver(self, claim: Claim) -> None:
        try:
            outcome = await self._post(claim)
            ended = conclude(claim, outcome, now=self._clock.now(), jitter=random.random())  # noqa: S311  spreads load
        except (ConfigError, OutageError) as fault:
            log.warning("not sent", event_id=claim.event_id, why=str(fault))
            ended = our_fault(claim, self._clock.now())
        except Exception:  # one delivery must never take the others along
            log.exception("not sent", event_id=claim.event_id)
            ended = our_fault(claim, self._clock.now())
        self._ended.append(ended)

    async def _post(self, claim: Claim) -> Outcome:
        receiver = await self._receivers.of(claim)
        body = claim.body
        if claim.format is Format.THIN and claim.payment_id:
            body = thin_body(
                claim.event_id, claim.type, claim.created_at, claim.sequence, claim.payment_id
            )
        timestamp = int(self._clock.now().timestamp())
        signed = receiver.signer.headers(claim.event_id, timestamp, body)
        headers = {**receiver.headers, **signed} if receiver.headers else signed
        return await self._client.post(claim.url, body, headers)

    async def _write_all(self) -> None:
        """Write what has ended, until nothing has."""
        while self._ended:
            await self._write_down()

    async def _write_down(self) -> None:
        """Write what has ended, or keep it for the next try."""
        self._written, self._ended = self._ended, []
        batch, now = self._written, self._clock.now()
        tallies = tally(batch, self._troubled)
        try:
            if tallies:
                await self._write_and_judge(batch, tallies, now)
            else:  # a statement alone saves two round trips through a loop that is busy
                async with connection(self._pool) as conn:
                    await queue.complete(conn, batch, now=now)
        except BaseException:
            self._ended = batch + self._ended
            self._is_stuck = True
            raise
        finally:
            self._written = []
        self._is_stuck = False
        self._troubled -= {one.endpoint_id for one in tallies if not one.failures}
        self._troubled |= {one.endpoint_id for one in tallies if one.failures}
        report(batch)
        self._has_slot({end.claim.endpoint_id for end in batch})

    async def _write_and_judge(
        self, batch: Sequence[Ended], tallies: Sequence[Tally], now: datetime
    ) -> None:
        """Write what has ended, and what follows for the endpoints."""
        gone = {end.claim.endpoint_id for end in batch if end.outcome == str(GONE_STATUS)}
        async with transaction(self._pool) as conn:
            await queue.complete(conn, batch, now=now)
            for endpoint in await endpoints.count(conn, tallies, now=now):
                await self._judge(conn, endpoint, now, gone=endpoint.id in gone)

    async def _judge(self, conn: Conn, endpoint: Endpoint, now: datetime, *, gone: bool) -> None:
        """Leave an endpoint alone, or for good, if that is what its failures come to."""
        follows: Leave | Disable | None = None
        if gone and endpoint.kind is not Kind.SITE:
            follows = Disable(GONE)
        elif endpoint.failing_since:
            follows = after_failures(endpoint.kind, endpoint.failures, endpoint.failing_since, now)
        match follows:
            case Leave(until=until):
                await endpoints.pause(conn, endpoint.id, until=until)
            case Disable(reason=reason):
                await disable(conn, endpoint.id, reason, now=now)
            case None:
                pass
            case _:
                assert_never(follows)
