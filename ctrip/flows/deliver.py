"""Drain the outbox: claim what is due, sign, send, write down what became of it.

A delivery is claimed for a lease that outlives its request, so a sender that dies gives
it back by doing nothing. Each answer is written as it comes. At least once: an answer
that could not be written is asked for again, with the same webhook-id.
"""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import uuid4

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.retry import next_attempt
from ctrip.core.signature import headers
from ctrip.settings import Webhooks
from ctrip.store import outbox
from ctrip.store.outbox import Claim, Ended
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.client import Delivered, NoAnswer, Outcome, Refused, WebhookClient

CLAIMED_AT_ONCE_MAX: Final = 8  # all of them are on the wire at once; none waits in its lease
LEASE_MARGIN: Final = timedelta(seconds=15)  # for writing the answer down on a busy database
GONE: Final = 410  # the receiver says that it will never want this
TOO_MANY_REQUESTS: Final = 429

log = logs.get("ctrip.deliver")


class Sender:
    """One lane of deliveries."""

    def __init__(self, pool: Pool, client: WebhookClient, settings: Webhooks, clock: Clock) -> None:
        self._pool = pool
        self._client = client
        self._settings = settings
        self._clock = clock

    async def run_once(self) -> bool:
        """Send one batch; return True if there may be more."""
        now = self._clock.now()
        lease_until = now + timedelta(seconds=self._settings.timeout_seconds) + LEASE_MARGIN
        claim_id = uuid4()
        async with connection(self._pool) as conn:
            claims = await outbox.claim(
                conn,
                now=now,
                count_max=CLAIMED_AT_ONCE_MAX,
                lease_until=lease_until,
                claim_id=claim_id,
            )
        try:
            sends = [self._send(claim) for claim in claims]
            for ended in await asyncio.gather(*sends, return_exceptions=True):
                if isinstance(ended, BaseException):
                    raise ended  # once the others are done: none goes on unwatched
        except asyncio.CancelledError:
            async with connection(self._pool) as conn:
                await outbox.release(conn, claim_id, now=self._clock.now())
            raise
        return len(claims) == CLAIMED_AT_ONCE_MAX

    async def _send(self, claim: Claim) -> None:
        outcome = await self._post(claim)
        now = self._clock.now()
        ended = conclude(claim, outcome, now=now, jitter=random.random())  # noqa: S311  spreads load
        log.info(
            "delivery",
            event_id=claim.event_id,
            target=claim.target,
            attempt=claim.attempts,
            outcome=ended.outcome,
            state=ended.state,
        )
        async with connection(self._pool) as conn:
            await outbox.complete(conn, [ended], now=now)

    async def _post(self, claim: Claim) -> Outcome:
        url = self._settings.url if claim.target == outbox.GLOBAL else claim.webhook_url
        secret = self._settings.secret.reveal()
        if not url or not secret:
            return NoAnswer(why="url", milliseconds=0)
        timestamp = int(self._clock.now().timestamp())
        signed = headers(claim.event_id, timestamp, claim.body, [secret])
        return await self._client.post(url, claim.body, signed)


def conclude(claim: Claim, outcome: Outcome, *, now: datetime, jitter: float) -> Ended:
    """Decide what follows from an answer."""
    match outcome:
        case Delivered(status=status):
            return Ended(claim=claim, state="delivered", due_at=now, outcome=str(status))
        case Refused(status=status, retry_after_seconds=asked):
            words, for_good = str(status), status == GONE
            busy = status == TOO_MANY_REQUESTS
        case NoAnswer(why=why):
            words, for_good = why, why in {"blocked", "url"}
            busy, asked = why == "timeout", None
        case _:
            assert_never(outcome)
    wait = next_attempt(claim.attempts, jitter=jitter, retry_after_seconds=asked, busy=busy)
    if for_good or wait is None:
        return Ended(claim=claim, state="dead", due_at=now, outcome=words)
    return Ended(claim=claim, state="waiting", due_at=now + wait, outcome=words)
