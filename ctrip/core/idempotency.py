"""What makes a POST safe to repeat: the Idempotency-Key of a request, and what it was said of.

The same key with the same request is one request, however often it comes; with another
request it is a mistake of the caller, who is told so. A key belongs to who sent it: two
callers may use the same one.

A key has an occasion, from when it was first said until it is forgotten. What a request makes
is named after its occasion, so whoever does the request a second time finds it made.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct

from ctrip.core.errors import RequestError
from ctrip.core.ids import NAMESPACE, KeyId

KEY_LENGTH_MAX: Final = 255  # characters, as at Stripe


class BadIdempotencyKey(RequestError):
    """The header holds no key, or is there twice."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(RequestError):
    """The key was said of another request before."""

    status = 409
    code = "idempotency_key_reused"


class AnswerLost(RequestError):
    """What was asked is done, but its answer held a secret that cannot be told again."""

    status = 409
    code = "idempotency_answer_lost"


class IdempotencyKey(Struct, frozen=True):
    """A key, and the SHA-256 of the request it was said of."""

    text: str
    fingerprint: str  # hex


def key_of(text: str, method: str, path: str, body: bytes) -> IdempotencyKey:
    """Return the key of a request; `path` is without a slash at its end."""
    if not (0 < len(text) <= KEY_LENGTH_MAX and text.isascii() and text.isprintable()):
        raise BadIdempotencyKey(
            f"Idempotency-Key must have 1 to {KEY_LENGTH_MAX} printable ASCII characters"
        )
    request = b"%b %b\n%b" % (method.encode(), path.encode(), body)
    return IdempotencyKey(text, sha256(request).hexdigest())


def occasion_of(owner: KeyId, key: str, since: datetime) -> UUID:
    """Return what stands for everything that comes of a key that was first said then."""
    return uuid5(NAMESPACE, f"{owner} {since.isoformat()} {key}")


def reused() -> IdempotencyKeyReused:
    """Return the refusal of a key that was said of another request."""
    return IdempotencyKeyReused("This Idempotency-Key was used for another request; use a new one")
