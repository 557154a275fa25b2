"""An example of everything, made from its schema: what a field is called says what to show.

So a field that is new has an example at once, and none can go stale. A test holds each
against its schema, and sends those of requests to a site.
"""

from collections.abc import Mapping
from typing import Any, Final

from ctrip.core.events import EventType
from ctrip.web.schemas import ADDRESS, HASH, REF, Schema

TIME: Final = "2026-01-31T12:00:00Z"
PAYMENT: Final = "0197a000-0000-7000-8000-000000000001"
TOKEN: Final = "31d0379f-b25d-57fa-9f13-9afdbf4a8cd3"  # noqa: S105  an id
LEFT_OUT: Final = object()

# By the name of a field, or, where that could be two things, Struct.field.
VALUES: Final[Mapping[str, Any]] = {
    "Alive.status": "ok",
    "amount": 19_990_000,
    "amount_decimal": "19.99",
    "amount_received": 19_990_000,
    "address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "Attempt.address": "203.0.113.7",
    "Attempt.answer": "ok",
    "Attempt.outcome": "204",
    "attempt": 1,
    "attempts": 1,
    "chain": "base",
    "chain_id": 8453,
    "checkout_url": None,
    "code": "not_found",
    "confirmations": 12,
    "confirmations_required": 12,
    "confirmed_by": None,
    "counted": True,
    "Explanation.code": "waiting_for_confirmations",
    "Fact.code": "created",
    "Quote.amount": "19.99",
    "Quote.currency": "USD",
    "Quote.source": "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419",
    "rate": "0.9998",
    "round_id": "110680464442257320247",
    "detected_in_block": 21_000_000,
    "extended_seconds": 0,
    "flags": [],
    "log_index": 4,
    "orphaned": False,
    "sequence": 4,
    "settlement": "hold",
    "swept_in_block": None,
    "swept_in_tx": None,
    "amount_refunded": 0,
    "refunds": [],
    "Refund.state": "queued",
    "Refund.why": None,
    "Refund.tx_hash": None,
    "Refund.block_number": None,
    "Refund.ended_at": None,
    "source": "log",
    "status": "paid",
    "CreateEndpoint.secret": LEFT_OUT,  # one is made
    "Endpoint.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "RotateSecret.secret": LEFT_OUT,
    "currency": "USDC",
    "Chain.currency": "ETH",
    "Chain.decimals": 18,
    "cursor": LEFT_OUT,
    "decimals": 6,
    "description": "Two mugs",
    "detail": "No payment has this id",
    "event_types": ["payment.*"],
    "expires_at": "2026-01-31T12:30:00Z",
    "explorer": "https://basescan.org",
    "headers": {},
    "header_names": [],
    "id": PAYMENT,
    "metadata": {"cart": "77"},
    "name": "base",
    "message": "This is a test event; nothing happened.",
    "order_id": "A-1001",
    "outcome": "204",
    "overlap_seconds": 3600,
    "payment_id": PAYMENT,
    "payment_uri": "ethereum:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913@8453/transfer"
    "?address=0x70997970C51812dc3A010C7d01b50e0d17dc79C8&uint256=19990000",
    "Problem.allowed": LEFT_OUT,
    "Problem.errors": LEFT_OUT,
    "Problem.status": LEFT_OUT,
    "Readiness.status": "ok",
    "redirect_url": "https://shop.example/thanks",
    "state": "delivered",
    "symbol": "USDC",
    "token_id": TOKEN,
    "Token.id": TOKEN,
    "type": "payment.paid",
    "url": "https://shop.example/hooks/ctrip",
    "webhook_url": "https://shop.example/hooks/ctrip",
}
# What a request shows: what one needs for the first of them, and no more.
ASKED: Final[Mapping[str, Mapping[str, Any]]] = {
    "CreatePayment": {
        "chain": "base",
        "token_id": TOKEN,
        "amount": "19990000",
        "order_id": "A-1001",
        "description": "Two mugs",
    },
    "ChangeEndpoint": {"event_types": ["payment.paid", "payment.failed"]},
    "CreateEndpoint": {"url": "https://shop.example/hooks/ctrip", "event_types": ["payment.*"]},
    "ExtendPayment": {"expires_in": 3600},
    "RefundPayment": {"to": ADDRESS, "amount": "5000000"},
    "RotateSecret": {"overlap_seconds": 3600},
}
# What is said of one operation, or of one event, and not of every payment.
NEW: Final = {
    "status": "pending",
    "amount_received": 0,
    "confirmations": 0,
    "detected_in_block": None,
    "transfers": [],
}
OF: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_payment": NEW,
    EventType.CREATED: {"sequence": 1, "data": NEW},
    EventType.EXPIRED: {"data": NEW | {"status": "expired"}},
    EventType.CANCELLED: {"data": NEW | {"status": "failed", "flags": ["cancelled"]}},
    EventType.DETECTED: {"data": {"status": "detected", "confirmations": 1}},
    EventType.CONFIRMED: {"data": {"status": "confirmed"}},
    EventType.SETTLED: {"data": {"status": "settled"}},
    EventType.REFUNDED: {
        "data": {
            "amount_refunded": 5_000_000,
            "refunds": [
                {
                    "id": PAYMENT,
                    "to": ADDRESS,
                    "amount": 5_000_000,
                    "tx_hash": HASH,
                    "block_number": 21_000_100,
                }
            ],
        }
    },
    EventType.FAILED: {"data": NEW | {"status": "failed"}},
    EventType.TEST: {"sequence": 0},
    EventType.ENDPOINT_DISABLED: {"sequence": 0},
}


