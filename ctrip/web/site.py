"""The routes, and what is true of all of them.

A path works with and without a slash at its end, without a redirect, because clients
lose bodies and keys on redirects. Every answer names the request it answers.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import uuid4

from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.flows.create import Creator
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.health import Health
from ctrip.flows.tidings import Tidings
from ctrip.store.pool import Pool
from ctrip.web.auth import Door
from ctrip.web.catalogue import Catalogue
from ctrip.web.endpoints import EndpointPages
from ctrip.web.events import EventPages
from ctrip.web.health import HealthPages
from ctrip.web.payments import PaymentPages
from ctrip.web.problems import HANDLERS

Page = Callable[[Request], Awaitable[Response]]

ENDPOINTS: Final = "/api/v1/webhook-endpoints"
# On every answer; no page sets one of them itself.
HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Parts(Struct, frozen=True, kw_only=True):
    """What the pages work with."""

    pool: Pool
    clock: Clock
    creator: Creator
    endpoints: Endpoints
    tidings: Tidings
    health: Health
    chains: Sequence[Chain]
    tokens: Sequence[Token]
    auth_is_off: bool


def build(parts: Parts) -> ASGIApp:
    """Put the site together."""
    # Manners goes around all of it: Starlette answers our faults outside its own middleware.
    return Manners(Starlette(routes=routes(parts), exception_handlers=HANDLERS))


def routes(parts: Parts) -> list[Route]:
    """Return every route; docs/api.md lists the same."""
    door = Door(parts.pool, parts.clock, is_open=parts.auth_is_off)
    payments = PaymentPages(parts.creator, parts.pool, door)
    catalogue = Catalogue(parts.chains, parts.tokens, door)
    events = EventPages(parts.tidings, parts.pool, parts.clock, door)
    health = HealthPages(parts.health, parts.pool)
    return [
        Route("/api/v1/payments", payments.create, methods=["POST"]),
        Route("/api/v1/payments/{payment_id}", payments.get, methods=["GET"]),
        Route("/api/v1/chains", catalogue.chains, methods=["GET"]),
        Route("/api/v1/tokens", catalogue.tokens, methods=["GET"]),
        Route("/api/v1/events", events.follow, methods=["GET"]),
        Route("/api/v1/events/{event_id}", events.get, methods=["GET"]),
        *endpoint_routes(EndpointPages(parts.endpoints, parts.pool, parts.clock, door)),
        Route("/health", health.alive, methods=["GET"]),
        Route("/health/ready", health.ready, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
    ]


def endpoint_routes(pages: EndpointPages) -> list[Route]:
    """Return the routes of webhook endpoints."""
    one = ENDPOINTS + "/{endpoint_id}"
    return [
        by_method(ENDPOINTS, POST=pages.create, GET=pages.list_all),
        by_method(one, GET=pages.get, PATCH=pages.change, DELETE=pages.remove),
        Route(f"{one}/rotate-secret", pages.rotate, methods=["POST"]),
        Route(f"{one}/test", pages.test, methods=["POST"]),
        Route(f"{one}/enable", pages.enable, methods=["POST"]),
        Route(f"{one}/disable", pages.disable, methods=["POST"]),
        Route(f"{one}/deliveries", pages.deliveries, methods=["GET"]),
        Route(f"{one}/redeliver", pages.redeliver, methods=["POST"]),
        Route(f"{one}/recover", pages.recover, methods=["POST"]),
        Route(f"{one}/replays", pages.replays, methods=["GET"]),
    ]


def by_method(path: str, **pages: Page) -> Route:
    """Return one route for several pages, so that a wrong method is told all that there are."""

    async def page(request: Request) -> Response:
        return await pages["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, page, methods=list(pages))


class Manners:
    """Takes the slash off a path's end and puts the common headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope["path"]) > 1:
            scope["path"] = scope["path"].rstrip("/") or "/"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                request_id = (b"x-request-id", uuid4().hex.encode())
                message["headers"] = [*message["headers"], *HEADERS, request_id]
            await send(message)

        await self._app(scope, receive, send_with_headers)
