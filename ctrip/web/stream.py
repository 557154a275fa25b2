"""GET /api/v1/payments/{id}/stream: a payment's changes as server-sent events, as they happen.

    id: 3                          the event's sequence, which a client sends back as
    event: payment.confirmed       Last-Event-ID to go on after it
    data: {"id":"evt_…",…}         byte for byte what is signed and sent to webhooks

Whoever does not say where to go on is shown the payment first, as GET shows it, in an event
called `payment`. Then come all events after that one, each once and in order.

A stream has no end of its own, because even a settled payment may get late money. It ends when
its caller goes, when its key is revoked, and when we stop; the client comes back and loses
nothing. One that does not read is not written to: what it has not taken is bounded, and edge
hangs up when nothing was taken for half a minute.
"""

import asyncio
import random
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ctrip.core.view import payment_body
from ctrip.flows.audience import Audience, Listener, TooManyStreams
from ctrip.store import payments
from ctrip.store.listeners import Told
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse_query
from ctrip.web.operation import Operation
from ctrip.web.payments import ONE, no_such_payment, payment_in
from ctrip.web.problems import FieldError, InvalidBody

RETRY_MILLISECONDS: Final = (1_000, 5_000)  # spread, because a restart ends all streams at once
PLACE: Final = r"^[0-9]{0,9}\Z"  # what an `id:` of ours was, or nothing

HEADER: Final = "last-event-id"
WORDS: Final = {"last_event_id": "must be the id of an event of this stream"}
HEARTBEAT: Final = b":\n\n"
MEDIA_TYPE: Final = "text/event-stream"
UNBUFFERED: Final = (("x-accel-buffering", "no"),)  # nginx would keep events to itself


class StreamPayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a stream. The header Last-Event-ID, which browsers send, comes first."""

    last_event_id: Annotated[str, Meta(pattern=PLACE)] = ""


class StreamPages:
    """The route of streams."""

    def __init__(self, audience: Audience, pool: Pool) -> None:
        self._audience = audience
        self._pool = pool

    def operations(self) -> list[Operation]:
        """Return what can be followed."""
        return [
            Operation(
                method="GET",
                path=ONE + "/stream",
                page=self.follow,
                name="stream_payment",
                says="Follow a payment: server-sent events, which never end by themselves.",
                scope="read",
                asks=StreamPayment,
                gives=str,
                media_type=MEDIA_TYPE,
                refuses=(TooManyStreams,),
            ),
        ]

    async def follow(self, request: Request, caller: Caller) -> Response:
        """Show a payment, or what came after an event, and then what comes."""
        after = place_in(request)
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, payment_in(request), owner=caller.owner)
        if payment is None:
            raise no_such_payment()
        begin = b"retry: %d\n\n" % random.randint(*RETRY_MILLISECONDS)  # noqa: S311  spreads load, keeps no secret
        # A client that has seen more than there is knows a database that was since restored.
        if after is None or after > payment.sequence:
            after = payment.sequence
            begin += frame(after, "payment", payment_body(payment))
        listening = self._audience.listener(payment.id, caller.key_id, after=after)
        return Stream(listening, begin)


class Stream(Response):
    """An answer that goes on."""

    media_type = MEDIA_TYPE

    def __init__(self, listening: AbstractContextManager[Listener], begin: bytes) -> None:
        super().__init__(headers=dict(UNBUFFERED))
        del self.headers["content-length"]
        self._listening = listening  # entered once there is somebody to tell
        self._begin = begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for as long as somebody listens."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send(piece(b"", more=False))
            return
        with self._listening as listener:
            await send(start)
            await asyncio.gather(self._tell(listener, send), until_gone(receive, listener))

    async def _tell(self, listener: Listener, send: Send) -> None:
        await send(piece(self._begin))
        while not listener.is_over:
            await send(piece(frames(await listener.take()) or HEARTBEAT))
        await send(piece(b"", more=False))


async def until_gone(receive: Receive, listener: Listener) -> None:
    """Let go of a listener as soon as its caller has gone, or was told all of it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()


def place_in(request: Request) -> int | None:
    """Return after which event a client goes on; None if it does not say.

    The header counts before the query: a browser that comes back sends it to the same URL.
    """
    asked = parse_query(request, StreamPayment, words=WORDS)
    said = request.headers.get(HEADER) or asked.last_event_id
    if not re.match(PLACE, said):
        raise InvalidBody([FieldError(HEADER, WORDS["last_event_id"])])
    return int(said) if said else None


def frames(taken: Sequence[Told]) -> bytes:
    """Return events as they travel."""
    return b"".join([frame(told.sequence, told.type, told.body) for told in taken])


def frame(sequence: int, kind: str, body: bytes) -> bytes:
    """Return one event as it travels; JSON has no line breaks in it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (sequence, kind.encode(), body)


def piece(body: bytes, *, more: bool = True) -> dict[str, object]:
    """Return a part of an answer's body."""
    return {"type": "http.response.body", "body": body, "more_body": more}
