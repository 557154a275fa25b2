"""Keep the books of deliveries in order: months made and dropped, leftovers ended.

What waits for an endpoint that was disabled or removed is ended here and not where that was
done, because it may be a million rows. Expired secrets are forgotten, and those that were
sealed with a key that is on its way out are sealed with the new one, once after each start.
Answers to requests that may be repeated are forgotten after a day, and sites that no payment has
named for months, once nothing waits for them and all that was sent to them is forgotten too.
Events get their places in the stream, so that nobody who reads it first has to wait for it.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.endpoints import SITE_IDLE, EndpointId
from ctrip.flows.receivers import sealer_of
from ctrip.flows.repeat import KEPT_FOR
from ctrip.flows.tidings import place_all
from ctrip.settings import Webhooks
from ctrip.store import endpoint_secrets, endpoints, idempotency, queue
from ctrip.store.endpoints import Wish
from ctrip.store.pool import Pool, connection, transaction
from ctrip.webhooks.seal import Sealer, Unsealable

PRUNE_SECONDS: Final = 60.0  # how long what waits for a disabled endpoint is still counted

log = logs.get("ctrip.prune")


class Pruner:
    """One for a gateway; two do no harm."""

    def __init__(self, pool: Pool, clock: Clock, settings: Webhooks) -> None:
        self._pool = pool
        self._clock = clock
        self._kept_for = timedelta(days=settings.keep_days)
        self._sealer = sealer_of(settings)
        self._resealed = False
        self._daily_done_on: date | None = None

    async def run_once(self) -> bool:
        """Put everything in order; nothing is left to do at once."""
        today = self._clock.now().date()
        if self._daily_done_on != today:
            await self._keep_months()
            await self._forget_sites()
            self._daily_done_on = today
        await self._end_stranded()
        async with connection(self._pool) as conn:
            now = self._clock.now()
            await endpoint_secrets.forget_expired(conn, now=now)
            await idempotency.forget(conn, before=now - KEPT_FOR, now=now)
        if self._sealer and not self._resealed:
            await self._reseal(self._sealer)
            self._resealed = True
        await place_all(self._pool)
        return False

    async def _keep_months(self) -> None:
        now = self._clock.now()
        kept_from = now - self._kept_for
        async with transaction(self._pool) as conn:
            await queue.keep_months(conn, now=now, kept_from=kept_from)
        more = True
        while more:
            async with connection(self._pool) as conn:
                more = await queue.forget_rest(conn, kept_from=kept_from)

    async def _forget_sites(self) -> None:
        named_before = self._clock.now() - max(SITE_IDLE, self._kept_for)
        async with connection(self._pool) as conn:
            if count := await endpoints.forget_sites(conn, named_before=named_before):
                log.info("idle sites forgotten", count=count)

    async def _end_stranded(self) -> None:
        more = True
        while more:
            async with connection(self._pool) as conn:
                more = await queue.end_stranded(conn, now=self._clock.now())

    async def _reseal(self, sealer: Sealer) -> None:
        """Seal with the newest key what was sealed with an older one."""
        async with connection(self._pool) as conn:
            for secret in await endpoint_secrets.all_kept(conn):
                if fresh := resealed(sealer, secret.sealed, secret.endpoint_id):
                    await endpoint_secrets.reseal(conn, secret.id, fresh)
            known = [one.id for one in await endpoints.all_known(conn) if one.headers]
        await self._reseal_headers(sealer, known)

    async def _reseal_headers(self, sealer: Sealer, known: Sequence[EndpointId]) -> None:
        for endpoint_id in known:
            async with transaction(self._pool) as conn:
                held = await endpoints.hold(conn, endpoint_id)
                if held is None or held.headers is None:
                    continue
                if fresh := resealed(sealer, held.headers, endpoint_id):
                    wish = Wish(headers=fresh)
                    await endpoints.change(conn, endpoint_id, wish, now=self._clock.now())


def resealed(sealer: Sealer, sealed: bytes, owner: EndpointId) -> bytes | None:
    """Return the same under the newest key; None if it is, or if nobody can tell."""
    try:
        return sealer.reseal(sealed, owner=owner)
    except Unsealable as fault:
        log.error("not sealed anew", endpoint_id=owner, why=str(fault))  # noqa: TRY400  the text says all
        return None
