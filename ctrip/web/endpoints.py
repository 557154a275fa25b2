"""/api/v1/webhook-endpoints: who hears of events, and what became of what was sent.

An endpoint's URL and its answers may hold secrets; endpoint_operations.py says who may ask.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from ctrip.clock import Clock
from ctrip.core.endpoints import EndpointId
from ctrip.core.ids import EventId
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.register import NoSuchEndpoint
from ctrip.settings import Secret
from ctrip.store import delivery_log, endpoints, replays
from ctrip.store.delivery_log import Delivery
from ctrip.store.endpoints import Endpoint
from ctrip.store.pool import Conn, Pool, connection
from ctrip.web import endpoint_wire as wire
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse, parse_query, read_body
from ctrip.web.endpoint_wire import EndpointView, ListDeliveries, ListEndpoints, Queued, Sent
from ctrip.web.lists import All, Cursor, answer, in_utc, listed, read_cursor
from ctrip.web.repeats import occasion_in

ID: Final = re.compile(r"we_[a-z0-9]{1,40}")
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
ENDED: Final = {None: None, "delivered": True, "dead": False}


class EndpointPages:
    """The routes of endpoints."""

    def __init__(self, flow: Endpoints, pool: Pool, clock: Clock) -> None:
        self._flow = flow
        self._pool = pool
        self._clock = clock

    async def create(self, request: Request, _caller: Caller) -> Response:
        """Make an endpoint; 201, with its secret."""
        asked = parse(await read_body(request), wire.CREATE)
        made, secret = await self._flow.create(wire.new_of(asked), occasion_in(request))
        return answer(replace(await self._shown(made), secret=secret), 201)

    async def list_all(self, request: Request, _caller: Caller) -> Response:
        """List endpoints in the order they were made."""
        asked = parse_query(request, ListEndpoints)
        cursor = read_cursor(asked.cursor, of=["endpoints"])
        after = (cursor.time, EndpointId(cursor.id)) if cursor else (FIRST, EndpointId(""))
        async with connection(self._pool) as conn:
            found = await endpoints.page(
                conn, after=after, kind=asked.kind, count_max=asked.limit + 1
            )
        page = found[: asked.limit]
        last = page[-1] if len(found) > asked.limit else None
        after_page = Cursor("endpoints", last.created_at, last.id) if last else None
        return listed(await self._show(page), after_page)

    async def get(self, request: Request, _caller: Caller) -> Response:
        """Show an endpoint."""
        return answer(await self._shown(await self._find(request)))

    async def change(self, request: Request, _caller: Caller) -> Response:
        """Change what a body says, and nothing else."""
        endpoint_id = endpoint_in(request)
        asked = parse(await read_body(request), wire.CHANGE)
        changed = await self._flow.change(endpoint_id, wire.change_of(asked))
        return answer(await self._shown(changed))

    async def remove(self, request: Request, _caller: Caller) -> Response:
        """Forget an endpoint; 204."""
        await self._flow.remove(endpoint_in(request))
        return Response(status_code=204)

    async def rotate(self, request: Request, _caller: Caller) -> Response:
        """Give an endpoint a new secret, which is in the answer."""
        endpoint_id = endpoint_in(request)
        asked = parse(await body_if_any(request), wire.ROTATE)
        secret = await self._flow.rotate(
            endpoint_id,
            overlap=timedelta(seconds=asked.overlap_seconds),
            secret=None if asked.secret is None else Secret(asked.secret),
            signature=asked.signature,
            occasion=occasion_in(request),
        )
        shown = await self._shown(await self._flow.find(endpoint_id))
        return answer(replace(shown, secret=secret))

    async def enable(self, request: Request, _caller: Caller) -> Response:
        """Send to an endpoint again."""
        return answer(await self._shown(await self._flow.enable(endpoint_in(request))))

    async def disable(self, request: Request, _caller: Caller) -> Response:
        """Send nothing to an endpoint any more."""
        return answer(await self._shown(await self._flow.disable(endpoint_in(request))))

    async def test(self, request: Request, _caller: Caller) -> Response:
        """Send a test event; 202."""
        event_id = await self._flow.test(endpoint_in(request))
        return answer(Sent(event_id), 202)

    async def redeliver(self, request: Request, _caller: Caller) -> Response:
        """Send events again; 202."""
        endpoint_id = endpoint_in(request)
        asked = parse(await read_body(request), wire.REDELIVER, words=wire.WORDS)
        event_ids = [EventId(one) for one in asked.event_ids]
        queued = await self._flow.redeliver(endpoint_id, event_ids)
        return answer(Queued(queued), 202)

    async def recover(self, request: Request, _caller: Caller) -> Response:
        """Order that everything is sent that was not delivered; 202."""
        endpoint_id = endpoint_in(request)
        asked = parse(await read_body(request), wire.RECOVER, words=wire.WORDS)
        replay = await self._flow.recover(
            endpoint_id,
            since=in_utc("since", asked.since),
            until=in_utc("until", asked.until) if asked.until else None,
            event_types=asked.event_types,
            delivered=asked.include_delivered,
        )
        return answer(wire.show_replay(replay), 202)

    async def replays(self, request: Request, _caller: Caller) -> Response:
        """List an endpoint's newest recoveries."""
        endpoint = await self._find(request)
        async with connection(self._pool) as conn:
            found = await replays.of_endpoint(conn, endpoint.id)
        return answer(All([wire.show_replay(replay) for replay in found]))

    async def deliveries(self, request: Request, _caller: Caller) -> Response:
        """List what waits for an endpoint, the next first, then what has ended, newest first."""
        endpoint = await self._find(request)
        asked = parse_query(request, ListDeliveries)
        lists = {None: ["waiting", "ended"], "waiting": ["waiting"]}.get(asked.state, ["ended"])
        cursor = read_cursor(asked.cursor, of=lists)
        count = asked.limit + 1
        found: list[Delivery] = []
        async with connection(self._pool) as conn:
            for name in lists[lists.index(cursor.of) :] if cursor else lists:
                start = cursor if cursor and cursor.of == name else None
                if name == "waiting":
                    found += await self._waiting(conn, endpoint.id, start, count)
                else:
                    wanted = ENDED.get(asked.state)
                    found += await ended(
                        conn, endpoint.id, start, count - len(found), delivered=wanted
                    )
        page = found[: asked.limit]
        last = place_of(page[-1]) if len(found) > asked.limit else None
        return listed([wire.show_delivery(one) for one in page], last)

    async def _waiting(
        self, conn: Conn, endpoint_id: EndpointId, start: Cursor | None, count: int
    ) -> list[Delivery]:
        after = (start.time, EventId(start.id)) if start else (FIRST, EventId(""))
        now = self._clock.now()
        return await delivery_log.waiting(conn, endpoint_id, after=after, count_max=count, now=now)

    async def _find(self, request: Request) -> Endpoint:
        return await self._flow.find(endpoint_in(request))

    async def _shown(self, endpoint: Endpoint) -> EndpointView:
        return (await self._show([endpoint]))[0]

    async def _show(self, found: Sequence[Endpoint]) -> list[EndpointView]:
        shown = await self._flow.show(found)
        return [wire.show_endpoint(*pair) for pair in zip(found, shown, strict=True)]


