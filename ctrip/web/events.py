"""/api/v1/events: everything that was ever announced, in one order, for whoever asks.

A webhook that was lost is found here, without anybody who sends it again. What receivers
answered, and which address was dialled, is shown to administrators only; an address that the
guard refused is shown to nobody, lest answers map the network.
"""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.clock import Clock
from ctrip.core.endpoints import EndpointId, pattern_fault
from ctrip.core.ids import EventId, PaymentId
from ctrip.flows.tidings import Tidings
from ctrip.store import delivery_log
from ctrip.store.delivery_log import Attempt, Delivery, KnownEvent
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Caller, ask_again
from ctrip.web.bodies import parse_query
from ctrip.web.endpoint_fields import PATTERNS, State, Type
from ctrip.web.lists import PAGE_MAX, Limit, answer
from ctrip.web.operation import Operation
from ctrip.web.problems import FieldError, InvalidBody, NotFound

WAIT_SECONDS_MAX: Final = 30  # proxies give up on an answer after a minute
ID_SIZE: Final = 36  # characters
BLOCKED: Final = "blocked"
END: Final = "end"
WORDS: Final = {"after": "must be a position, or 'end'"}


ONE_OF: Final = "|".join(pattern.replace(".", r"\.").replace("*", r"\*") for pattern in PATTERNS)
TYPES: Final = {
    "pattern": f"^(({ONE_OF})(,({ONE_OF}))*)?$",
    "examples": ["payment.paid,payment.late"],
}


class ListEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/events."""

    after: Annotated[str, Meta(pattern=rf"^({END}|[0-9]{{1,18}})\Z")] = "0"
    limit: Limit = PAGE_MAX
    types: Annotated[str, Meta(extra_json_schema=TYPES)] | None = None
    wait: Annotated[float, Meta(ge=0, le=WAIT_SECONDS_MAX)] = 0


# As they were signed, and so as they were written; the document knows what they are.
Body = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/Event"})]


class AttemptView(Struct, frozen=True, kw_only=True):
    """One request to a receiver, and what became of it."""

    attempt: int
    manual: bool
    at: datetime
    milliseconds: int
    outcome: str
    address: str | None
    answer: str | None


class TrailView(Struct, frozen=True, kw_only=True):
    """An event's way to one endpoint."""

    endpoint_id: EndpointId
    state: State
    attempts: int
    outcome: str | None
    next_attempt_at: datetime | None
    ended_at: datetime | None
    log: list[AttemptView]


class StretchView(Struct, frozen=True, kw_only=True):
    """A piece of the stream."""

    data: list[Body]
    next_after: int
    has_more: bool


class KnownEventView(Struct, frozen=True, kw_only=True):
    """An event, as it was announced, and what became of it."""

    id: EventId
    type: Type
    payment_id: PaymentId | None
    created_at: datetime
    body: Body  # the exact bytes that are signed
    deliveries: list[TrailView]


class EventPages:
    """The routes of events."""

    def __init__(self, tidings: Tidings, pool: Pool, clock: Clock) -> None:
        self._tidings = tidings
        self._pool = pool
        self._clock = clock

    def operations(self) -> list[Operation]:
        """Return what can be asked about events."""
        return [
            Operation(
                method="GET",
                path="/api/v1/events",
                page=self.follow,
                name="list_events",
                says="Read what was announced, from a place in the stream on.",
                scope="read",
                asks=ListEvents,
                gives=StretchView,
            ),
            Operation(
                method="GET",
                path="/api/v1/events/{event_id}",
                page=self.get,
                name="get_event",
                says="Show an event, and what became of it.",
                scope="read",
                gives=KnownEventView,
            ),
        ]

    async def follow(self, request: Request, caller: Caller) -> Response:
        """Return the events after a place, and wait for them if asked to."""
        asked = parse_query(request, ListEvents, words=WORDS)
        patterns = patterns_in(asked.types)
        if asked.after == END:
            page = StretchView(data=[], next_after=await self._tidings.end(), has_more=False)
        else:
            read = await self._tidings.read(
                int(asked.after),
                owner=caller.owner,
                count_max=asked.limit,
                event_types=patterns,
                wait_seconds=asked.wait,
                waited=lambda: ask_again(request),
            )
            page = StretchView(
                data=[Raw(body) for body in read.bodies],
                next_after=read.next_after,
                has_more=read.has_more,
            )
        return answer(page)

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show an event with its deliveries, and what each attempt came to."""
        event_id = EventId(request.path_params["event_id"])
        if len(event_id) != ID_SIZE or "\0" in event_id:
            raise NotFound("No event has this id")
        async with connection(self._pool) as conn:
            event = await delivery_log.event(conn, event_id, owner=caller.owner)
            if event is None:
                raise NotFound("No event has this id")
            deliveries = await delivery_log.of_event(conn, event_id, now=self._clock.now())
            attempts = await delivery_log.attempts(conn, event_id)
        shown = show_event(event, deliveries, attempts, all_of_it=caller.owner is None)
        return answer(shown)


def patterns_in(types: str | None) -> list[str] | None:
    """Return the filter that a query names; None lets everything through."""
    if not types:
        return None
    patterns = types.split(",")
    fault = next(filter(None, map(pattern_fault, patterns)), None)
    if fault:
        raise InvalidBody([FieldError("types", fault)])
    return patterns


def show_event(
    event: KnownEvent, deliveries: list[Delivery], attempts: list[Attempt], *, all_of_it: bool
) -> KnownEventView:
    """Put an event into the words of the contract."""
    return KnownEventView(
        id=event.id,
        type=event.type,
        payment_id=event.payment_id,
        created_at=event.created_at,
        body=Raw(event.body),
        deliveries=[show_trail(one, attempts, all_of_it=all_of_it) for one in deliveries],
    )


def show_trail(delivery: Delivery, attempts: list[Attempt], *, all_of_it: bool) -> TrailView:
    """Put an event's way to one endpoint into the words of the contract."""
    own = [one for one in attempts if one.endpoint_id == delivery.endpoint_id]
    waits = delivery.state == "waiting"
    return TrailView(
        endpoint_id=delivery.endpoint_id,
        state=delivery.state,
        attempts=delivery.attempts,
        outcome=delivery.outcome or (own[-1].outcome if own else None),
        next_attempt_at=delivery.due_at if waits else None,
        ended_at=delivery.ended_at,
        log=[show_attempt(one, all_of_it=all_of_it) for one in own],
    )


def show_attempt(attempt: Attempt, *, all_of_it: bool) -> AttemptView:
    """Put one attempt into the words of the contract; not for everybody all of it."""
    answer = (attempt.answer or b"").decode(errors="replace")
    return AttemptView(
        attempt=attempt.attempt,
        manual=attempt.manual,
        at=attempt.at,
        milliseconds=attempt.milliseconds,
        outcome=attempt.outcome,
        address=attempt.address if all_of_it and attempt.outcome != BLOCKED else None,
        answer=answer if all_of_it and attempt.answer is not None else None,
    )
