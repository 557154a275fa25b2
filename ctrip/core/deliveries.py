"""A delivery on its way: what a sender holds of it, and what it says afterwards."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ctrip.core.endpoints import EndpointId, Format, Kind
from ctrip.core.events import EventType
from ctrip.core.ids import EventId, PaymentId


class Claim(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that is ours until its lease ends, with all that is sent."""

    event_id: EventId
    endpoint_id: EndpointId
    claim_id: UUID
    attempts: int  # this one included
    faults: int
    manual: bool
    payment_id: PaymentId | None
    sequence: int
    type: EventType
    created_at: datetime
    body: bytes
    url: str
    kind: Kind
    format: Format
    revision: int  # of the endpoint
    failures: int  # of the endpoint, before this
    width: int = 1  # slots of the endpoint, less what other senders hold of them
    slots: int = 1  # that a claim could fill; as many were claimed, or there were no more


class Ended(Struct, frozen=True, kw_only=True, gc=False):
    """What became of an attempt."""

    claim: Claim
    delivered: bool
    due_at: datetime | None  # of the next attempt; None: there is none
    outcome: str  # a status, or a kind of failure
    milliseconds: int
    address: str | None
    answer: bytes
    ours: bool = False  # the fault was our own: it costs the receiver no attempt
