"""Who calls, and what they may do.

A key is `ctrip_` and 43 characters of base64url: 256 random bits, so its SHA-256 needs no
salt and no slow hash, and the digest can be looked up by index. A key that was found is
trusted for a second without asking again.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from starlette.requests import Request

from ctrip.clock import Clock
from ctrip.core.errors import RequestError
from ctrip.store import accounts
from ctrip.store.accounts import ApiKey
from ctrip.store.pool import Pool, connection
from ctrip.web.problems import Forbidden, Unauthorized

PREFIX: Final = "ctrip_"
PREFIX_SHOWN: Final = len(PREFIX) + 6  # characters that tell keys apart in a list
KEY_LENGTH: Final = len(PREFIX) + 43
SCOPES: Final = ("read", "write", "admin")
TRUSTED_FOR: Final = timedelta(seconds=1)  # how long a revoked key may go on working
KEYS_REMEMBERED_MAX: Final = 10_000


class BadScope(RequestError):
    """No such scope."""

    code = "invalid_scope"


def make_key(name: str, scopes: frozenset[str], now: datetime) -> tuple[str, ApiKey, bytes]:
    """Return a new key's text, which is shown once, its record and its digest."""
    if not scopes or scopes - set(SCOPES):
        raise BadScope(f"scopes must be some of: {', '.join(SCOPES)}")
    text = PREFIX + secrets.token_urlsafe(32)
    record = ApiKey(
        id=uuid4(), name=name, prefix=text[:PREFIX_SHOWN], scopes=scopes, created_at=now
    )
    return text, record, digest_of(text)


def digest_of(text: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


class Door:
    """Lets in requests that bear a live key with the scope they need."""

    def __init__(self, pool: Pool, clock: Clock, *, is_open: bool) -> None:
        self._pool = pool
        self._clock = clock
        self._is_open = is_open  # auth = "off"
        self._seen: dict[bytes, tuple[ApiKey, datetime]] = {}

    async def let_in(self, request: Request, scope: str) -> frozenset[str]:
        """Raise Unauthorized or Forbidden unless the request may pass; return what else it may."""
        if self._is_open:
            return frozenset(SCOPES)
        text = key_in(request)
        if len(text) != KEY_LENGTH or not text.startswith(PREFIX) or not text.isascii():
            raise Unauthorized(
                "An API key is needed: send it as 'Authorization: Bearer <key>' or 'X-Api-Key'"
                if not text
                else "This API key is not valid"
            )
        key = await self._key(digest_of(text))
        if key is None:
            raise Unauthorized("This API key is not valid")
        if scope not in key.scopes and "admin" not in key.scopes:
            raise Forbidden(f"This API key lacks the scope '{scope}'")
        return key.scopes

    async def _key(self, digest: bytes) -> ApiKey | None:
        now = self._clock.now()
        known = self._seen.get(digest)
        if known and now - known[1] < TRUSTED_FOR:
            return known[0]
        async with connection(self._pool) as conn:
            key = await accounts.find(conn, digest)
        self._seen.pop(digest, None)
        if key:
            if len(self._seen) >= KEYS_REMEMBERED_MAX:
                self._seen.clear()
            self._seen[digest] = (key, now)
        return key


def key_in(request: Request) -> str:
    """Return the key a request bears, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key", "").strip()
