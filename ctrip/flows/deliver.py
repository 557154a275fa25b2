"""Drain the outbox: claim what is due, sign, send, write down what became of it.

A pass claims as many deliveries as there are slots and starts them; it waits for none. So a
receiver that does not answer holds its own slots and nobody else's. Of whoever answers fast some
more are claimed ahead (lanes.py), and who sent one goes on with the next of them. What has ended
is written down beside that, by one writer at a time: under load it finds a batch, all that ended
while it wrote the one before. Whoever took a delivery is given the next before that is written, as
long as writing works; whoever failed is not, because what is written may be that he is left alone.

An end calls for another pass only if that may find something: if its endpoint had no slot for
all that was due (crowd.py) and little of it is claimed, or if the sender had none.

A delivery is claimed for a lease that outlives its request, so a sender that dies gives it
back by doing nothing. At least once: an answer that could not be written is asked for again,
with the same webhook-id. Faults of ours (no key, a mistake in this file) cost the receiver
no attempt, and are given up after a while of their own.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence, Set
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast
from uuid import uuid4

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import FAILURES_MIN, EndpointId, Format
from ctrip.core.errors import ConfigError, OutageError
from ctrip.core.view import thin_body
from ctrip.flows.conclude import conclude, our_fault, report, tally
from ctrip.flows.crowd import Crowd
from ctrip.flows.judge import write_and_judge
from ctrip.flows.lanes import KEPT_SECONDS_MAX, Lanes
from ctrip.flows.rates import Rates
from ctrip.flows.receivers import Receivers
from ctrip.flows.stops import Stops
from ctrip.store import queue
from ctrip.store.pool import Pool, connection
from ctrip.store.queue import Leases
from ctrip.webhooks.client import Outcome, WebhookClient, Withdrawn

SLOTS_MAX: Final = 256  # deliveries in hand; on the wire, a connection and some 50 KB each
CLAIMED_AT_ONCE_MAX: Final = 128  # so that some are on the wire while others are claimed
LEASE_MARGIN: Final = timedelta(seconds=15)  # for writing the answer down on a busy database
EMPTY_SECONDS: Final = 0.02  # after a look for nothing: news comes in flocks

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

log = logs.get("ctrip.deliver")


class Sender:
    """Sends for this process. `spawn` makes tasks, `news` tells that there may be work.

    `stops` is that of whoever stops endpoints in this process.
    """

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
        stops: Stops,
    ) -> None:
        self._pool = pool
        self._client = client
        self._receivers = receivers
        self._clock = clock
        self._news = news
        self._lease = lease
        self._spawn = spawn
        self._stops = stops
        self._under_way: dict[asyncio.Task[None], Claim] = {}
        self._ended: list[Ended] = []
        self._written: list[Ended] = []  # being written down
        self._writer: asyncio.Task[None] | None = None  # under way, or failed
        self._keeper: asyncio.Task[None] | None = None  # of what is claimed ahead
        self._is_full = False  # the last pass had no slots left
        self._lanes = Lanes()
        self._crowd = Crowd()
        self._troubled: set[EndpointId] = set()  # the last we wrote of them was a failure
        self._rates = Rates()

    async def run_once(self) -> bool:
        """Do a pass; return True if there may be more to claim at once."""
        self._write_on()
        free = SLOTS_MAX - len(self._in_hand())
        self._is_full = free <= 0
        if self._is_full:
            return False
        count_max = min(free, CLAIMED_AT_ONCE_MAX)
        claims = await self._claim(count_max)
        for claim in claims:
            if self._lanes.takes(claim, self._time()):
                self._begin(claim)
        self._keep_on()
        if not claims and not self._crowd:
            await asyncio.sleep(EMPTY_SECONDS)
        return len(claims) == count_max

    async def settled(self) -> None:
        """Wait until nothing is on the wire, and write it down."""
        while self._under_way or self._ended or self._writer or self._lanes.kept:
            if self._under_way:
                await asyncio.wait(self._under_way)
            elif self._ended or self._writer:
                self._write_on()
                if self._writer:
                    await asyncio.wait({self._writer})
            else:
                await self._give_back(self._lanes.late(math.inf))

    async def close(self) -> None:
        """Stop what is on the wire, write down what has ended and give the rest back."""
        unsent = self._lanes.late(math.inf)
        self._lanes.forget(unsent)
        stopped = [*self._under_way, *filter(None, [self._keeper])]
        for task in stopped:
            task.cancel()
        if waits := {*stopped, *filter(None, [self._writer])}:
            await asyncio.wait(waits)
        if self._writer and self._writer.done():
            self._writer = None  # if it failed, what it had is tried once more
        for claim in self._under_way.values():
            self._lanes.stops(claim)
            unsent.append(claim)
        self._under_way.clear()
        try:
            await self.settled()
        except OutageError as outage:
            log.warning("answers are not written", count=len(self._ended), why=str(outage))
        try:
            await self._give_back(unsent)
        except OutageError as outage:
            log.warning("claims end with their lease", count=len(unsent), why=str(outage))

    def _begin(self, claim: Claim) -> None:
        task = self._spawn(self._send_on(claim))
        self._under_way[task] = claim

    async def _send_on(self, claim: Claim | None) -> None:
        """Send this, and then what was claimed ahead for the same endpoint."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        while claim:
            self._under_way[task] = claim
            if ended := await self._deliver(claim):
                self._ended.append(ended)
                self._lanes.ends(ended)
            else:
                self._lanes.returns(claim)
                self._keep_on()
            del self._under_way[task]
            one = claim.endpoint_id
            claim = self._lanes.next(one)
            if self._lanes.is_low(one):
                self._has_slot({one})
            if self._writer is None:
                self._write_on()

    def _keep_on(self) -> None:
        """See to it that what is kept is given back in time."""
        if self._lanes.kept and (self._keeper is None or self._keeper.done()):
            self._keeper = self._spawn(self._keep())

    async def _keep(self) -> None:
        """Give back what was claimed ahead and not sent, as long as anything is."""
        while self._lanes.kept:
            await asyncio.sleep(KEPT_SECONDS_MAX)
            with suppress(OutageError):  # passes say so; what is kept is given back after that
                await self._give_back(self._lanes.late(self._time() - KEPT_SECONDS_MAX))

    async def _give_back(self, claims: Sequence[Claim]) -> None:
        """Let others have what was claimed and not sent."""
        if not claims:
            return
        async with connection(self._pool) as conn:
            await queue.release(conn, claims, now=self._clock.now())
        self._lanes.forget(claims)
        for one in {claim.endpoint_id for claim in claims}:
            self._crowd.has_more(one)
        self._news.set()

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
            self._write_on()  # what ended since it looked

    def _in_hand(self) -> list[Claim]:
        ended = (end.claim for end in (*self._written, *self._ended))
        return [*self._under_way.values(), *ended, *self._lanes.kept]

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    async def _claim(self, count_max: int) -> list[Claim]:
        now = self._clock.now()
        async with connection(self._pool) as conn:
            allowed = await self._rates.allowed(conn, now)
            held = self._lanes.held(self._time(), allowed.keys())
            asked = self._crowd.asks(held)
            claims = await queue.claim(
                conn,
                now=now,
                count_max=count_max,
                lease_until=now + self._lease,
                claim_id=uuid4(),
                allowed=allowed,
                tried_after=FAILURES_MIN,
                own=Leases(ids={claim.claim_id for claim in self._in_hand()}, held=held),
            )
        taken = Counter(claim.endpoint_id for claim in claims)
        self._crowd.was_given(claims, asked)
        self._rates.were_given(taken)
        return claims

    async def _deliver(self, claim: Claim) -> Ended | None:
        """Send one, and say what follows; None: its endpoint was stopped, and it was not sent."""
        try:
            outcome = await self._post(claim)
            return conclude(claim, outcome, now=self._clock.now(), jitter=random.random())  # noqa: S311  spreads load
        except Withdrawn:
            return None
        except (ConfigError, OutageError) as fault:
            log.warning("not sent", event_id=claim.event_id, why=str(fault))
        except Exception:  # one delivery must never take the others along
            log.exception("not sent", event_id=claim.event_id)
        return our_fault(claim, self._clock.now())

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
        still = partial(self._stops.lets_go, claim)
        return await self._client.post(claim.url, body, headers, still)

    async def _write_all(self) -> None:
        """Write what has ended, until nothing has."""
        while self._ended:
            await self._write_down()

    async def _write_down(self) -> None:
        """Write what has ended, or keep it for the next try."""
        self._written, self._ended = self._ended, []
        batch = self._written
        tallies = tally(batch, self._troubled)
        try:
            await write_and_judge(self._pool, batch, tallies, self._stops, now=self._clock.now())
        except BaseException:
            self._ended = batch + self._ended
            self._lanes.is_stuck = True
            raise
        finally:
            self._written = []
        self._lanes.is_stuck = False
        self._lanes.wrote(batch)
        self._troubled -= {one.endpoint_id for one in tallies if not one.failures}
        self._troubled |= {one.endpoint_id for one in tallies if one.failures}
        report(batch)
        freed = {end.claim.endpoint_id for end in batch}
        for one in freed:
            while claim := self._lanes.next(one):
                self._begin(claim)
        self._has_slot(freed)
