"""Every answer that an operation may give, as OpenAPI has them.

A refusal is told with its status and its codes, because callers branch on codes. What is
answered before there is a request (too long, too slow, too large) belongs to every operation,
and so do a fault of ours and a database that is away.
"""

import inspect
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from ctrip.core.idempotency import AnswerLost, BadIdempotencyKey, IdempotencyKeyReused
from ctrip.flows.repeat import UnderWay
from ctrip.web.limits import RateLimited
from ctrip.web.operation import Operation, Refusal
from ctrip.web.problems import (
    BodyTooLarge,
    Forbidden,
    InvalidBody,
    InvalidJson,
    NotFound,
    Problem,
    Unauthorized,
    WrongContentType,
)
from ctrip.web.samples import sample, shown
from ctrip.web.schemas import REF, Schema, Schemas

Refused = Mapping[int, Mapping[str, str]]  # status -> code -> when

JSON: Final = "application/json"
STREAM: Final = "text/event-stream"
# What stands between two empty lines of a stream. Its data is JSON.
FRAME: Final[Schema] = {
    "type": "object",
    "description": "One event of the stream, which has many.",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "examples": ["3"]},
        "event": {"type": "string", "examples": ["payment.paid"]},
        "data": {
            "type": "string",
            "contentMediaType": JSON,
            "contentSchema": {"anyOf": [{"$ref": f"{REF}Event"}, {"$ref": f"{REF}Payment"}]},
            "examples": ["{…}"],
        },
    },
    "required": ["data"],
}

# Before there is a request, where no class of this layer stands for it.
ALWAYS: Final[Refused] = {
    400: {"invalid_http": "This is not HTTP/1.1, or can be read in two ways."},
    408: {"request_timeout": "The headers, or the body, did not arrive in time."},
    414: {"uri_too_long": "The path and query are longer than any of ours."},
    431: {"headers_too_large": "The headers are larger, or more, than any honest ones."},
    500: {"internal_error": "A fault of ours; the log has the details."},
    503: {"unavailable": "Something that is needed is away; try again after Retry-After."},
}
OF_KEYS: Final = (Unauthorized, Forbidden, RateLimited)
OF_BODIES: Final = (InvalidBody, InvalidJson, WrongContentType, BodyTooLarge)
OF_REPEATS: Final = (BadIdempotencyKey, IdempotencyKeyReused, BodyTooLarge)

HEADERS: Final[Mapping[str, Schema]] = {
    "X-Request-Id": {
        "description": "Names the request; the log has it too.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Limit": {
        "description": "Requests that may be made at once.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Remaining": {
        "description": "Of those, what is left.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until all may be made again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "How to say who you are.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "There if this is the answer to an earlier request of the same key.",
        "schema": {"const": "true"},
    },
}
OF_LIMITS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
HEADERS_OF: Final[Mapping[int, Sequence[str]]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", *OF_LIMITS),
    503: ("Retry-After",),
}


def answers(operation: Operation, schemas: Schemas, shared: dict[str, Schema]) -> Schema:
    """Return every answer that an operation may give; refusals are put where all share them."""
    success: Schema = {
        "description": HTTPStatus(operation.status).phrase,
        "headers": headers("X-Request-Id"),
    }
    if operation.gives is not None:
        streams = operation.media_type == STREAM
        schema = dict(FRAME) if streams else schemas.of(operation.gives)
        success["content"] = {operation.media_type: content(schema, schemas, operation.name)}
    if is_repeatable(operation):
        success["headers"] |= headers("Idempotent-Replayed")
    told = {str(operation.status): success}
    for status, codes in sorted(refusals(operation).items()):
        name = f"{status}-{'-'.join(sorted(codes))}"
        shared[name] = problem(status, codes)
        told[str(status)] = {"$ref": f"#/components/responses/{name}"}
    for status, kind in operation.gives_too.items():
        if kind is None:
            told[str(status)] = {"description": HTTPStatus(status).phrase}
            continue
        refused = problem(status, refusals(operation).get(status, {}))
        told[str(status)] = either(refused, operation.media_type, schemas.of(kind))
    return told


def refusals(operation: Operation) -> dict[int, dict[str, str]]:
    """Return the codes of everything that an operation may refuse, by status."""
    kinds: list[type[Refusal]] = list(operation.refuses)
    kinds += OF_KEYS if operation.scope else ()
    kinds += OF_BODIES if operation.takes else ()
    kinds += (InvalidBody,) if operation.asks else ()
    kinds += (NotFound,) if ids_in(operation.path) else ()
    kinds += OF_REPEATS if is_repeatable(operation) else ()
    kinds += (UnderWay,) if is_repeatable(operation) and operation.repeats != "own" else ()
    kinds += (AnswerLost,) if operation.repeats == "sealed" else ()
    told = {status: dict(codes) for status, codes in ALWAYS.items()}
    for kind in kinds:
        told.setdefault(kind.status, {}).setdefault(kind.code, inspect.getdoc(kind) or "")
    return told


def problem(status: int, codes: Mapping[str, str]) -> Schema:
    """Return a refusal: its codes, and when each is given."""
    names = list(codes)
    return {
        "description": "\n".join(f"- `{code}`: {when}" for code, when in codes.items()),
        "headers": headers("X-Request-Id", *HEADERS_OF.get(status, ())),
        "content": {
            JSON: {
                "schema": {
                    "allOf": [
                        {"$ref": REF + Problem.__name__},
                        {"type": "object", "properties": {"code": {"enum": names}}},
                    ]
                },
                "example": {"detail": codes[names[-1]].rstrip("."), "code": names[-1]},
            }
        },
    }


def either(refused: Schema, media_type: str, schema: Schema) -> Schema:
    """Return an answer that is a refusal, or of this schema."""
    told = refused["content"].pop(JSON)
    refused["content"][media_type] = {"schema": {"anyOf": [schema, told["schema"]]}}
    return refused


def headers(*names: str) -> Schema:
    """Return headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def content(schema: Schema, schemas: Schemas, name: str = "") -> Schema:
    """Return a body with an example of it; of the operation or the event of this name."""
    return {"schema": schema, "example": shown(name, sample(schema, schemas.components))}


def ids_in(path: str) -> list[str]:
    """Return the names of what a path leaves open."""
    return [part.strip("{}") for part in path.split("/") if part.startswith("{")]


def is_repeatable(operation: Operation) -> bool:
    """Tell whether an Idempotency-Key means something to an operation."""
    return operation.method == "POST"