async def ended(
    conn: Conn, endpoint_id: EndpointId, start: Cursor | None, count: int, *, delivered: bool | None
) -> list[Delivery]:
    """Return what has ended for an endpoint, newest first."""
    before = (start.time, EventId(start.id)) if start else (LAST, EventId(""))
    if count <= 0:
        return []
    return await delivery_log.done(
        conn, endpoint_id, before=before, count_max=count, delivered=delivered
    )


def endpoint_in(request: Request) -> EndpointId:
    """Return which endpoint a path means."""
    wanted = request.path_params["endpoint_id"]
    if not ID.fullmatch(wanted):
        raise NoSuchEndpoint("No endpoint has this id")
    return EndpointId(wanted)


def place_of(delivery: Delivery) -> Cursor:
    """Return where in its list a delivery stands."""
    if delivery.ended_at:
        return Cursor("ended", delivery.ended_at, delivery.event_id)
    return Cursor("waiting", delivery.due_at or FIRST, delivery.event_id)


async def body_if_any(request: Request) -> bytes:
    """Return a body, or that of somebody who has nothing to say."""
    given = request.headers  # of a type that clients make up where nothing is sent
    if given.get("content-length", "0") == "0" and "transfer-encoding" not in given:
        return b"{}"
    return await read_body(request)
