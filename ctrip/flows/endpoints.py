"""Make, change and end the endpoints that hear of events, and send to them again.

A secret is kept sealed and told once, to whoever makes it. When it is rotated the old one
goes on signing beside the new for a day, so that a receiver can be changed in its own time.
Of an ed25519 key only the public half is ever told: nobody else needs the other.
An occasion is a request, however often it is sent: what is made on one is made once.

Whoever asks may change what was made over the API. The receiver of the configuration is
changed there, and a site is what payments named: both can be stopped, started and looked at.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from msgspec import UNSET, json

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.endpoints import (
    BY_HAND,
    NOT_CONFIGURED,
    PREFIX,
    ROTATION_OVERLAP,
    EndpointId,
    Kind,
    site_of,
)
from ctrip.core.events import EventType
from ctrip.core.ids import EventId
from ctrip.core.notices import Notice, Trial
from ctrip.flows import register
from ctrip.flows.disable import disable, new_event_id
from ctrip.flows.keyring import Keyring, Shown, told
from ctrip.flows.register import (
    Change,
    New,
    NoSuchEvent,
    TooManySecrets,
    WrongKind,
    live_one,
    own,
    there,
)
from ctrip.flows.stops import Stops
from ctrip.flows.tidings import place_all
from ctrip.settings import Secret, Webhooks
from ctrip.store import delivery_log, endpoint_secrets, endpoints, outbox, replays
from ctrip.store.endpoints import Endpoint, Wish
from ctrip.store.pool import Conn, Pool, connection, transaction
from ctrip.store.replays import Replay
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import SecretKind, make_secret

SECRETS_LIVE_MAX: Final = 10  # each signs every delivery, and is one more to leak
RESENT_AT_ONCE_MAX: Final = 100  # events; more is what recover() is for

log = logs.get("ctrip.endpoints")


class Endpoints:
    """What can be done with endpoints. `news` tells what sends, and `stops` what it may not."""

    def __init__(
        self,
        pool: Pool,
        guard: Guard,
        settings: Webhooks,
        clock: Clock,
        news: asyncio.Event,
        stops: Stops,
    ) -> None:
        self._pool = pool
        self._guard = guard
        self._keyring = Keyring(settings)
        self._clock = clock
        self._news = news
        self._stops = stops

    async def find(self, endpoint_id: EndpointId) -> Endpoint:
        """Return an endpoint; raise NoSuchEndpoint."""
        async with connection(self._pool) as conn:
            return there(await endpoints.find(conn, endpoint_id))

    async def show(self, found: Sequence[Endpoint]) -> list[Shown]:
        """Return what else may be known of these endpoints."""
        ids, now = [one.id for one in found], self._clock.now()
        async with connection(self._pool) as conn:
            live = await endpoint_secrets.live_of_all(conn, ids, now=now)
        return [self._keyring.show(one, live[one.id]) for one in found]

    async def create(self, new: New, occasion: UUID | None = None) -> tuple[Endpoint, str]:
        """Make an endpoint, one on an occasion; return it with what its receiver verifies by."""
        self._keyring.require()
        number = occasion or uuid4()
        endpoint_id = EndpointId(PREFIX + number.hex)
        async with transaction(self._pool) as conn:
            count = await endpoints.count_made(conn)  # in turn: no other takes what room is left
            if occasion and (there_is := await endpoints.find(conn, endpoint_id)):
                sealed = await endpoint_secrets.find(conn, occasion)
                return there_is, self._keyring.told_again(endpoint_id, sealed)
            register.check(new, self._guard)
            register.room(count)
            secret = new.secret or Secret(make_secret(new.signature))
            wish = self._wish(endpoint_id, new)
            made = await endpoints.add(conn, endpoint_id, wish, now=self._clock.now())
            await self._add_secret(conn, endpoint_id, number, secret)
        self._stops.forget(endpoint_id)  # of one of this occasion that was removed
        log.info("endpoint made", endpoint_id=endpoint_id)
        return made, told(secret)

    async def change(self, endpoint_id: EndpointId, change: Change) -> Endpoint:
        """Change an endpoint that was made over the API."""
        register.check(change, self._guard)
        wish = self._wish(endpoint_id, change)
        async with transaction(self._pool) as conn:
            own(await endpoints.hold(conn, endpoint_id))
            now = self._clock.now()
            changed = there(await endpoints.change(conn, endpoint_id, wish, now=now))
        await self._stops.stop(endpoint_id, changed.revision)
        return changed

    async def enable(self, endpoint_id: EndpointId) -> Endpoint:
        """Send to an endpoint again, as if it had never failed."""
        async with transaction(self._pool) as conn:
            found = there(await endpoints.hold(conn, endpoint_id))
            if found.disabled_reason == NOT_CONFIGURED:
                raise WrongKind("The configuration names no receiver: set [webhooks] url")
            enabled = await endpoints.enable(conn, endpoint_id, now=self._clock.now())
        self._news.set()
        return there(enabled)

    async def disable(self, endpoint_id: EndpointId) -> Endpoint:
        """Send nothing to an endpoint any more."""
        async with transaction(self._pool) as conn:
            there(await endpoints.hold(conn, endpoint_id))
            if await disable(conn, endpoint_id, BY_HAND, now=self._clock.now()):
                self._news.set()
            found = there(await endpoints.find(conn, endpoint_id))
        await self._stops.stop(endpoint_id, found.revision)
        return found

    async def remove(self, endpoint_id: EndpointId) -> None:
        """Forget an endpoint that was made over the API; what waits for it is never sent."""
        async with transaction(self._pool) as conn:
            found = own(await endpoints.hold(conn, endpoint_id))
            await endpoints.remove(conn, endpoint_id)
        await self._stops.stop(endpoint_id, found.revision + 1)
        log.info("endpoint removed", endpoint_id=endpoint_id)

    async def rotate(
        self,
        endpoint_id: EndpointId,
        *,
        overlap: timedelta = ROTATION_OVERLAP,
        secret: Secret | None = None,
        signature: SecretKind | None = None,
        occasion: UUID | None = None,
    ) -> str:
        """Give an endpoint a new secret, and return what its receiver verifies by.

        The old ones sign beside it until `overlap` is over. A secret that is made is of the
        kind of the newest one, unless `signature` says otherwise. On an occasion there is one.
        """
        faults = {
            "overlap_seconds": register.overlap_fault(overlap),
            "secret": register.own_secret_fault(secret),
        }
        register.refuse(faults)
        self._keyring.require()
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            found = own(await endpoints.hold(conn, endpoint_id))
            if occasion and (sealed := await endpoint_secrets.find(conn, occasion)):
                await self._stops.stop(endpoint_id, found.revision)  # the first try may not have
                return self._keyring.told_again(endpoint_id, sealed)
            before = await endpoint_secrets.live(conn, endpoint_id, now=now)
            kind = signature or self._keyring.kind(before)
            await endpoint_secrets.expire(conn, endpoint_id, at=now + overlap)
            live = await endpoint_secrets.live(conn, endpoint_id, now=now)
            if len(live) >= SECRETS_LIVE_MAX:
                raise TooManySecrets(
                    f"{len(live)} secrets sign for this endpoint; wait until one of them expires,"
                    " or rotate with an overlap of 0 to end them all"
                )
            new = secret or Secret(make_secret(kind))
            await self._add_secret(conn, endpoint_id, occasion or uuid4(), new)
            changed = there(await endpoints.change(conn, endpoint_id, Wish(), now=now))
        if not overlap:
            await self._stops.stop(endpoint_id, changed.revision)  # what the old ones have signed
        log.info("secret rotated", endpoint_id=endpoint_id)
        return told(new)

    async def test(self, endpoint_id: EndpointId) -> EventId:
        """Send an endpoint a test event, whatever its filter says; return the event's id."""
        notice = Notice(id=new_event_id(), type=EventType.TEST, data=Trial(endpoint_id=endpoint_id))
        async with transaction(self._pool) as conn:
            found = live_one(await endpoints.find(conn, endpoint_id))
            if found.kind is Kind.SITE:
                raise WrongKind("A site has no URL of its own: payments name it")
            await outbox.send_to_one(conn, notice, endpoint_id, now=self._clock.now())
        self._news.set()
        return notice.id

    async def redeliver(self, endpoint_id: EndpointId, event_ids: Sequence[EventId]) -> int:
        """Send events again, whatever became of them; return how many were queued."""
        wanted = sorted(set(event_ids))
        if not 1 <= len(wanted) <= RESENT_AT_ONCE_MAX:
            register.refuse({"event_ids": f"must name 1 to {RESENT_AT_ONCE_MAX} events"})
        now = self._clock.now()
        async with transaction(self._pool) as conn:
            found = live_one(await endpoints.find(conn, endpoint_id))
            urls = await delivery_log.own_urls(conn, wanted)
            for event_id in wanted:
                if event_id not in urls:
                    raise NoSuchEvent(f"There is no event {event_id[:80]}")
                url = urls[event_id]
                if found.kind is Kind.SITE and (not url or site_of(url) != endpoint_id):
                    raise NoSuchEvent(f"The payment of {event_id} named no URL of this site")
            if found.kind is Kind.SITE:  # forgotten by nobody from now on
                await endpoints.add_sites(conn, [url for url in urls.values() if url], now=now)
            queued = await outbox.resend(conn, wanted, endpoint_id, now=now)
        self._news.set()
        return queued

    async def recover(
        self,
        endpoint_id: EndpointId,
        *,
        since: datetime,
        until: datetime | None = None,
        event_types: Sequence[str] | None = None,
        delivered: bool = False,
    ) -> Replay:
        """Order that an endpoint gets again what it has not taken, bit by bit.

        Of the types that it hears of, unless others are named; with `delivered` also what it
        has taken.
        """
        now = self._clock.now()
        end = until or now
        types_fault = None if event_types is None else register.types_fault(event_types)
        empty = "must be before the end, which is now unless you say otherwise"
        register.refuse({"since": None if since < end else empty, "event_types": types_fault})
        found = live_one(await self.find(endpoint_id))
        if found.kind is Kind.SITE:
            raise WrongKind("A site hears of its own payments only: name their events instead")
        await place_all(self._pool)
        async with connection(self._pool) as conn:
            return await replays.add(
                conn,
                uuid4(),
                endpoint_id,
                since=since,
                until=end,
                event_types=found.event_types if event_types is None else event_types,
                delivered=delivered,
                now=now,
            )

    def _wish(self, endpoint_id: EndpointId, asked: New | Change) -> Wish:
        """Return what was asked for as it is written."""
        headers = asked.headers
        return Wish(
            url=asked.url,
            description=asked.description,
            event_types=asked.event_types,
            format=asked.format,
            headers=UNSET if headers is UNSET else self._sealed(endpoint_id, headers),
            concurrency_max=asked.concurrency_max,
            rate_max=asked.rate_max,
        )

    def _sealed(self, endpoint_id: EndpointId, headers: Mapping[str, Secret]) -> bytes | None:
        if not headers:
            return None
        return self._keyring.seal(json.encode(register.revealed(headers)), owner=endpoint_id)

    async def _add_secret(
        self, conn: Conn, endpoint_id: EndpointId, secret_id: UUID, secret: Secret
    ) -> None:
        await endpoint_secrets.add(
            conn,
            endpoint_secrets.SealedSecret(
                id=secret_id,
                endpoint_id=endpoint_id,
                sealed=self._keyring.seal(secret.reveal().encode(), owner=endpoint_id),
                created_at=self._clock.now(),
                expires_at=None,
            ),
        )
