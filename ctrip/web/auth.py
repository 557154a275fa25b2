"""Who calls, and what they may do.

A key is looked up in the keybook, which asks no database while it is fresh. A caller is told
what is wrong with a key only if it is one of ours: that it expired, that it may not be used
from here, that it lacks a scope. From where it may be used is never told.

A request may take its time: its body comes slowly, or it waits for news. A key that ends
meanwhile ends the request: whoever waited asks again before they go on.
"""

import time
from typing import Final

from msgspec import Struct
from starlette.requests import Request

from ctrip.clock import Clock
from ctrip.core.ids import NOBODY, KeyId
from ctrip.core.keys import SCOPES, ApiKey, admits, digest_of, is_expired, looks_like_one, may
from ctrip.flows.keybook import Keybook
from ctrip.web.forwarded import Proxies
from ctrip.web.limits import RateLimits
from ctrip.web.problems import Forbidden, Unauthorized


class Caller(Struct, frozen=True):
    """Who asks, and what they may."""

    key_id: KeyId
    scopes: frozenset[str]

    @property
    def owner(self) -> KeyId | None:
        """Whose things the caller may see; None: everybody's."""
        return None if "admin" in self.scopes else self.key_id


ANYBODY: Final = Caller(NOBODY, frozenset(SCOPES))  # with auth = "off"
STRANGER: Final = Caller(NOBODY, frozenset())  # where no key is asked for
KEY_SECONDS: Final = 0.1  # that one look-up holds; with the book's own age, a second
AGAIN: Final = "ctrip.again"  # in the scope of a request: who asks again


class Door:
    """Lets in requests that bear a live key with the scope they need."""

    def __init__(
        self, book: Keybook, clock: Clock, proxies: Proxies, limits: RateLimits, *, is_open: bool
    ) -> None:
        self._book = book
        self._clock = clock
        self._proxies = proxies
        self._limits = limits
        self._is_open = is_open  # auth = "off"

    async def let_in(self, request: Request, scope: str) -> Caller:
        """Return who calls; raise Unauthorized, Forbidden or RateLimited unless they may pass."""
        if self._is_open:
            self._limits.take(request, NOBODY)
            return ANYBODY
        key = await self._identify(request)
        self._limits.take(request, key.id)
        self._check(request, key, scope)
        self._book.uses.note(key.id, self._clock.now())
        request.scope[AGAIN] = Again(self, scope)
        return Caller(key.id, key.scopes)

    async def let_stay(self, request: Request, scope: str) -> None:
        """Raise as let_in does if a caller who was let in before may not pass any more."""
        self._check(request, await self._identify(request), scope)

    def _check(self, request: Request, key: ApiKey, scope: str) -> None:
        if not admits(key, self._proxies.address_of(request)):
            raise Forbidden("This API key may not be used from your address")
        if not may(key, scope):
            raise Forbidden(f"This API key lacks the scope '{scope}'")

    async def _identify(self, request: Request) -> ApiKey:
        """Return the key that a request bears; raise Unauthorized unless it is live."""
        text = key_in(request)
        key = await self._look_up(request, digest_of(text)) if looks_like_one(text) else None
        now = self._clock.now()
        if key is None or is_expired(key, now):
            self._limits.take(request, None)
        if not text:
            raise Unauthorized(
                "An API key is needed: send it as 'Authorization: Bearer <key>' or 'X-Api-Key'"
            )
        if key is None:
            raise Unauthorized("This API key is not valid")
        if is_expired(key, now):
            raise Unauthorized("This API key has expired")
        return key

    async def _look_up(self, request: Request, digest: bytes) -> ApiKey | None:
        """Return a key that is known, or that was made a moment ago elsewhere."""
        if known := await self._book.known(digest):
            return known
        self._limits.may_guess(request)
        return await self._book.sought(digest)


class Again:
    """When a caller's key was asked for last, and who does it."""

    def __init__(self, door: Door, scope: str) -> None:
        self._door = door
        self._scope = scope
        self._asked_at = time.monotonic()

    async def ask(self, request: Request) -> None:
        """Raise if the caller may not pass any more; ask only if that was some time ago."""
        if time.monotonic() - self._asked_at > KEY_SECONDS:
            await self._door.let_stay(request, self._scope)
            self._asked_at = time.monotonic()


async def ask_again(request: Request) -> None:
    """Raise if the key by which a caller was let in has ended since: for whoever has waited."""
    again: Again | None = request.scope.get(AGAIN)
    if again:
        await again.ask(request)


def key_in(request: Request) -> str:
    """Return the key a request bears, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key", "").strip()
