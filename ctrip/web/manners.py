"""What is true of every answer, whoever gives it, and of every request, whoever takes it.

- A path works with and without a slash at its end, without a redirect, because clients lose
  bodies and keys on redirects. No link is ever made from the Host that a caller names.
- An answer names the request it answers, and so does every log line meanwhile: by the name
  that the caller gave, where it is harmless, or by one of ours.
- Pages of other sites may read answers only if their origin is listed, and never as
  somebody who is logged in: there are no cookies that count here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ctrip import logs
from ctrip.web.desk import Page

# On every answer; no page sets one of them itself.
HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
MORE_HEADERS: Final = "ctrip.headers"  # of a scope: a list to which pages and limits add theirs
REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")  # no way to forge a log line or a header
REQUEST_ID_BYTES: Final = 16  # of chance in one of ours

ALLOWED: Final = (
    (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, idempotency-key, last-event-id, x-api-key, x-request-id",
    ),
    (b"access-control-max-age", b"600"),  # seconds; an origin that is taken off waits no longer
)
TOLD: Final = (
    b"x-request-id, idempotent-replayed, retry-after"
    b", ratelimit-limit, ratelimit-remaining, ratelimit-reset"
)
EXPOSED: Final = (b"access-control-expose-headers", TOLD)
VARY: Final = (b"vary", b"Origin")


class Manners:
    """Goes around the whole site, and makes an ASGI application of it."""

    def __init__(self, answer: Page, cors_origins: Iterable[str] = ()) -> None:
        self._answer = answer
        self._origins = frozenset(origin.encode() for origin in cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["path"]) > 1:
            scope["path"] = scope["path"].rstrip("/") or "/"
        given = dict(scope["headers"])
        request_id = named(given.get(b"x-request-id", b""))
        headers = [*HEADERS, (b"x-request-id", request_id), *self._cors(scope["method"], given)]
        scope[MORE_HEADERS] = headers
        logs.in_request(request_id.decode())
        if ALLOWED[0] in headers:
            response = Response(status_code=204)
        else:
            response = await self._answer(Request(scope, receive))
        response.raw_headers += headers
        await response(scope, receive, send)

    def _cors(self, method: str, given: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield what a browser must know; with ALLOWED it only asked whether it may ask."""
        if not self._origins:
            return
        yield VARY
        origin = given.get(b"origin", b"")
        if origin in self._origins:
            yield b"access-control-allow-origin", origin
            yield EXPOSED
            if method == "OPTIONS" and b"access-control-request-method" in given:
                yield from ALLOWED


def named(request_id: bytes) -> bytes:
    """Return a request's name: the caller's, if it is harmless."""
    return request_id if REQUEST_ID.fullmatch(request_id) else token_hex(REQUEST_ID_BYTES).encode()
