"""Bodies and queries about webhook endpoints, and how endpoints look from outside.

A secret is in one answer only, that of the request that made it. Values of headers are in
none: they are passwords of the receiver.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
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
from ctrip.web.endpoint_fields import (
    Concurrency,
    Description,
    EventIds,
    Headers,
    OwnSecret,
    Patterns,
    Rate,
    State,
    Type,
    Url,
)
from ctrip.web.lists import PAGE_MAX, TIME_WORDS, Limit, Time

PATTERN_WORDS: Final = "must be ids of events, such as evt_0123456789abcdef0123456789abcdef"

Signature = Literal["hmac", "ed25519"]


class CreateEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints."""

    url: Url
    description: Description = ""
    event_types: Patterns = (ANY,)
    format: Format = Format.STANDARD
    headers: Headers = {}
    concurrency_max: Concurrency = CONCURRENCY_DEFAULT
    rate_max: Rate | None = None
    secret: OwnSecret | None = None
    signature: Signature = "hmac"


class ChangeEndpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PATCH /api/v1/webhook-endpoints/{id}: what is not said stays."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    event_types: Patterns | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    concurrency_max: Concurrency | UnsetType = UNSET
    rate_max: Rate | UnsetType | None = UNSET


class RotateSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/rotate-secret."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=604_800)] = int(ROTATION_OVERLAP.total_seconds())
    secret: OwnSecret | None = None
    signature: Signature | None = None


class Redeliver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/redeliver."""

    event_ids: EventIds


class Recover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/webhook-endpoints/{id}/recover."""

    since: Time
    until: Time | None = None
    event_types: Patterns | None = None
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
    type: Type
    payment_id: PaymentId | None
    endpoint_id: EndpointId
    state: State
    attempts: int
    outcome: str | None
    next_attempt_at: datetime | None
    ended_at: datetime | None


class Sent(Struct, frozen=True):
    """A test event that is on its way."""

    event_id: EventId


class Queued(Struct, frozen=True):
    """How many events are sent again."""

    queued: int


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
