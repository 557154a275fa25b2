"""Writes down how attempts ended, and what their failures come to for the endpoints.

An endpoint that fails again and again is left alone for a while, and disabled after days, or at
once if it says that it is gone. A site is not: its next payment may name another path.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from ctrip.core.deliveries import Ended
from ctrip.core.endpoints import GONE, Disable, Kind, Leave, after_failures
from ctrip.flows.conclude import GONE_STATUS
from ctrip.flows.disable import disable
from ctrip.flows.stops import Stops
from ctrip.store import endpoints, queue
from ctrip.store.endpoints import Endpoint, Tally
from ctrip.store.pool import Conn, Pool, connection, transaction


async def write_and_judge(
    pool: Pool, batch: Sequence[Ended], tallies: Sequence[Tally], stops: Stops, *, now: datetime
) -> None:
    """Write what has ended, and what follows for the endpoints of these tallies."""
    if not tallies:  # a statement alone saves two round trips through a loop that is busy
        async with connection(pool) as conn:
            await queue.complete(conn, batch, now=now)
        return
    gone = {end.claim.endpoint_id for end in batch if end.outcome == str(GONE_STATUS)}
    async with transaction(pool) as conn:
        await queue.complete(conn, batch, now=now)
        judged = [
            await _judge(conn, endpoint, now, gone=endpoint.id in gone)
            for endpoint in await endpoints.count(conn, tallies, now=now)
        ]
    for stopped in filter(None, judged):
        stops.note(stopped.id, stopped.revision)


async def _judge(conn: Conn, endpoint: Endpoint, now: datetime, *, gone: bool) -> Endpoint | None:
    """Leave an endpoint alone, or for good, if its failures come to that; return it then."""
    follows: Leave | Disable | None = None
    if gone and endpoint.kind is not Kind.SITE:
        follows = Disable(GONE)
    elif endpoint.failing_since:
        follows = after_failures(endpoint.kind, endpoint.failures, endpoint.failing_since, now)
    match follows:
        case Leave(until=until):
            return await endpoints.pause(conn, endpoint.id, until=until)
        case Disable(reason=reason):
            return await disable(conn, endpoint.id, reason, now=now)
        case None:
            return None
        case _:
            assert_never(follows)
