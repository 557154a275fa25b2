"""How a connection behaves: bounded in what it sends, and in the time it takes for it.

uvicorn waits for ever for a head, takes one of any size, and any number of connections. The
parser is its own (httptools), which refuses what can be read in two ways, but for what is
looked at here. What cannot be served is answered like any other fault, and then listened to
a little longer, or the answer would be lost on the way.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ctrip.core.errors import RequestError
from ctrip.edge.connections import Edge
from ctrip.edge.line import Line
from ctrip.edge.refusals import (
    BODY_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEADERS_MAX,
    URI_BYTES_MAX,
    NoRoom,
    NotHttp,
    TooSlow,
    UriTooLong,
    answer,
    too_large,
)

REST_BYTES_MAX: Final = 4_194_304  # thrown away after the last answer
PIPELINE_MAX: Final = 16  # requests sent ahead of their answers; each holds kilobytes

App = Callable[..., Any]  # ASGI


class Http(HttpToolsProtocol):
    """uvicorn's protocol with limits. A fault is raised in a callback of the parser."""

    def __init__(
        self,
        config: Config,
        server_state: Edge,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._edge = server_state
        self._limits = server_state.limits
        self._taken = 0  # bytes of the message under way
        self._is_in_body = False
        self._is_deaf = False  # nothing more is parsed
        self._head_size = 0
        self._hosts = 0
        self._length = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Take a connection, if need be in the place of another."""
        self._line = Line(transport, self.loop, self._ending)
        super().connection_made(cast("asyncio.Transport", self._line))
        is_full = len(self.connections) > self._limits.connections_max
        if is_full and not self._edge.make_room():
            self._refuse(NoRoom("Too many connections; try again"))
        else:
            self._wait(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._edge.due.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse what cannot be."""
        if not self._taken and not self._is_busy():
            self._wait(self._limits.head_seconds)
        self._taken += len(data)
        if self._is_deaf:
            if self._taken > REST_BYTES_MAX:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_deaf = True  # the request is answered as if it had not asked, and is the last
        except httptools.HttpParserError as fault:
            ours = fault.__context__
            self._refuse(ours if isinstance(ours, RequestError) else NotHttp("Not valid HTTP/1.1"))
        else:
            if self._taken > (BODY_BYTES_MAX if self._is_in_body else HEAD_BYTES_MAX):
                self._refuse(too_large(body=self._is_in_body))
            elif self._is_in_body and self not in self._edge.due:
                self._wait(self._limits.body_seconds)

    def on_message_begin(self) -> None:
        """Start counting."""
        if len(self.pipeline) >= PIPELINE_MAX:
            raise NotHttp("Too many requests ahead of their answers")
        super().on_message_begin()
        self._head_size = self._hosts = self._length = 0

    def on_url(self, url: bytes) -> None:
        """Bound the request line."""
        super().on_url(url)
        if len(self.url) > URI_BYTES_MAX:
            raise UriTooLong(f"Path and query may have at most {URI_BYTES_MAX} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the headers; drop trailers, which would pass for headers that were checked."""
        self._head_size += len(name) + len(value)
        if self._head_size > HEAD_BYTES_MAX or len(self.headers) >= HEADERS_MAX:
            raise too_large(body=False)
        if self._is_in_body:
            return
        super().on_header(name, value)
        name = self.headers[-1][0]
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding" and self.parser.get_http_version() == "1.0":
            raise NotHttp("HTTP/1.0 has no Transfer-Encoding")

    def on_headers_complete(self) -> None:
        """Start the request."""
        if self._hosts != 1 and (self._hosts or self.parser.get_http_version() != "1.0"):
            raise NotHttp("A request has one Host header")
        if b"%00" in self.url:
            raise NotHttp("The path holds U+0000")
        super().on_headers_complete()
        self._is_in_body = True
        self._edge.due.pop(self, None)
        if self._length > BODY_BYTES_MAX or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Be ready for the next one."""
        super().on_message_complete()
        self._is_in_body = False
        self._taken = 0
        if self._is_busy():
            self._edge.due.pop(self, None)
        else:  # it was answered before it ended
            self._wait(self._limits.idle_seconds)

    def on_response_complete(self) -> None:
        """Start what was sent ahead, or wait."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            limits = self._limits
            self._wait(limits.rest_seconds if self._is_in_body else limits.idle_seconds)

    def pause_writing(self) -> None:
        """The other side reads slower than we answer."""
        super().pause_writing()
        self._wait(self._limits.write_seconds)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        if self._is_busy():
            self._edge.due.pop(self, None)
        else:
            self._wait(self._limits.idle_seconds)

    def time_is_up(self) -> None:
        """Hang up; with a word, if something was asked."""
        if self._is_deaf or self.flow.write_paused or self.transport.is_closing():
            self.transport.abort()
        elif self._taken and not self._is_in_body:
            seconds = self._limits.head_seconds
            self._refuse(TooSlow(f"The headers must arrive within {seconds:g} s"))
        elif self._is_in_body and self._is_busy():
            seconds = self._limits.body_seconds
            self._refuse(TooSlow(f"The body must arrive within {seconds:g} s"))
        else:
            self._line.hang_up()
            self._wait(self._limits.rest_seconds)

    def shutdown(self) -> None:
        """Close, after the answer that is owed."""
        if self._is_busy():
            super().shutdown()
        else:
            self._line.hang_up()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first request

    def _wait(self, seconds: float) -> None:
        self._edge.due.pop(self, None)
        self._edge.due[self] = self.loop.time() + seconds

    def _ending(self) -> None:
        self._is_deaf = True
        self._taken = 1
        self.flow.resume_reading()
        self._wait(self._limits.rest_seconds)

    def _refuse(self, error: RequestError) -> None:
        self._is_deaf = True
        self._edge.refused[error.code] += 1
        if not self._is_busy():
            if not self._is_in_body:  # else it has its answer
                self.transport.write(answer(error))
            self.transport.close()
        elif not self._is_in_body:
            self.cycle.keep_alive = False  # what came before is answered, and nothing after
        elif self.pipeline or self.cycle.response_started:
            self.transport.abort()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.write(answer(error))
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: App) -> None:
        super()._start_asgi_task(cycle, partial(to_the_end, app, cycle))


async def to_the_end(
    app: App, cycle: RequestResponseCycle, scope: Any, receive: Any, send: Any
) -> None:
    """Answer even a request that is stopped because we stop."""
    try:
        await app(scope, receive, send)
    except asyncio.CancelledError:
        if not cycle.response_started:
            cycle.transport.write(answer(NoRoom("Stopping; try again")))
        cycle.disconnected = True
        cycle.transport.close()
