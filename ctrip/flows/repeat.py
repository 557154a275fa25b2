"""Do what a request asks once, however often it comes with the same Idempotency-Key.

The key is claimed, the work is done, its answer is kept; whoever comes later is given the
same answer, and whoever comes meanwhile is told to wait. What was refused is not kept: it
changed nothing and may be asked again. If the process dies between the work and the answer,
the claim lapses and a repetition does the work once more; so everything that may be done
like this does no harm when it is done twice. Payments, of which that is not true, are
written together with their keys (enroll.py).
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import uuid4

from msgspec import Struct

from ctrip.clock import Clock
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.idempotency import IdempotencyKey, reused
from ctrip.core.ids import KeyId
from ctrip.flows.keyring import Keyring
from ctrip.settings import Webhooks
from ctrip.store import idempotency
from ctrip.store.idempotency import Kept
from ctrip.store.pool import Pool, connection

CLAIMED_FOR: Final = timedelta(seconds=60)  # more than any request takes
KEPT_FOR: Final = timedelta(hours=24)  # as at Stripe


class UnderWay(RequestError):
    """The same request is being worked on."""

    status = 409
    code = "idempotency_key_in_use"


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
        work: Callable[[], Awaitable[Answer]],
        *,
        has_secret: bool,
    ) -> Answer:
        """Return what the work comes to, or what it came to before."""
        if has_secret:
            self._keyring.require()
        now, claim_id = self._clock.now(), uuid4()
        async with connection(self._pool) as conn:
            is_ours = await idempotency.claim(
                conn, owner, key, claim_id, until=now + CLAIMED_FOR, now=now
            )
            known = None if is_ours else await idempotency.find(conn, owner, key.text)
        if not is_ours:
            return self._replay(known, key, has_secret=has_secret)
        try:
            done = await work()
        except (RequestError, OutageError):
            async with connection(self._pool) as conn:
                await idempotency.release(conn, owner, key.text, claim_id)
            raise
        body = self._keyring.seal(done.body, owner=place(key)) if has_secret else done.body
        async with connection(self._pool) as conn:
            await idempotency.answer(conn, owner, key.text, claim_id, done.status, body)
        return done

    def _replay(self, known: Kept | None, key: IdempotencyKey, *, has_secret: bool) -> Answer:
        if known and known.fingerprint != key.fingerprint:
            raise reused()
        if known is None or known.status is None or known.answer is None:
            raise UnderWay("A request with this Idempotency-Key is under way; try again")
        body = known.answer
        if has_secret:
            body = self._keyring.open(body, owner=place(key))
        return Answer(known.status, body, is_replay=True)


def place(key: IdempotencyKey) -> str:
    """Return what a sealed answer is bound to: it opens for the same request only."""
    return f"answer {key.fingerprint}"
