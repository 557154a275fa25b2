"""HTTP connections to one endpoint, each for one request at a time, kept for the next.

An HTTP library hands the body of a response over in pieces, which were copied two times
before that and are joined afterwards. For blocks, which are megabytes of JSON, that costs as
much as parsing them. So the socket is read straight into the memory that is parsed
(asyncio.BufferedProtocol), and httptools reads the heads.

A server may close a connection that it has kept open, just when we send. Then nothing was
answered, and the request is sent once more on a new one: no JSON-RPC call that we make does
harm when it comes twice, not even a transaction, which has its nonce.
"""

import asyncio
import socket
import ssl
import zlib
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple, cast

import aiohappyeyeballs

from ctrip.chain.body import Body
from ctrip.chain.response import NotHttp, Response, TooLong
from ctrip.chain.target import Target

KEPT_SECONDS: Final = 15.0  # without a request; routers forget connections after a while
NEXT_ADDRESS_SECONDS: Final = 0.25  # until another address of the host is tried too (RFC 8305)
UNPACKED_HERE_BYTES_MAX: Final = 2**16  # what is larger is unpacked in a thread
GZIP: Final = 31  # of zlib's window sizes, the one with the header of gzip


class Broken(Exception):
    """The connection ended before the response did."""


class Unanswered(ConnectionError):
    """The connection ended before there was any response."""


class Exchange(NamedTuple):
    """A request that was sent, and what comes back for it."""

    response: Response
    done: asyncio.Future[None]


class Connection(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self) -> None:
        self.is_open = True
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._under_way: Exchange | None = None

    async def exchange(self, request: bytes, response: Response) -> None:
        """Send a request and wait for the response. Raises as `post` does."""
        assert self._transport is not None  # noqa: S101  it was made
        done = asyncio.get_running_loop().create_future()
        self._under_way = Exchange(response, done)
        self._transport.write(request)
        try:
            await done
        except BaseException:
            self.abort()
            raise
        finally:
            self._under_way = None
        if not response.leaves_open:
            self.abort()

    def is_stale(self, now: float) -> bool:
        return not self.is_open or now - self.idle_since > KEPT_SECONDS

    def abort(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's only behaves like one

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the protocol's signature
        return self._under_way.response.room() if self._under_way else memoryview(bytearray(1))

    def buffer_updated(self, nbytes: int) -> None:
        if self._under_way is None or self._under_way.done.done():
            self.abort()  # nobody asked for that
            return
        response, done = self._under_way
        try:
            response.received(nbytes)
        except (NotHttp, TooLong) as fault:
            done.set_exception(fault)
        else:
            if response.is_whole:
                done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._under_way is None or self._under_way.done.done():
            return
        response, done = self._under_way
        if exc is None:
            response.closed()
        if response.is_whole:
            done.set_result(None)
        else:
            done.set_exception(Broken() if response.has_begun else Unanswered())


class Connections:
    """The connections to one endpoint."""

    def __init__(self, target: Target, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = (tls or trusted()) if target.is_tls else None
        self._spare: list[Connection] = []

    async def post(self, content: bytes, body: Body) -> Response:
        """Send one request; `body` holds what was answered, unpacked.

        Raises Broken, NotHttp, TooLong, and OSError where no connection can be made.
        """
        request = self._target.request(content)
        while spare := self._take():
            with suppress(Unanswered):
                return await self._exchange(spare, request, body)
        return await self._exchange(await self._connect(), request, body)

    def close(self) -> None:
        """Give back what is not in use."""
        while self._spare:
            self._spare.pop().abort()

    async def _exchange(self, connection: Connection, request: bytes, body: Body) -> Response:
        body.clear()
        response = Response(body)
        await connection.exchange(request, response)
        if connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._spare.append(connection)
        await unpack(response, body)
        return response

    def _take(self) -> Connection | None:
        """Return the connection that was used last, if it can be used again."""
        now = asyncio.get_running_loop().time()
        while self._spare and self._spare[0].is_stale(now):  # the first was used least lately
            self._spare.pop(0).abort()
        while self._spare:
            connection = self._spare.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> Connection:
        loop, target = asyncio.get_running_loop(), self._target
        addresses = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
        )
        _, connection = await loop.create_connection(
            Connection,
            sock=connected,
            ssl=self._tls,
            server_hostname=target.host if self._tls else None,
        )
        return connection


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Return what TLS connections are checked against: the system's authorities, read once."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def unpack(response: Response, body: Body) -> None:
    """Put in the body's place what was packed in it. Raises NotHttp and TooLong."""
    if response.headers.get("content-encoding", "").lower() != "gzip":
        return
    if body.size > UNPACKED_HERE_BYTES_MAX:
        unpacked = await asyncio.to_thread(unpacked_of, body, response.size_max)
    else:
        unpacked = unpacked_of(body, response.size_max)
    taken = response.within(len(unpacked))
    body.clear()
    body.add(unpacked[:taken])


def unpacked_of(body: Body, size_max: int) -> bytes:
    """Return what a body of gzip holds, and one byte more at most than it may (RFC 1952)."""
    with body.view() as packed:
        try:
            return zlib.decompressobj(GZIP).decompress(packed, size_max + 1)
        except zlib.error:
            raise NotHttp from None
