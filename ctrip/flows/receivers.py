"""What a sender needs to know of an endpoint before it posts: keys that sign, headers.

Reading and unsealing them costs more than a delivery, so they are kept until the endpoint
changes (its revision rises) or one of its secrets expires.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, json

from ctrip.clock import Clock
from ctrip.core.deliveries import Claim
from ctrip.core.endpoints import EndpointId, Kind
from ctrip.core.errors import ConfigError
from ctrip.settings import Secret, Webhooks
from ctrip.store import endpoint_secrets, endpoints
from ctrip.store.pool import Pool, connection
from ctrip.webhooks.seal import Sealer
from ctrip.webhooks.signing import Signer

KEPT_MAX: Final = 10_000  # receivers; some hundred bytes each


class NoKey(ConfigError):
    """There is nothing to sign with, or nothing to unseal with."""


class Receiver(Struct, frozen=True):
    """How to sign for an endpoint, and what else it is sent."""

    signer: Signer
    headers: Mapping[str, str]
    revision: int
    until: datetime | None  # a secret expires


class Receivers:
    """The endpoints that were sent to lately."""

    def __init__(self, pool: Pool, settings: Webhooks, clock: Clock) -> None:
        self._pool = pool
        self._secret = settings.secret
        self._sealer = sealer_of(settings)
        self._clock = clock
        self._known: dict[EndpointId, Receiver] = {}

    async def of(self, claim: Claim) -> Receiver:
        """Return a claim's receiver; raise ConfigError if there is no key."""
        known = self._known.get(claim.endpoint_id)
        fresh = known and (known.until is None or self._clock.now() < known.until)
        if known and fresh and known.revision == claim.revision:
            return known
        found = await self._read(claim)
        if len(self._known) >= KEPT_MAX:
            self._known.clear()
        self._known[claim.endpoint_id] = found
        return found

    async def _read(self, claim: Claim) -> Receiver:
        if claim.kind is not Kind.API:
            if not self._secret:
                raise NoKey("[webhooks] secret: is not set, and a payment's webhook_url needs it")
            return Receiver(Signer([self._secret]), {}, claim.revision, None)
        if self._sealer is None:
            raise NoKey("[webhooks] secrets_key: is not set, and endpoints have sealed secrets")
        now = self._clock.now()
        async with connection(self._pool) as conn:
            endpoint = await endpoints.find(conn, claim.endpoint_id)
            live = await endpoint_secrets.live(conn, claim.endpoint_id, now=now)
        if endpoint is None or not live:
            raise NoKey("the endpoint has no secret that signs")
        opened = [self._sealer.open(one.sealed, owner=one.endpoint_id).decode() for one in live]
        sealed = endpoint.headers
        plain = self._sealer.open(sealed, owner=endpoint.id) if sealed else b"{}"
        return Receiver(
            Signer([Secret(text) for text in opened]),
            json.decode(plain, type=dict[str, str]),
            claim.revision,
            min((one.expires_at for one in live if one.expires_at), default=None),
        )


def sealer_of(settings: Webhooks) -> Sealer | None:
    """Return what seals the secrets of endpoints, or None if no key was given."""
    keys = [key for key in (settings.secrets_key, settings.secrets_key_before) if key]
    return Sealer(*keys) if settings.secrets_key else None
