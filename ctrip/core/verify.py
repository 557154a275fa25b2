"""Says of a webhook that was received whether it is genuine and, if it is not, why.

A receiver needs no more than yes or no. Somebody whose receiver says no needs to know which
of five things is wrong: a header is missing, the time, the id, the body, or the secret. A
signature alone does not tell. But the second signature, X-Webhook-Signature, covers the body
and nothing else; the body names its id; and there are a few ways in which bodies and secrets
get spoilt again and again, which can be tried.

Pure: the caller has the time, and brings what verifies ed25519.
"""

import hmac
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from msgspec import DecodeError, Struct, json

from ctrip.core.nesting import is_too_deep
from ctrip.core.signature import (
    ED25519_PREFIXES,
    PREFIX,
    UnusableSecret,
    content_of,
    hex_of,
    hmac_entry,
    key_of,
    secret_fault,
)

TOLERANCE_SECONDS: Final = 300  # either way, as the libraries of Standard Webhooks have it
PUBLIC_PREFIX: Final = ED25519_PREFIXES[1]
NEEDED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
HEX: Final = "x-webhook-signature"

# Tells whether base64 text is the ed25519 signature of these bytes under a key whpk_….
VerifyV1a = Callable[[str, bytes, str], bool]


class Part(StrEnum):
    """What can be wrong with a request."""

    HEADERS = "headers"
    ID = "id"
    TIMESTAMP = "timestamp"
    BODY = "body"
    SECRET = "secret"  # noqa: S105  a word, and no secret
    BODY_OR_SECRET = "body or secret"  # noqa: S105  the same


class Genuine(Struct, frozen=True, kw_only=True, tag="genuine", tag_field="verdict"):
    """It is ours, unaltered and recent."""

    entry: int  # of webhook-signature, counted from 1
    entries: int
    version: str  # v1 or v1a


class Wrong(Struct, frozen=True, kw_only=True, tag="wrong", tag_field="verdict"):
    """A receiver must refuse it."""

    part: Part
    why: str


Verdict = Genuine | Wrong


class _Received(Struct, frozen=True, kw_only=True):
    """A request whose headers are all there."""

    id: str
    timestamp: int
    entries: list[str]
    hex: str | None
    body: bytes


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret_text: str,
    now: int,
    *,
    verify_v1a: VerifyV1a,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> Verdict:
    """Judge a request by a secret, or a public key whpk_…; `now` is in Unix seconds."""
    if fault := _key_fault(secret_text):
        return Wrong(part=Part.SECRET, why=f"the secret cannot be one: it {fault}")
    received = _read(headers, body)
    if isinstance(received, Wrong):
        return received
    place = _entry_that_fits(received, secret_text, verify_v1a)
    if place is None:
        return _what_is_wrong(received, secret_text, verify_v1a)
    age = now - received.timestamp
    if abs(age) > tolerance_seconds:
        off = f"{age} s old" if age > 0 else f"{-age} s ahead"
        why = f"the signature is right, but it is {off}; {tolerance_seconds} s are allowed"
        return Wrong(part=Part.TIMESTAMP, why=why)
    version = received.entries[place].partition(",")[0]
    return Genuine(entry=place + 1, entries=len(received.entries), version=version)


def _key_fault(secret_text: str) -> str | None:
    if secret_text.startswith(PUBLIC_PREFIX):
        return None
    if secret_text.startswith(ED25519_PREFIXES):
        return f"is the sender's private key; receivers are given {PUBLIC_PREFIX}…"
    return secret_fault(secret_text)


def _read(headers: Mapping[str, str], body: bytes) -> _Received | Wrong:
    found = {name.lower(): value.strip() for name, value in headers.items()}
    if missing := [name for name in NEEDED if not found.get(name)]:
        return Wrong(part=Part.HEADERS, why=f"without {' and '.join(missing)} nothing can be said")
    event_id, timestamp, signatures = (found[name] for name in NEEDED)
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):  # noqa: PLR2004  far beyond any time
        return Wrong(part=Part.TIMESTAMP, why="webhook-timestamp is not a number of Unix seconds")
    return _Received(
        id=event_id,
        timestamp=int(timestamp),
        entries=signatures.split(),
        hex=found.get(HEX),
        body=body,
    )


