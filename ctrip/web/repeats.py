"""Idempotency-Key: what makes a POST safe to repeat, as the caller says it.

The body is read before the page reads it, because the key belongs to the whole request; the
page is handed the same bytes again.
"""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from ctrip.core.idempotency import BadIdempotencyKey, IdempotencyKey, key_of
from ctrip.flows.repeat import Answer, Repeats
from ctrip.web.auth import Caller
from ctrip.web.bodies import read_bytes
from ctrip.web.operation import Operation

HEADER: Final = "idempotency-key"
OCCASION: Final = "ctrip.occasion"  # of a request, in its scope
REPLAYED: Final = {"idempotent-replayed": "true"}  # on an answer that was given before


def key_in(request: Request, body: bytes) -> IdempotencyKey | None:
    """Return what a request may be repeated by; None if its caller did not say."""
    return key_said(request, body) if HEADER in request.headers else None


def key_said(request: Request, body: bytes) -> IdempotencyKey:
    """Return the key of a request that has one."""
    said = request.headers.getlist(HEADER)
    if len(said) != 1:
        raise BadIdempotencyKey("Idempotency-Key must be there once")
    return key_of(said[0], request.method, request.scope["path"], body)


def occasion_in(request: Request) -> UUID | None:
    """Return after what to name what a request makes; None if it will not be repeated."""
    occasion: UUID | None = request.scope.get(OCCASION)
    return occasion


async def answered_once(
    repeats: Repeats, operation: Operation, request: Request, caller: Caller
) -> Response:
    """Return what an operation answers, or what it answered when it was asked before."""
    body = await read_bytes(request)
    key = key_said(request, body)

    async def work(occasion: UUID) -> Answer:
        scope = {**request.scope, OCCASION: occasion}
        answer = await operation.page(Request(scope, said_again(body)), caller)
        return Answer(answer.status_code, bytes(answer.body))

    done = await repeats.once(caller.key_id, key, work, has_secret=operation.repeats == "sealed")
    headers = REPLAYED if done.is_replay else None
    return Response(done.body, done.status, headers, media_type=operation.media_type)


def said_again(body: bytes) -> Receive:
    """Return the messages of a request whose body was read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
