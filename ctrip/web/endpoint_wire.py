"""Bodies and queries about webhook endpoints, and how endpoints look from outside.

A secret is in one answer only, that of the request that made it. Values of headers are in
none: they are passwords of the receiver.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ctrip.core.endpoints import (
    ANY,
    CONCURRENCY_DEFAULT,
    ROTATION_OVERLAP,
    EndpointId,
    Format,
    Kind,
)
from ctrip.core.ids import EventId, PaymentId
from ctrip.flows.keyring import KeyShown, Shown
from ctrip.flows.register import Change, New
from ctrip.settings import Secret
from ctrip.store.delivery_log import Delivery
from ctrip.store.endpoints import Endpoint
from ctrip.store.replays import Replay
from ctrip.web.problems import FieldError, InvalidBody

PAGE_MAX: Final = 100  # rows in one answer
PATTERN_WORDS: Final = "must be ids of events, such as evt_0123456789abcdef0123456789abcdef"
TIME_WORDS: Final = "must be a time such as 2026-01-31T12:00:00Z"

Signature = Literal["hmac", "ed25519"]
Time = Annotated[datetime, Meta(tz=True)]
KnownEventId = Annotated[str, Meta(pattern=r"^evt_[0-9a-f]{32}\Z")]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


class CreateEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints."""

    url: str
    description: str = ""
    event_types: tuple[str, ...] = (ANY,)
    format: Format = Format.STANDARD
    headers: dict[str, str] = {}
    concurrency_max: int = CONCURRENCY_DEFAULT
    rate_max: float | None = None
    secret: str | None = None
    signature: Signature = "hmac"


class ChangeEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PATCH /api/v1/webhook-endpoints/{id}: what is not said stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    concurrency_max: int | UnsetType = UNSET
    rate_max: float | UnsetType | None = UNSET


class RotateSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/rotate-secret."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=604_800)] = int(ROTATION_OVERLAP.total_seconds())
    secret: str | None = None
    signature: Signature | None = None


class Redeliver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/redeliver."""

    event_ids: tuple[KnownEventId, ...]


class Recover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/recover."""

    since: Time
    until: Time | None = None
    event_types: tuple[str, ...] | None = None
    include_delivered: bool = False


