"""End an endpoint: by hand, because it is gone, or because it failed for too long."""

from datetime import datetime
from typing import Final
from uuid import uuid4

from ctrip import logs
from ctrip.core.endpoints import BY_HAND, EndpointId
from ctrip.core.events import EventType
from ctrip.core.ids import EventId
from ctrip.core.notices import EndpointDisabled, Notice
from ctrip.store import endpoints, outbox
from ctrip.store.endpoints import Endpoint
from ctrip.store.pool import Conn

EVENT_PREFIX: Final = "evt_"

log = logs.get("ctrip.endpoints")


async def disable(
    conn: Conn, endpoint_id: EndpointId, reason: str, *, now: datetime
) -> Endpoint | None:
    """Send nothing to an endpoint any more, and tell the others, in the caller's transaction.

    Return None if that was so already.
    """
    ended = await endpoints.disable(conn, endpoint_id, reason, now=now)
    if ended is None:
        return None
    say = log.info if reason == BY_HAND else log.error
    say("endpoint disabled", endpoint_id=endpoint_id, reason=reason)
    notice = Notice(
        id=new_event_id(),
        type=EventType.ENDPOINT_DISABLED,
        data=EndpointDisabled(
            endpoint_id=endpoint_id,
            url=ended.url,
            reason=reason,
            failing_since=ended.failing_since,
        ),
    )
    await outbox.write(conn, outbox.columns([outbox.notice_row(notice, now)], now=now))
    return ended


def new_event_id() -> EventId:
    """Return an id for news that is of no payment; it looks like that of any other."""
    return EventId(EVENT_PREFIX + uuid4().hex)