def _entry_that_fits(
    received: _Received,
    secret_text: str,
    verify_v1a: VerifyV1a,
    *,
    event_id: str | None = None,
    body: bytes | None = None,
) -> int | None:
    """Return which entry is right, for a request with another id or body if they are given."""
    signed = received.body if body is None else body
    content = content_of(event_id or received.id, received.timestamp, signed)
    if secret_text.startswith(PUBLIC_PREFIX):
        fits = [
            version == "v1a" and verify_v1a(secret_text, content, signature)
            for version, _, signature in (entry.partition(",") for entry in received.entries)
        ]
    else:
        expected = hmac_entry(key_of(secret_text), content).encode()
        fits = [hmac.compare_digest(expected, e.encode()) for e in received.entries]
    return fits.index(True) if True in fits else None


def _what_is_wrong(received: _Received, secret_text: str, verify_v1a: VerifyV1a) -> Wrong:
    """Find out why no entry is right, as far as it can be found out."""
    version = "v1a" if secret_text.startswith(PUBLIC_PREFIX) else "v1"
    if not any(entry.startswith(f"{version},") for entry in received.entries):
        why = f"webhook-signature has no entry {version}, which this kind of secret is for"
        return Wrong(part=Part.SECRET, why=why)
    named = _id_in(received.body)
    if named and named != received.id:
        if _entry_that_fits(received, secret_text, verify_v1a, event_id=named) is not None:
            return Wrong(part=Part.ID, why=f"webhook-id must be {named}, as the body has it")
        why = f"webhook-id is {received.id}, but the body is that of {named}"
        return Wrong(part=Part.BODY, why=why)
    if version == "v1" and _hex_fits(received, secret_text):
        why = (
            "secret and body are right, as X-Webhook-Signature shows: "
            "webhook-timestamp, webhook-id or webhook-signature is not the one that was sent"
        )
        return Wrong(part=Part.TIMESTAMP, why=why)
    for body, what in _bodies_before(received.body):
        if _entry_that_fits(received, secret_text, verify_v1a, body=body) is not None:
            return Wrong(part=Part.BODY, why=f"the body {what}; sign the bytes as they came")
    for other, what in _secrets_meant(secret_text):
        if _entry_that_fits(received, other, verify_v1a) is not None:
            return Wrong(part=Part.SECRET, why=what)
    why = "no entry fits: it is another endpoint's secret, or the body is not the one that was sent"
    return Wrong(part=Part.BODY_OR_SECRET, why=why)


class _Named(Struct, frozen=True):
    """As much of a body as says which event it is."""

    id: str


def _id_in(body: bytes) -> str | None:
    if is_too_deep(body):
        return None
    try:
        return json.decode(body, type=_Named).id
    except (DecodeError, UnicodeDecodeError):
        return None


def _hex_fits(received: _Received, secret_text: str) -> bool:
    given = (received.hex or "").encode()
    return hmac.compare_digest(hex_of(secret_text.encode(), received.body).encode(), given)


def _bodies_before(body: bytes) -> Iterator[tuple[bytes, str]]:
    """Return bodies that may have become this one, with what became of them."""
    for end in (b"\n", b"\r\n"):
        yield body.removesuffix(end), "has a line break at its end that was not sent"
    yield body.removeprefix(b"\xef\xbb\xbf"), "has a byte order mark that was not sent"
    if is_too_deep(body):
        return
    try:
        yield json.encode(json.decode(body)), "was parsed and written again in another form"
    except (DecodeError, UnicodeDecodeError):
        return


def _secrets_meant(secret_text: str) -> Iterator[tuple[str, str]]:
    """Return secrets that may have been meant, with what was done to them."""
    if secret_text.startswith((PREFIX, PUBLIC_PREFIX)):
        return
    try:
        key_of(PREFIX + secret_text)
    except UnusableSecret:
        return
    yield PREFIX + secret_text, f"the secret lacks its {PREFIX}, without which it is another key"
