"""The routes, made from what each page says of itself, and what is true of all of them.

Nobody gets to a page past the door, because pages do not open it themselves.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.flows.act import Acts
from ctrip.flows.audience import Audience
from ctrip.flows.create import Creator
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.explain import Explainer
from ctrip.flows.give_back import Refunds
from ctrip.flows.health import Health
from ctrip.flows.keybook import Keybook
from ctrip.flows.repeat import Repeats
from ctrip.flows.stage import Stage
from ctrip.flows.tidings import Tidings
from ctrip.settings import Server
from ctrip.store.pool import Pool
from ctrip.web.acts import ActPages
from ctrip.web.auth import STRANGER, Door, ask_again
from ctrip.web.catalogue import Catalogue
from ctrip.web.desk import Desk, Page
from ctrip.web.docs import DocPages
from ctrip.web.endpoint_operations import of_endpoints
from ctrip.web.endpoints import EndpointPages
from ctrip.web.events import EventPages
from ctrip.web.explain import ExplainPages
from ctrip.web.forwarded import Proxies
from ctrip.web.health import HealthPages
from ctrip.web.keys import KeyPages
from ctrip.web.limits import RateLimits
from ctrip.web.manners import Manners
from ctrip.web.operation import Operation
from ctrip.web.payment_lists import PaymentListPages
from ctrip.web.payments import PaymentPages
from ctrip.web.refunds import RefundPages
from ctrip.web.repeats import HEADER, answered_once
from ctrip.web.stream import StreamPages


class Parts(Struct, frozen=True, kw_only=True):
    """What the pages work with."""

    pool: Pool
    clock: Clock
    creator: Creator
    acts: Acts
    refunds: Refunds
    endpoints: Endpoints
    tidings: Tidings
    audience: Audience
    health: Health
    explainer: Explainer
    repeats: Repeats
    stage: Stage
    keybook: Keybook
    chains: Sequence[Chain]
    tokens: Sequence[Token]
    server: Server


def build(parts: Parts) -> ASGIApp:
    """Put the site together."""
    server = parts.server
    proxies = Proxies(server.trusted_proxies)
    limits = RateLimits(server, proxies)
    door = Door(parts.keybook, parts.clock, proxies, limits, is_open=server.auth == "off")
    desk = Desk(paths(operations(parts), door, parts.repeats))
    return Manners(desk.answer, server.cors_origins)


def operations(parts: Parts) -> list[Operation]:
    """Return everything that can be asked."""
    told = [
        *PaymentPages(parts.creator, parts.pool, parts.stage).operations(),
        *PaymentListPages(parts.pool).operations(),
        *ActPages(parts.acts, parts.clock).operations(),
        *RefundPages(parts.refunds).operations(),
        *StreamPages(parts.audience, parts.pool).operations(),
        *ExplainPages(parts.explainer).operations(),
        *Catalogue(parts.chains, parts.tokens).operations(),
        *EventPages(parts.tidings, parts.pool, parts.clock).operations(),
        *of_endpoints(EndpointPages(parts.endpoints, parts.pool, parts.clock)),
        *KeyPages(parts.keybook, parts.pool, parts.clock).operations(),
        *HealthPages(parts.health, parts.pool).operations(),
    ]
    return [*told, *DocPages(told).operations()]


def paths(
    operations: Iterable[Operation], door: Door, repeats: Repeats
) -> dict[str, dict[str, Page]]:
    """Return who answers, by path and method."""
    found: dict[str, dict[str, Page]] = {}
    for operation in operations:
        found.setdefault(operation.path, {})[operation.method] = behind(door, repeats, operation)
    return found


def behind(door: Door, repeats: Repeats, operation: Operation) -> Page:
    """Return an operation's page for those who may see it, safe to repeat if they say so."""
    page, scope = operation.page, operation.scope
    may_be_kept = operation.method == "POST" and operation.repeats != "own"

    async def handler(request: Request) -> Response:
        caller = STRANGER if scope is None else await door.let_in(request, scope)
        if may_be_kept and HEADER in request.headers:
            return await answered_once(repeats, operation, request, caller)
        answer = await page(request, caller)
        if operation.method == "GET":  # anything else is done by now
            await ask_again(request)
        return answer

    return handler
