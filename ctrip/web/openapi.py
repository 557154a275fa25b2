"""The API in OpenAPI 3.1, made from the same operations as the routes."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from ctrip.core.endpoints import EndpointId
from ctrip.core.events import EventType
from ctrip.core.idempotency import KEY_LENGTH_MAX
from ctrip.core.ids import EventId, KeyId, PaymentId
from ctrip.core.notices import EndpointDisabled, Trial
from ctrip.core.view import EventView, PaymentView
from ctrip.web.answers import HEADERS, JSON, answers, content, ids_in, is_repeatable
from ctrip.web.meanings import meaning
from ctrip.web.operation import Operation
from ctrip.web.problems import (
    Problem,
)
from ctrip.web.schemas import Schema, Schemas

Refused = Mapping[int, Mapping[str, str]]  # status -> code -> when

CREATED: Final = 201
TITLE: Final = "ctrip"
SAYS: Final = """\
A payment gateway for EVM chains that you host yourself. JSON in and out; times are RFC 3339
in UTC. Amounts are integers of base units, beyond 2^53 too: read them with a parser that keeps
long integers. Fields may be added to answers; none is renamed or removed. Branch on the `code`
of a refusal: sentences may change. A method that a path does not have is answered 405 with the
code `method_not_allowed`."""

PATH_IDS: Final[Mapping[str, Any]] = {
    "payment_id": PaymentId,
    "event_id": EventId,
    "endpoint_id": EndpointId,
    "key_id": KeyId,
}
TAGS: Final[Mapping[str, str]] = {
    "payments": "Make a payment, show it to whoever pays, and see what became of it.",
    "chains": "Networks that payments can be made on.",
    "tokens": "Tokens that payments can be made in.",
    "events": "Everything that was ever announced, in one order.",
    "webhook-endpoints": "Who is told of events, and what became of what was sent.",
    "keys": "Who may do what.",
    "operations": "For those who run the gateway. No key is needed.",
}

SECURITY: Final[Mapping[str, Schema]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`ctrip keys create` makes one."},
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}
DATA_OF_NOTICE: Final = {
    EventType.TEST: Trial,
    EventType.ENDPOINT_DISABLED: EndpointDisabled,
}


def document(operations: Iterable[Operation]) -> Schema:
    """Return the whole document."""
    told = list(operations)
    schemas, shared = Schemas(), dict[str, Schema]()
    schemas.of(Problem)
    schemas.of(EventView)
    paths: dict[str, Schema] = {}
    for operation in told:
        paths.setdefault(operation.path, {})[operation.method.lower()] = describe(
            operation, schemas, shared
        )
    for operation in told:
        if links := links_of(operation, told):
            answer = paths[operation.path][operation.method.lower()]["responses"]
            answer[str(operation.status)]["links"] = links
    webhooks = {kind.value: {"post": webhook(kind, schemas)} for kind in EventType}
    tags = dict.fromkeys(map(tag_of, told))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": version("ctrip"),
            "description": SAYS,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": TAGS.get(tag, "")} for tag in tags],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas.components,
            "responses": shared,
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def describe(operation: Operation, schemas: Schemas, shared: dict[str, Schema]) -> Schema:
    """Return one operation."""
    told: Schema = {
        "operationId": operation.name,
        "tags": [tag_of(operation)],
        "summary": operation.says,
        "parameters": parameters(operation, schemas),
        "responses": answers(operation, schemas, shared),
        "security": [{name: [operation.scope]} for name in SECURITY] if operation.scope else [],
    }
    if operation.takes:
        told["requestBody"] = {
            "required": not operation.body_may_be_left_out,
            "content": {JSON: content(schemas.of(operation.takes), schemas)},
        }
    return told


def links_of(operation: Operation, told: Iterable[Operation]) -> Schema:
    """Return where what was made, or what is first on a list, can be used."""
    within = {"POST": "", "GET": "/data/0"}.get(operation.method)
    is_about_all = (not ids_in(operation.path) and operation.asks) or operation.status == CREATED
    links = {name: dict(values) for name, values in operation.links.items()}
    if within is not None and is_about_all:
        for other in told:
            rest = other.path.removeprefix(operation.path + "/{")
            if rest != other.path and len(ids_in(other.path)) == 1:
                links.setdefault(
                    other.name, {rest.partition("}")[0]: f"$response.body#{within}/id"}
                )
    return {name: {"operationId": name, "parameters": values} for name, values in links.items()}


def tag_of(operation: Operation) -> str:
    """Return under which word an operation is listed."""
    first, _, _ = operation.path.removeprefix("/api/v1").lstrip("/").partition("/")
    return operation.tag or (first if operation.path.startswith("/api/") else "operations")


def parameters(operation: Operation, schemas: Schemas) -> list[Schema]:
    """Return what is said in the path, in the query and in headers."""
    told: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            **meaning(operation.name, name),
            "schema": schemas.of(PATH_IDS.get(name, str)),
        }
        for name in ids_in(operation.path)
    ]
    for name, schema, required in schemas.parameters_of(operation.asks) if operation.asks else ():
        means = meaning(operation.name, name)
        told.append({"name": name, "in": "query", "required": required, **means, "schema": schema})
    if is_repeatable(operation):
        told.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Sent again with the same request, it is answered as before.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": KEY_LENGTH_MAX,
                    "pattern": "^[!-~]([ -~]*[!-~])?$",
                },
            }
        )
    return told


def webhook(kind: EventType, schemas: Schemas) -> Schema:
    """Return what a receiver is sent when this happens."""
    data = schemas.of(DATA_OF_NOTICE.get(kind, PaymentView))
    body = {
        "allOf": [
            schemas.of(EventView),
            {
                "type": "object",
                "properties": {"type": {"const": kind.value}, "data": data},
            },
        ]
    }
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "operationId": "on_" + kind.value.replace(".", "_"),
        "summary": f"Sent when {kind.value} is announced.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        "requestBody": {"required": True, "content": {JSON: content(body, schemas, kind)}},
        "responses": {
            "2XX": {"description": "Taken; it is not sent again."},
            "410": {"description": "Send nothing here any more."},
            "default": {"description": "It is sent again, later each time."},
        },
    }
