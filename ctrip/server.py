"""uvicorn, as we want it: a port taken early, signals left alone, an edge that holds.

uvicorn raises the signal that stopped it once more when it is done, which would end the
process before the rest of us. So signals are app.py's. How a connection behaves is edge's.
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn

from ctrip.core.errors import ConfigError
from ctrip.edge.connections import Edge, Limits
from ctrip.edge.protocol import Http
from ctrip.settings import Server as ServerSettings

REQUEST_SECONDS_LEFT: Final = 2  # for requests under way when we are told to stop
ANSWER_SECONDS_LEFT: Final = 0.2  # for the answers of those that did not finish
BACKLOG: Final = 2_048  # connections that wait to be accepted
CONNECTIONS_MAX: Final = 8_192  # at once; an idle one holds some kilobytes
FILES_KEPT: Final = 1_024  # descriptors for Postgres, endpoints, receivers and files
TELL_TICKS: Final = 600  # of uvicorn's, 0.1 s each: how often the log says what was refused


class Server(uvicorn.Server):
    """uvicorn without its own ideas about signals, and with an eye on its connections."""

    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self.server_state = self._edge = Edge(limits)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to serve()."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look after connections; uvicorn calls this ten times a second."""
        self._edge.look(asyncio.get_running_loop().time())
        if counter % TELL_TICKS == 0:
            self._edge.tell()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish, answer those that do not, and hang up."""
        self._edge.tell()
        later = asyncio.get_running_loop().call_later
        timers = (
            later(REQUEST_SECONDS_LEFT, self._edge.end_requests),
            later(REQUEST_SECONDS_LEFT + ANSWER_SECONDS_LEFT, self._edge.end_connections),
        )
        await super().shutdown(sockets)
        for timer in timers:
            timer.cancel()


def http_server(site: Callable[..., Any], limits: Limits | None = None) -> Server:
    """Return a server for a site; serve(sockets=[…]) runs it until should_exit."""
    config = uvicorn.Config(
        site,
        http=Http,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=REQUEST_SECONDS_LEFT + 1,  # ours come first
    )
    return Server(config, limits or Limits(connections_max=room()))


def room() -> int:
    """Let this process open as many files as it may; return how many may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls it unlimited and then is not
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return min(CONNECTIONS_MAX, max(soft // 2, soft - FILES_KEPT))


def listen(server: ServerSettings) -> socket.socket:
    """Take the port before anything else is started."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family, backlog=BACKLOG)
    except OSError as fault:
        raise ConfigError(
            f"[server] cannot listen on {server.host} port {server.port} ({fault.strerror}): "
            f"stop what uses it, or choose another port (0 takes any free one)"
        ) from None


def url_of(listener: socket.socket) -> str:
    """Return the URL that a socket listens at."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
