"""The secrets of endpoints, sealed and opened: what may be shown of them, and what may not.

Only public halves, names and dates are ever shown. A secret that no key opens any more is
shown as unreadable, so that its endpoint can be found and given another.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, json

from ctrip.core.endpoints import EndpointId
from ctrip.core.errors import RequestError
from ctrip.core.idempotency import AnswerLost
from ctrip.flows.receivers import sealer_of
from ctrip.settings import Secret, Webhooks
from ctrip.store.endpoint_secrets import SealedSecret
from ctrip.store.endpoints import Endpoint
from ctrip.webhooks.seal import Sealer, Unsealable
from ctrip.webhooks.signing import SecretKind, kind_of, public_of


class SecretsKeyMissing(RequestError):
    """There is nothing to seal a secret with."""

    status = 409
    code = "secrets_key_missing"


class KeyShown(Struct, frozen=True, kw_only=True):
    """What may be known of a secret that signs."""

    signature: SecretKind | None  # null: no configured key opens it
    public_key: str | None  # of ed25519
    created_at: datetime
    expires_at: datetime | None


class Shown(Struct, frozen=True, kw_only=True):
    """What may be known of an endpoint beside its row."""

    header_names: list[str] | None  # null: no configured key opens them
    secrets: list[KeyShown]  # that sign, newest first


class Keyring:
    """Seals and opens for all endpoints."""

    def __init__(self, settings: Webhooks) -> None:
        self._sealer = sealer_of(settings)

    def require(self) -> Sealer:
        """Return what seals; raise SecretsKeyMissing."""
        if self._sealer is None:
            raise SecretsKeyMissing(
                "Secrets are kept sealed, and there is no key to seal them with: set [webhooks]"
                " secrets_key (or CTRIP_WEBHOOKS_SECRETS_KEY) to what `openssl rand -hex 32`"
                " prints, and start ctrip again"
            )
        return self._sealer

    def seal(self, plain: bytes, *, owner: str) -> bytes:
        """Return what is written down."""
        return self.require().seal(plain, owner=owner)

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """Return what was sealed; raise SecretsKeyMissing or Unsealable."""
        return self.require().open(sealed, owner=owner)

    def told_again(self, endpoint_id: EndpointId, secret: SealedSecret | None) -> str:
        """Return what a receiver was told that nobody heard; raise AnswerLost."""
        plain = self._open(secret.sealed, endpoint_id) if secret else None
        if plain is None:
            raise AnswerLost(
                f"An earlier try of this request gave {endpoint_id} a secret that cannot be told"
                " again: give it another, with a new Idempotency-Key"
            )
        return told(Secret(plain.decode()))

    def kind(self, live: Sequence[SealedSecret]) -> SecretKind:
        """Return the kind of the newest secret, as far as it can be read."""
        text = self._open(live[0].sealed, live[0].endpoint_id) if live else None
        return "hmac" if text is None else kind_of(text.decode())

    def show(self, endpoint: Endpoint, live: Sequence[SealedSecret]) -> Shown:
        """Return what may be known of an endpoint's headers and secrets."""
        plain = self._open(endpoint.headers, endpoint.id) if endpoint.headers else b"{}"
        return Shown(
            header_names=None if plain is None else sorted(json.decode(plain)),
            secrets=[self._show_key(secret) for secret in live],
        )

    def _show_key(self, secret: SealedSecret) -> KeyShown:
        plain = self._open(secret.sealed, secret.endpoint_id)
        kind = None if plain is None else kind_of(plain.decode())
        return KeyShown(
            signature=kind,
            public_key=public_of(plain.decode()) if plain and kind == "ed25519" else None,
            created_at=secret.created_at,
            expires_at=secret.expires_at,
        )

    def _open(self, sealed: bytes, owner: EndpointId) -> bytes | None:
        if self._sealer is None:
            return None
        try:
            return self._sealer.open(sealed, owner=owner)
        except Unsealable:
            return None


def told(secret: Secret) -> str:
    """Return what a receiver verifies by: the secret, or the public half of a key."""
    text = secret.reveal()
    return public_of(text) if kind_of(text) == "ed25519" else text
