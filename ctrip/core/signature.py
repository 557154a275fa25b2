"""How a receiver knows that a webhook is ours, unaltered and recent.

Two signatures ride on every request, made with the same secret. A receiver checks
the one it was written for.

`webhook-signature` is Standard Webhooks v1 (standardwebhooks.com): HMAC-SHA256 over
`id.timestamp.body`, in base64. A secret `whsec_…` is base64 and its key is the decoded
bytes, as the specification says. Any other secret is plain text T and its key is
UTF-8(T); the reference libraries decode whatever they are given, so a receiver hands
them base64(UTF-8(T)). A base64 secret without the prefix is plain text as well.
While a secret is rotated there is one entry for each live secret.

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
from hashlib import sha256
from typing import Final

from ctrip.core.errors import InvariantError

PREFIX: Final = "whsec_"
KEY_SIZE_MIN: Final = 16  # bytes; a shorter key can be searched for with one captured request
# The number is that of this contract, not of a release, so receivers may filter by it.
USER_AGENT: Final = "ctrip/1"


class UnusableSecret(InvariantError):
    """A secret that secret_fault() would have refused reached the signer."""


def headers(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of one attempt; `timestamp` is Unix seconds, `secrets` newest first."""
    if not secrets:
        raise UnusableSecret("a webhook needs a secret to be signed with")
    signed = f"{event_id}.{timestamp}.".encode() + body
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_entry(key_of(secret), signed) for secret in secrets),
        "X-Webhook-Signature": hmac.new(secrets[0].encode(), body, sha256).hexdigest(),
    }


def key_of(secret_text: str) -> bytes:
    """Return the Standard Webhooks key that a secret stands for."""
    if not secret_text.startswith(PREFIX):
        return secret_text.encode()
    text = secret_text.removeprefix(PREFIX)
    try:
        # Padding is optional, as it is to the reference verifiers.
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise UnusableSecret("a webhook secret has whsec_ but is not base64") from None


def secret_fault(secret_text: str) -> str | None:
    """Return what is wrong with a secret, for whoever chose it, or None."""
    try:
        key = key_of(secret_text)
    except UnusableSecret:
        return f"what follows {PREFIX} must be standard base64"
    if len(key) < KEY_SIZE_MIN:
        return f"must hold at least {KEY_SIZE_MIN} bytes"
    return None


def _entry(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