def shown(name: str, example: Any) -> Any:
    """Return an example as it is where it is shown."""
    return over(example, OF[name]) if name in OF else example


def over(whole: dict[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Put parts over what they are of, at any depth."""
    return whole | {
        name: over(whole[name], part) if isinstance(part, Mapping) else part
        for name, part in parts.items()
    }


def sample(schema: Schema, components: Mapping[str, Schema], path: str = "") -> Any:
    """Return an example of a schema; `path` is Struct.field, where it belongs to one."""
    name = path.partition(".")[2]
    if path in VALUES:
        return VALUES[path]
    if "const" in schema:
        return schema["const"]
    if "examples" in schema:
        return schema["examples"][0]
    if name in VALUES:
        return VALUES[name]
    if "$ref" in schema:
        return of_component(schema["$ref"].removeprefix(REF), components)
    if "allOf" in schema:
        return merged([sample(part, components, path) for part in schema["allOf"]])
    if "enum" in schema:
        return schema["enum"][0]
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return sample(schema[either][0], components, path)
    return of_kind(schema, components, path)


def of_component(name: str, components: Mapping[str, Schema]) -> Any:
    """Return an example of a struct."""
    if name in ASKED:
        return dict(ASKED[name])
    properties = components[name].get("properties", {})
    shown = {field: sample(of, components, f"{name}.{field}") for field, of in properties.items()}
    return {field: value for field, value in shown.items() if value is not LEFT_OUT}


def of_kind(schema: Schema, components: Mapping[str, Schema], path: str) -> Any:
    """Return an example of what is neither known by name nor chosen from a list."""
    match schema.get("type"):
        case "array":
            return [sample(schema["items"], components, path + "[]")] if "items" in schema else []
        case "object":
            properties = schema.get("properties", {})
            return {name: sample(of, components, f".{name}") for name, of in properties.items()}
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", 1))
        case "boolean":
            return schema.get("default", True)
        case "null":
            return None
        case _ if schema.get("format") == "date-time":
            return TIME
        case _ if schema.get("format") == "uuid":
            return PAYMENT
        case _:
            return schema.get("default", name_of_field(path))


def name_of_field(path: str) -> str:
    """Return a text that stands for any other."""
    return path.partition(".")[2].removesuffix("[]") or "text"


def merged(parts: list[Any]) -> Any:
    """Put objects into one, the later ones over the earlier."""
    whole: dict[str, Any] = {}
    for part in parts:
        whole |= part
    return whole