class ListEndpoints(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/webhook-endpoints."""

    kind: Kind | None = None
    limit: Limit = PAGE_MAX
    cursor: str = ""


class ListDeliveries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/webhook-endpoints/{id}/deliveries."""

    state: Literal["waiting", "delivered", "dead"] | None = None
    limit: Limit = PAGE_MAX
    cursor: str = ""


CREATE: Final = msgspec.json.Decoder(CreateEndpoint)
CHANGE: Final = msgspec.json.Decoder(ChangeEndpoint)
ROTATE: Final = msgspec.json.Decoder(RotateSecret)
REDELIVER: Final = msgspec.json.Decoder(Redeliver)
RECOVER: Final = msgspec.json.Decoder(Recover)
WORDS: Final = {"event_ids": PATTERN_WORDS, "since": TIME_WORDS, "until": TIME_WORDS}


class EndpointView(Struct, frozen=True, kw_only=True):
    """A webhook endpoint."""

    id: EndpointId
    kind: Kind
    url: str
    description: str
    event_types: Sequence[str]
    format: Format
    header_names: list[str] | None  # null: no configured key opens them
    concurrency_max: int
    rate_max: float | None
    enabled: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    secrets: list[KeyShown]
    created_at: datetime
    updated_at: datetime
    secret: str | UnsetType = UNSET  # in the answer to whoever made it


class DeliveryView(Struct, frozen=True, kw_only=True):
    """How far an event has come on its way to an endpoint."""

    event_id: EventId
    type: str
    payment_id: PaymentId | None
    endpoint_id: EndpointId
    state: str
    attempts: int
    outcome: str | None
    next_attempt_at: datetime | None
    ended_at: datetime | None


class ReplayView(Struct, frozen=True, kw_only=True):
    """A recovery, under way or ended."""

    id: UUID
    endpoint_id: EndpointId
    since: datetime
    until: datetime
    event_types: Sequence[str]
    include_delivered: bool
    queued: int
    position: int
    position_last: int
    created_at: datetime
    ended_at: datetime | None


def new_of(asked: CreateEndpoint) -> New:
    """Return what a body asks to be made."""
    return New(
        url=asked.url,
        description=asked.description,
        event_types=asked.event_types,
        format=asked.format,
        headers=hidden(asked.headers),
        concurrency_max=asked.concurrency_max,
        rate_max=asked.rate_max,
        secret=None if asked.secret is None else Secret(asked.secret),
        signature=asked.signature,
    )


def change_of(asked: ChangeEndpoint) -> Change:
    """Return what a body asks to be changed."""
    return Change(
        url=asked.url,
        description=asked.description,
        event_types=asked.event_types,
        format=asked.format,
        headers=UNSET if asked.headers is UNSET else hidden(asked.headers),
        concurrency_max=asked.concurrency_max,
        rate_max=asked.rate_max,
    )


def hidden(headers: Mapping[str, str]) -> dict[str, Secret]:
    """Return headers whose values show themselves to nobody."""
    return {name: Secret(value) for name, value in headers.items()}


def in_utc(name: str, time: datetime) -> datetime:
    """Return a time as the database takes it; an offset can lead out of the calendar."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidBody([FieldError(name, TIME_WORDS)]) from None


def show_endpoint(endpoint: Endpoint, beside: Shown) -> EndpointView:
    """Put an endpoint into the words of the contract."""
    return EndpointView(
        id=endpoint.id,
        kind=endpoint.kind,
        url=endpoint.url,
        description=endpoint.description,
        event_types=endpoint.event_types,
        format=endpoint.format,
        header_names=beside.header_names,
        concurrency_max=endpoint.concurrency_max,
        rate_max=endpoint.rate_max,
        enabled=endpoint.enabled,
        disabled_reason=endpoint.disabled_reason,
        failures=endpoint.failures,
        failing_since=endpoint.failing_since,
        paused_until=endpoint.paused_until,
        secrets=beside.secrets,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


def show_delivery(delivery: Delivery) -> DeliveryView:
    """Put a delivery into the words of the contract."""
    return DeliveryView(
        event_id=delivery.event_id,
        type=delivery.type,
        payment_id=delivery.payment_id,
        endpoint_id=delivery.endpoint_id,
        state=delivery.state,
        attempts=delivery.attempts,
        outcome=delivery.outcome,
        next_attempt_at=delivery.due_at if delivery.state == "waiting" else None,
        ended_at=delivery.ended_at,
    )


def show_replay(replay: Replay) -> ReplayView:
    """Put a recovery into the words of the contract."""
    return ReplayView(
        id=replay.id,
        endpoint_id=replay.endpoint_id,
        since=replay.since,
        until=replay.until,
        event_types=replay.event_types,
        include_delivered=replay.delivered,
        queued=replay.queued,
        position=replay.after,
        position_last=replay.last,
        created_at=replay.created_at,
        ended_at=replay.ended_at,
    )


class Cursor(Struct, frozen=True, array_like=True):
    """After which row a list goes on. Opaque to whoever is handed one."""

    of: str
    time: Time
    id: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*\Z")]


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as it travels."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, *, of: Sequence[str]) -> Cursor | None:
    """Return a cursor that came back, None for the start; refuse one of another list."""
    if not text:
        return None
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        cursor = msgspec.json.decode(urlsafe_b64decode(padded), type=Cursor)
        cursor.time.astimezone(UTC)
    except (ValueError, OverflowError, RecursionError):
        cursor = None
    if cursor is None or cursor.of not in of:
        raise InvalidBody([FieldError("cursor", "is not one that this list gave")])
    return cursor
