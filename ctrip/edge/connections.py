"""What connections know of each other: who is waited for, and who must go.

A connection is either busy with a request or due by a time. Server looks at these times ten
times a second, so that a request costs no timer. When there are too many connections the
one that is due the longest makes room.
"""

from collections import Counter
from itertools import islice
from typing import Any, Final, Protocol

from msgspec import Struct
from uvicorn.server import ServerState

from ctrip import logs

ENDED_AT_ONCE_MAX: Final = 200  # connections in a look; some 6 ms

log = logs.get("ctrip.edge")


class Connection(Protocol):
    """One of them; protocol.Http is one."""

    transport: Any

    def time_is_up(self) -> None: ...


class Limits(Struct, frozen=True, kw_only=True):
    """How many connections there may be, and how long each may take."""

    connections_max: int
    head_seconds: float = 10.0  # from connecting, or the first byte, to the end of the headers
    body_seconds: float = 10.0  # to its end, from the end of the headers
    idle_seconds: float = 75.0  # between requests; longer than clients and proxies keep theirs
    rest_seconds: float = 2.0  # for a body that was answered early, or for hanging up
    write_seconds: float = 30.0  # without reading what we answer


class Edge(ServerState):
    """What connections know of each other."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.due: dict[
            Connection, float
        ] = {}  # who is not busy, the longest due first, and until when
        self.refused: Counter[str] = Counter()

    def look(self, now: float) -> None:
        """End what is due; not all at once, or others would wait for it."""
        late = (connection for connection, until in self.due.items() if until <= now)
        for connection in list(islice(late, ENDED_AT_ONCE_MAX)):
            connection.time_is_up()

    def make_room(self) -> bool:
        """Drop who is due the longest; say whether there was one."""
        oldest = next(iter(self.due), None)
        if oldest is not None:
            del self.due[oldest]
            self.refused["dropped_for_others"] += 1
            oldest.transport.abort()
        return oldest is not None

    def tell(self) -> None:
        """Log what was refused: in one line, because a line for each would be one more attack."""
        if self.refused:
            log.warning("refused at the edge", **self.refused)
            self.refused.clear()

    def end_requests(self) -> None:
        """Stop what was not done in time."""
        for task in list(self.tasks):
            task.cancel()

    def end_connections(self) -> None:
        """Close what is still open."""
        for connection in list(self.connections):
            connection.transport.abort()
