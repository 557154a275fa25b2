"""How a receiver knows that a webhook is ours, unaltered and recent.

Two signatures ride on every request, made with the same secret. A receiver checks
the one it was written for.

`webhook-signature` is Standard Webhooks v1 (standardwebhooks.com): HMAC-SHA256 over
`id.timestamp.body`, in base64. A secret `whsec_…` is base64 and its key is the decoded
bytes, as the specification says. Any other secret is plain text T and its key is
UTF-8(T); the reference libraries decode whatever they are given, so a receiver hands
them base64(UTF-8(T)). A base64 secret without the prefix is plain text as well.
While a secret is rotated there is one entry for each live secret. An endpoint may also
have ed25519 keys: their entries are `v1a`, over the same bytes, and they are made in
webhooks/signing.py, because they need a library.

`X-Webhook-Signature` is the hex HMAC-SHA256 of the body alone. Its key is the UTF-8 of
the secret exactly as it was configured, a `whsec_` included, so that a receiver needs
no more than `hmac.new(secret.encode(), body, sha256).hexdigest()`. It has room for one
secret: the first, which is the newest. It does not cover the time; a receiver that
fears replays checks the other one.

What is signed is what is sent: the body is serialised once, stored, and never again
rebuilt. It is UTF-8, because verifiers decode it. The id holds no dot and stays the
same over retries; the timestamp is that of this attempt. Verifiers allow five minutes.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from ctrip.core.errors import InvariantError

PREFIX: Final = "whsec_"
# Keys of ed25519. They sign in webhooks/signing.py, and as the text of an HMAC secret they
# would be a private key that a receiver has to be told.
ED25519_PREFIXES: Final = ("whsk_", "whpk_")
KEY_SIZE_MIN: Final = 16  # bytes; a shorter key can be searched for with one captured request
# The number is that of this contract, not of a release, so receivers may filter by it.
USER_AGENT: Final = "ctrip/1"


class UnusableSecret(InvariantError):
    """A secret that secret_fault() would have refused reached the signer."""


def headers(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of one attempt; `timestamp` is Unix seconds, `secrets` newest first."""
    if not secrets:
        raise UnusableSecret("a webhook needs a secret to be signed with")
    content = content_of(event_id, timestamp, body)
    entries = [hmac_entry(key_of(secret), content) for secret in secrets]
    return assemble(event_id, timestamp, entries, hex_of(secrets[0].encode(), body))


def content_of(event_id: str, timestamp: int, body: bytes) -> bytes:
    """Return the bytes that every entry of webhook-signature signs."""
    return f"{event_id}.{timestamp}.".encode() + body


def hmac_entry(key: bytes, content: bytes) -> str:
    """Return the entry of webhook-signature for one HMAC key."""
    return "v1," + b64encode(hmac.digest(key, content, "sha256")).decode()


def hex_of(secret: bytes, body: bytes) -> str:
    """Return X-Webhook-Signature; `secret` is the text as it was configured, in UTF-8."""
    return hmac.digest(secret, body, "sha256").hex()


def assemble(
    event_id: str, timestamp: int, entries: Sequence[str], body_hex: str | None
) -> dict[str, str]:
    """Return the headers that carry these signatures; without an HMAC secret there is no hex."""
    made = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(entries),
    }
    if body_hex is not None:
        made["X-Webhook-Signature"] = body_hex
    return made


def key_of(secret_text: str) -> bytes:
    """Return the Standard Webhooks key that a secret stands for."""
    if secret_text.startswith(ED25519_PREFIXES):
        raise UnusableSecret("a key of ed25519 was to be used as an HMAC secret")
    if not secret_text.startswith(PREFIX):
        return secret_text.encode()
    try:
        return unbase64(secret_text.removeprefix(PREFIX))
    except ValueError:
        raise UnusableSecret("a webhook secret has whsec_ but is not base64") from None


def secret_fault(secret_text: str) -> str | None:
    """Return what is wrong with an HMAC secret, for whoever chose it, or None."""
    if secret_text.startswith(ED25519_PREFIXES):
        return f"must not be a key of ed25519, which starts with {secret_text[:5]}"
    try:
        key = key_of(secret_text)
    except UnusableSecret:
        return f"what follows {PREFIX} must be standard base64"
    if len(key) < KEY_SIZE_MIN:
        return f"must hold at least {KEY_SIZE_MIN} bytes"
    return None


def unbase64(text: str) -> bytes:
    """Decode a key; ValueError if it is not base64. Padding is optional, as it is to verifiers."""
    return b64decode(text + "=" * (-len(text) % 4), validate=True)
