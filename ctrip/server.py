"""uvicorn, as we want it: a port taken early, signals left alone, one write for an answer.

uvicorn raises the signal that stopped it once more when it is done, which would end the
process before the rest of us. So signals are app.py's.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ctrip.core.errors import ConfigError
from ctrip.settings import Server as ServerSettings

REQUEST_SECONDS_LEFT: Final = 2  # for requests under way when we are told to stop
BACKLOG: Final = 2_048  # connections that wait to be accepted


class Server(uvicorn.Server):
    """uvicorn without its own ideas about signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to serve()."""
        yield


def http_server(site: Callable[..., Any]) -> Server:
    """Return a server for a site; serve(sockets=[…]) runs it until should_exit."""
    return Server(
        uvicorn.Config(
            site,
            http=Http,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=REQUEST_SECONDS_LEFT,
        )
    )


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


class OneWrite:
    """A transport that sends what was written in one turn of the loop with one system call.

    uvicorn writes headers and body separately, and each write wakes the other side: for our
    short answers that was a third of the time a request took.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` before the loop waits again."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)

    def close(self) -> None:
        """Send what is left, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Http(HttpToolsProtocol):
    """uvicorn's protocol, writing once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Take a connection."""
        super().connection_made(cast("asyncio.Transport", OneWrite(transport, self.loop)))
