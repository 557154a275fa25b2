"""News of ctrip itself, sent like news of payments: same body, same signatures.

A notice belongs to no payment, so its sequence is 0 and nothing is stale because of it.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.endpoints import EndpointId
from ctrip.core.events import EventType
from ctrip.core.ids import EventId

TEST_MESSAGE = "This is a test event; nothing happened."


class Trial(Struct, frozen=True, kw_only=True):
    """Data of webhook.test."""

    endpoint_id: EndpointId
    message: str = TEST_MESSAGE


class EndpointDisabled(Struct, frozen=True, kw_only=True):
    """Data of webhook.endpoint_disabled."""

    endpoint_id: EndpointId
    url: str
    reason: str
    failing_since: datetime | None


class Notice(Struct, frozen=True, kw_only=True):
    """One piece of news that is not of a payment."""

    id: EventId
    type: EventType
    data: Trial | EndpointDisabled
