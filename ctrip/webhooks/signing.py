"""Signs for one endpoint with all of its live secrets, and makes new ones.

What is signed and how it travels stands in core/signature.py. Here is what needs
chance or a library: new secrets, and ed25519 (`v1a` of Standard Webhooks), whose
receivers hold a public key that cannot sign. A private key is `whsk_` and base64 of
the seed and the public key, 64 bytes; what a receiver is given is `whpk_` and base64 of
the last 32.

A Signer is made once for an endpoint and kept: reading keys costs more than signing.
"""

import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final, Literal, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ctrip.core import signature
from ctrip.core.signature import UnusableSecret, assemble, content_of, hex_of, hmac_entry
from ctrip.settings import Secret

PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"
HMAC_KEY_SIZE: Final = 24  # bytes; the specification's least, and base64 of it needs no padding
SEED_SIZE: Final = 32  # bytes (RFC 8032, 5.1.5); the public key is as long

SecretKind = Literal["hmac", "ed25519"]


class Signer:
    """The keys of an endpoint. The newest secret comes first."""

    __slots__ = ("_entries", "_newest_hmac")

    def __init__(self, live: Sequence[Secret]) -> None:
        if not live:
            raise UnusableSecret("a webhook needs a secret to be signed with")
        texts = [secret.reveal() for secret in live]
        self._entries = [_entry_maker(text) for text in texts]
        hmacs = [text for text in texts if not text.startswith(PRIVATE_PREFIX)]
        self._newest_hmac = hmacs[0].encode() if hmacs else None

    def headers(self, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Return the headers of one attempt at `timestamp`, in Unix seconds."""
        content = content_of(event_id, timestamp, body)
        entries = [entry(content) for entry in self._entries]
        body_hex = None if self._newest_hmac is None else hex_of(self._newest_hmac, body)
        return assemble(event_id, timestamp, entries, body_hex)


def make_secret(kind: SecretKind) -> str:
    """Return the text of a new secret, to be shown once."""
    match kind:
        case "hmac":
            return signature.PREFIX + _base64(secrets.token_bytes(HMAC_KEY_SIZE))
        case "ed25519":
            seed = secrets.token_bytes(SEED_SIZE)
            public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
            return PRIVATE_PREFIX + _base64(seed + public)
        case _:
            assert_never(kind)


def kind_of(secret_text: str) -> SecretKind:
    """Return what a secret signs with."""
    return "ed25519" if secret_text.startswith(PRIVATE_PREFIX) else "hmac"


def public_of(secret_text: str) -> str:
    """Return what the receivers of a private key verify with."""
    return PUBLIC_PREFIX + _base64(_private_key(secret_text).public_key().public_bytes_raw())


def verify_v1a(public_text: str, content: bytes, signature_text: str) -> bool:
    """Tell whether a signature, in base64, is that of the holder of the key behind whpk_…."""
    try:
        raw_key = signature.unbase64(public_text.removeprefix(PUBLIC_PREFIX))
        key = Ed25519PublicKey.from_public_bytes(raw_key)
        key.verify(signature.unbase64(signature_text), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def secret_fault(secret_text: str) -> str | None:
    """Return what is wrong with a secret of either kind, for whoever chose it, or None."""
    if kind_of(secret_text) == "hmac":
        return signature.secret_fault(secret_text)
    try:
        _private_key(secret_text)
    except UnusableSecret:
        return f"what follows {PRIVATE_PREFIX} must be base64 of an ed25519 seed and its public key"
    return None


def _entry_maker(secret_text: str) -> Callable[[bytes], str]:
    if kind_of(secret_text) == "ed25519":
        private = _private_key(secret_text)
        return lambda content: "v1a," + _base64(private.sign(content))
    key = signature.key_of(secret_text)
    return lambda content: hmac_entry(key, content)


def _private_key(secret_text: str) -> Ed25519PrivateKey:
    try:
        pair = signature.unbase64(secret_text.removeprefix(PRIVATE_PREFIX))
        private = Ed25519PrivateKey.from_private_bytes(pair[:SEED_SIZE])
    except ValueError:  # not base64, or too short for a seed
        raise UnusableSecret("a webhook secret has whsk_ but is no ed25519 key") from None
    if private.public_key().public_bytes_raw() != pair[SEED_SIZE:]:
        raise UnusableSecret("a webhook secret has whsk_ but its two halves are of two keys")
    return private


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
