"""Shops that cost little: raw HTTP/1.1 in a process of its own, one port each.

They share two cores with the sender that is measured, so an HTTP library here would be
measured with it. Good ones take what comes and note when it came. The bad ones are what
receivers are known to do: keep silent, drip, never end, hang up, send a bomb, be busy.

    with shops([Good] * 43 + [Silent]) as street:
        ...                     # post to the ports of street.ports
        street.came()           # what came to the good ones since the last time
"""

import asyncio
import gzip
import multiprocessing
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any, ClassVar, Final

import uvloop

from ctrip.app import settle_in

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 5.0
DRIP_SECONDS: Final = 1.0
CHUNK: Final = b"10000\r\n" + bytes(65_536) + b"\r\n"
BOMB: Final = gzip.compress(bytes(2**27))  # 128 MB in 130 kB
TAKEN: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
BUSY: Final = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"
ENDLESS: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
ZIPPED: Final = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(
    BOMB
)
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset

Arrival = tuple[str, int, float]  # webhook-id, which shop, perf_counter() as every process has it


class Shop(asyncio.Protocol):
    """One connection to a shop, which answers each request once it is whole."""

    arrivals: ClassVar[list[Arrival]] = []
    notes: ClassVar[bool] = False

    def __init__(self, place: int) -> None:
        self._place = place
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._data + data if self._data else data
        while (end := data.find(b"\r\n\r\n") + 4) > 3:  # noqa: PLR2004  (not found is -1)
            head = data[:end].lower()
            end += int(value_of(head, b"content-length: "))
            if len(data) < end:
                break
            if self.notes:
                event_id = value_of(head, b"webhook-id: ").decode()
                self.arrivals.append((event_id, self._place, perf_counter()))
            data = data[end:]
            self.answer()
        self._data = data

    def answer(self) -> None:
        """Do what this kind of shop does with a request."""
        raise NotImplementedError


class Good(Shop):
    """Takes it."""

    notes = True

    def answer(self) -> None:
        self.transport.write(TAKEN)


class Quick(Good):
    """Takes it and notes nothing."""

    notes = False


class Silent(Shop):
    """Never answers."""

    def answer(self) -> None:
        pass


class Drip(Shop):
    """Sends a byte a second."""

    def answer(self) -> None:
        self._drop(0)

    def _drop(self, at: int) -> None:
        if not self.transport.is_closing() and at < len(TAKEN):
            self.transport.write(TAKEN[at : at + 1])
            asyncio.get_running_loop().call_later(DRIP_SECONDS, self._drop, at + 1)


class Endless(Shop):
    """Takes it, and talks as long as somebody listens."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self._may_write = True

    def answer(self) -> None:
        self.transport.write(ENDLESS)
        self._go_on()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._go_on()

    def _go_on(self) -> None:
        while self._may_write and not self.transport.is_closing():
            self.transport.write(CHUNK)


class Resetting(Shop):
    """Hangs up."""

    def answer(self) -> None:
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Bomb(Shop):
    """Answers with what unpacks to a thousand times its size."""

    def answer(self) -> None:
        self.transport.write(ZIPPED + BOMB)


class Busy(Shop):
    """Says 429, and when to come again."""

    def answer(self) -> None:
        self.transport.write(BUSY)


class Street:
    """The handle of running shops."""

    def __init__(self, line: "Connection[Any, Any]", ports: list[int], pid: int) -> None:
        self._line = line
        self.ports = ports
        self.pid = pid

    def came(self) -> list[Arrival]:
        """Return what came to the good ones since the last time."""
        self._line.send(None)
        arrivals: list[Arrival] = self._line.recv()
        return arrivals


@contextmanager
def shops(kinds: Sequence[type[Shop]]) -> Iterator[Street]:
    """Run shops as long as the `with` lasts."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(kinds, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(START_SECONDS_MAX):
            raise SystemExit("the shops did not open")
        yield Street(ours, ours.recv(), process.pid or 0)
    finally:
        ours.close()
        process.join(STOP_SECONDS_MAX)
        if process.is_alive():
            process.kill()


def serve(kinds: Sequence[type[Shop]], line: "Connection[Any, Any]") -> None:
    """Be the shops, until the other end of the line is closed."""
    settle_in()  # they must never be what is measured
    uvloop.run(run(kinds, line))


async def run(kinds: Sequence[type[Shop]], line: "Connection[Any, Any]") -> None:
    """Open every shop and tell the ports; hand over what came whenever asked."""
    loop = asyncio.get_running_loop()
    open_ones = [
        await loop.create_server(partial(kind, place), "127.0.0.1", 0)
        for place, kind in enumerate(kinds)
    ]
    done = asyncio.Event()
    loop.add_reader(line.fileno(), hand_over, line, done)
    line.send([one.sockets[0].getsockname()[1] for one in open_ones])
    await done.wait()
    for one in open_ones:
        one.close()


def hand_over(line: "Connection[Any, Any]", done: asyncio.Event) -> None:
    """Answer whoever asks what came."""
    try:
        line.recv()
    except EOFError:
        asyncio.get_running_loop().remove_reader(line.fileno())
        done.set()
        return
    os.set_blocking(line.fileno(), True)
    line.send(Shop.arrivals)
    Shop.arrivals.clear()


def value_of(head: bytes, name: bytes) -> bytes:
    """Return what a header in lower case says."""
    start = head.index(name) + len(name)
    return head[start : head.index(b"\r", start)]
