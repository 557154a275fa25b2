"""Do what a request asks once, however often it comes with the same Idempotency-Key.

The key is claimed, the work is done, its answer is kept; whoever comes later is given the
same answer, and whoever comes meanwhile is told to wait. What was refused is not kept: it
changed nothing and may be asked again.

If the process dies before the answer is kept, or Postgres before it is heard of, nobody knows
whether the work was done, and a repetition does it once more. So the work is told the occasion
of the request: what it makes it names after that, and finds there what an earlier try made.
The rest does no harm when it is done twice. Of such a request the key stays on record even if
it is refused. Payments are written together with their keys (enroll.py).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID, uuid4

from msgspec import Struct

from ctrip.clock import Clock
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.idempotency import AnswerLost, IdempotencyKey, occasion_of, reused
from ctrip.core.ids import KeyId
from ctrip.flows.keyring import Keyring
from ctrip.settings import Webhooks
from ctrip.store import idempotency
from ctrip.store.idempotency import Kept
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.seal import Unsealable

CLAIMED_FOR: Final = timedelta(seconds=60)  # more than any request takes
LIVELY_FOR: Final = timedelta(seconds=5)  # who takes longer is most likely dead
KEPT_FOR: Final = timedelta(hours=24)  # as at Stripe


class UnderWay(RequestError):
    """The same request is being worked on."""

    status = 409
    code = "idempotency_key_in_use"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("A request with this Idempotency-Key is under way; try again")
        self.retry_after_seconds = retry_after_seconds


class Answer(Struct, frozen=True):
    """What a request came to."""

    status: int
    body: bytes
    is_replay: bool = False


class Repeats:
    """Remembers what was answered."""

    def __init__(self, pool: Pool, clock: Clock, settings: Webhooks) -> None:
        self._pool = pool
        self._clock = clock
        self._keyring = Keyring(settings)

    async def once(
        self,
        owner: KeyId,
        key: IdempotencyKey,
        work: Callable[[UUID], Awaitable[Answer]],
        *,
        has_secret: bool,
    ) -> Answer:
        """Return what the work comes to, or what it came to before.

        The work is given the occasion that all tries of this request have in common.
        """
        if has_secret:
            self._keyring.require()
        now, claim_id = self._clock.now(), uuid4()
        async with connection(self._pool) as conn:
            claimed = await idempotency.claim(
                conn, owner, key, claim_id, until=now + CLAIMED_FOR, now=now
            )
            known = None if claimed else await idempotency.find(conn, owner, key.text)
        if claimed is None:
            return self._replay(known, key, now, has_secret=has_secret)
        try:
            done = await work(occasion_of(owner, key.text, claimed.since))
            body = self._keyring.seal(done.body, owner=place(key)) if has_secret else done.body
            async with connection(self._pool) as conn:
                await idempotency.answer(conn, owner, key.text, claim_id, done.status, body)
        except (RequestError, OutageError) as fault:
            nothing_was_done = claimed.is_first and isinstance(fault, RequestError)
            async with connection(self._pool) as conn:
                if nothing_was_done:
                    await idempotency.release(conn, owner, key.text, claim_id)
                else:
                    await idempotency.lapse(conn, owner, key.text, claim_id, now=now)
            raise
        return done

    def _replay(
        self, known: Kept | None, key: IdempotencyKey, now: datetime, *, has_secret: bool
    ) -> Answer:
        if known and known.fingerprint != key.fingerprint:
            raise reused()
        if known is None or known.status is None or known.answer is None:
            raise UnderWay(seconds_until_free(known, now))
        body = known.answer
        if has_secret:
            try:
                body = self._keyring.open(body, owner=place(key))
            except Unsealable:
                raise AnswerLost(
                    "This was done, but its answer was sealed under a [webhooks] secrets_key that"
                    " is not configured any more. Look at what it made: rotate the secret of an"
                    " endpoint, revoke an API key, and ask again with a new Idempotency-Key"
                ) from None
        return Answer(known.status, body, is_replay=True)


def seconds_until_free(known: Kept | None, now: datetime) -> int:
    """Return when to ask again: soon while somebody works, else when the claim is over."""
    left = known.claimed_until - now if known and known.claimed_until else timedelta()
    return 1 if left > CLAIMED_FOR - LIVELY_FOR else max(1, ceil(left.total_seconds()))


def place(key: IdempotencyKey) -> str:
    """Return what a sealed answer is bound to: it opens for the same request only."""
    return f"answer {key.fingerprint}"
