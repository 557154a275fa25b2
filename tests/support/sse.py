"""A client of server-sent events that costs little, so that one test can be a thousand of them.

    follower = await follow(port, path, key)
    await follower.reaches(3)                    # until it was sent the event with id 3
    follower.seen                                # [Seen(1, "payment", b"{…}"), …]

It reads HTTP/1.1 in chunks and the stream in them, strictly: what a browser would skip fails.
"""

import asyncio
import re
import socket
from time import perf_counter
from typing import Final, NamedTuple, cast

PATIENCE_SECONDS: Final = 10.0
EVENT: Final = re.compile(rb"id: (\d+)\nevent: ([a-z_.]+)\ndata: (\{[^\r\n]*\})")
RETRY: Final = re.compile(rb"retry: \d+")


class Seen(NamedTuple):
    """An event as it came."""

    id: int
    kind: str
    body: bytes
    at: float  # by perf_counter()


class Follower(asyncio.Protocol):
    """One client of one stream."""

    def __init__(self, request: bytes) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.comments = 0
        self.retry = b""
        self.body = b""  # of an answer that is no stream
        self.is_complete = False  # the last chunk came
        self.is_closed = False
        self._request = request
        self._unread = b""  # what came and is not a whole chunk yet
        self._text = b""  # of the stream, and not a whole block yet
        self._stir = asyncio.Event()

    @property
    def ids(self) -> list[int]:
        return [seen.id for seen in self.seen]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_closed = True
        self._stir.set()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self.status:
            head, found, rest = self._unread.partition(b"\r\n\r\n")
            if not found:
                return
            line, *fields = head.decode().split("\r\n")
            self.status = int(line.split()[1])
            self.headers = {k.lower(): v for k, v in (field.split(": ", 1) for field in fields)}
            self._unread = rest
        if self.headers.get("transfer-encoding") == "chunked":
            self._read_chunks()
        else:
            self.body, self._unread = self.body + self._unread, b""
            self.is_complete = len(self.body) == int(self.headers.get("content-length", "-1"))
        self._stir.set()

    async def reaches(self, event_id: int, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until an event of this id was sent."""
        async with asyncio.timeout(seconds):
            while not (self.seen and self.seen[-1].id >= event_id):
                await self.stirs()

    async def begins(self) -> None:
        """Wait for the beginning of a stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.retry:
                await self.stirs()

    async def completes(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for the end of the answer."""
        async with asyncio.timeout(seconds):
            while not self.is_complete:
                await self.stirs()

    async def closes(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the other side has hung up."""
        async with asyncio.timeout(seconds):
            while not self.is_closed:
                self._stir.clear()
                await self._stir.wait()

    async def stirs(self) -> None:
        """Wait until something comes."""
        assert not self.is_closed, f"hung up after {self.ids[-3:]}"
        self._stir.clear()
        await self._stir.wait()

    def leave(self) -> None:
        """Hang up."""
        self.transport.abort()

    def _read_chunks(self) -> None:
        while not self.is_complete:
            size, found, rest = self._unread.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return
            chunk, end, self._unread = (
                rest[: int(size, 16)],
                rest[int(size, 16) :][:2],
                rest[int(size, 16) + 2 :],
            )
            assert end == b"\r\n"
            self.is_complete = not chunk
            self._read(chunk)

    def _read(self, text: bytes) -> None:
        *blocks, self._text = (self._text + text).split(b"\n\n")
        for block in blocks:
            if found := EVENT.fullmatch(block):
                number, kind, body = found.groups()
                self.seen.append(Seen(int(number), kind.decode(), body, perf_counter()))
            elif block == b":":
                self.comments += 1
            else:
                assert RETRY.fullmatch(block), block
                self.retry = block


async def follow(
    port: int,
    path: str,
    key: str = "",
    *,
    method: str = "GET",
    after: int | str | None = None,
    receive_buffer: int = 0,
) -> Follower:
    """Connect and ask; `after` is what a browser sends when it comes back."""
    head = [f"{method} {path} HTTP/1.1", "host: x"]
    head += [f"authorization: Bearer {key}"] * bool(key)
    head += [f"last-event-id: {after}"] * (after is not None)
    request = "".join(f"{line}\r\n" for line in [*head, ""]).encode()
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)  # noqa: FBT003  its signature
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    _, follower = await loop.create_connection(lambda: Follower(request), sock=sock)
    return follower
