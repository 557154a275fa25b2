"""Clients that cost little: raw HTTP/1.1 over kept-alive sockets, for a fixed time.

They share two cores with what they measure, so an HTTP library here would be measured
with it. An answer is read as far as needed to know its status and its length.
"""

import asyncio
from time import perf_counter
from typing import NamedTuple

from msgspec import json


class Load(NamedTuple):
    """What a run of clients saw."""

    done: int
    seconds: float
    milliseconds: list[float]  # each request's, sorted

    @property
    def per_second(self) -> float:
        return self.done / self.seconds

    def percentile(self, share: float) -> float:
        """Return the time within which this share of the requests was answered."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(share * self.done))]


def post(path: str, host: str, key: str, body: object) -> bytes:
    """Return a request as bytes."""
    content = json.encode(body)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def hammer(port: int, request: bytes, *, clients: int, seconds: float) -> Load:
    """Send the same request from many clients, each one after the other, until time is up."""
    times: list[float] = []
    start = perf_counter()
    end = start + seconds
    await asyncio.gather(*(client(port, request, end, times) for _ in range(clients)))
    return Load(len(times), perf_counter() - start, sorted(times))


async def client(port: int, request: bytes, end: float, times: list[float]) -> None:
    """Be one client; a status other than 201 ends the bench."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (sent := perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 201"):
                raise SystemExit(f"not created: {head[:40]!r} {body[:200]!r}")
            times.append((perf_counter() - sent) * 1_000)
    finally:
        writer.close()
