"""A real HTTP server on a loopback address that receives webhooks, well or badly.

async with receiver() as r:
    r.answers(500, reset, 200)   # in this order; the last one stays
    ...                          # make ctrip post to r.url
    (first, *_) = await r.wait_for(3)
    verify(first, secret)
"""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import cycle
from typing import Any

from aiohttp import web
from msgspec import Struct
from standardwebhooks.webhooks import Webhook

WAIT_SECONDS_MAX = 10.0  # a webhook that is not here by then is not coming
CHUNK = b"x" * 65_536  # bytes


class Received(Struct, frozen=True):
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]  # names in any case
    body: bytes


class Receiver:
    """What was received, and how it will be answered."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.connections = 0  # that were ever accepted
        self.bytes_sent = 0  # of endless answers
        self.closing = asyncio.Event()
        self._arrival = asyncio.Condition()
        self._behaviours: list[Behaviour] = [status(200)]

    def answers(self, *answers: "int | Behaviour") -> None:
        """Answer the next requests with these, in order, and all later ones with the last."""
        self._behaviours = [status(a) if isinstance(a, int) else a for a in answers]

    async def wait_for(self, count: int) -> list[Received]:
        """Return all that was received once it is at least `count` requests."""
        async with asyncio.timeout(WAIT_SECONDS_MAX), self._arrival:
            await self._arrival.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        path = request.raw_path
        async with self._arrival:
            self.received.append(Received(path, request.headers.copy(), body))
            self._arrival.notify_all()
        some_left = len(self._behaviours) > 1
        behave = self._behaviours.pop(0) if some_left else self._behaviours[0]
        return await behave(self, request)


Behaviour = Callable[[Receiver, web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(
    host: str = "127.0.0.1", *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Listen on a free port until the end of the block."""
    it = Receiver()
    server = web.Server(it.handle)

    def accept() -> Any:
        it.connections += 1
        return server()

    listener = await asyncio.get_running_loop().create_server(accept, host, port, ssl=tls)
    bound = listener.sockets[0].getsockname()[1]
    it.url = f"{'https' if tls else 'http'}://{host}:{bound}/webhooks"
    try:
        yield it
    finally:
        it.closing.set()
        listener.close()
        await server.shutdown(1.0)


@asynccontextmanager
async def raw_receiver(
    answer: bytes, *, byte_seconds: float = 0, forever: bool = False
) -> AsyncIterator[str]:
    """Answer every request with these bytes, HTTP or not, and hang up; yield the URL."""
    closing = asyncio.Event()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            pieces = [bytes([byte]) for byte in answer] if byte_seconds else [answer]
            for piece in cycle(pieces) if forever else pieces:
                if closing.is_set():
                    break
                writer.write(piece)
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(closing.wait(), byte_seconds)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        closing.set()
        server.close()
        await asyncio.gather(*talks)


def verify(received: Received, *secrets: str) -> Any:
    """Check both signatures as a receiver would, and return the decoded body.

    Every secret must verify webhook-signature; X-Webhook-Signature has room for the first.
    """
    for secret in secrets:
        is_text = not secret.startswith("whsec_")
        key = base64.b64encode(secret.encode()).decode() if is_text else secret
        Webhook(key).verify(received.body, dict(received.headers))
    expected = hmac.new(secrets[0].encode(), received.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(received.headers["X-Webhook-Signature"], expected)
    return json.loads(received.body)


def status(code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with a status."""

    async def answer(_: Receiver, __: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=code, body=body, headers=headers)

    return answer


def redirect(location: str, code: int = 307) -> Behaviour:
    """Send the sender elsewhere, body and signatures and all."""
    return status(code, headers={"Location": location})


def gzip_bomb(size: int) -> Behaviour:
    """Answer a little that says it unpacks to `size` bytes."""
    return status(200, gzip.compress(bytes(size)), {"Content-Encoding": "gzip"})


async def hang(it: Receiver, _: web.BaseRequest) -> web.StreamResponse:
    """Never answer."""
    await it.closing.wait()
    return web.Response()


async def reset(_: Receiver, request: web.BaseRequest) -> web.StreamResponse:
    """Cut the connection instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def endless(code: int, *, pause_seconds: float = 0) -> Behaviour:
    """Answer without end: as fast as it is read or, with a pause, byte by byte."""

    async def answer(it: Receiver, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=code)
        await response.prepare(request)
        chunk = CHUNK[:1] if pause_seconds else CHUNK
        with suppress(ConnectionError):
            while not it.closing.is_set():
                await response.write(chunk)
                it.bytes_sent += len(chunk)
                await asyncio.sleep(pause_seconds)
        return response

    return answer


def breaks_off(code: int, body: bytes) -> Behaviour:
    """Promise more of a body than is sent, then cut the connection."""

    async def answer(_: Receiver, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(status=code, headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.close()
        return response

    return answer
