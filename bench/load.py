"""Clients that cost little: raw HTTP/1.1 over kept-alive sockets, for a fixed time.

They share two cores with what they measure, so an HTTP library here would be measured
with it. One loop over plain sockets sends bytes that were made before, and reads an answer
as far as needed to know its status and its length: some 20 us a request, most of it the kernel's.
"""

import select
import socket
from collections.abc import Iterator
from itertools import count
from time import perf_counter
from typing import Final, NamedTuple

from msgspec import json

READ_SIZE: Final = 65_536  # bytes; an answer is far below it
MARK: Final = "#" * 12  # stands for a request's number in its bytes, in hex
NUMBERS: Final = 16 ** len(MARK)
SCATTER: Final = 0x9E3779B97F4B  # odd, so all numbers differ, and in no order that helps an index
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length: "


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


def post(path: str, host: str, key: str, body: object, *, repeat_key: str = "") -> bytes:
    """Return a request as bytes."""
    content = json.encode(body)
    repeats = f"idempotency-key: {repeat_key}\r\n" if repeat_key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n{repeats}"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def numbered(request: bytes) -> Iterator[bytes]:
    """Make requests of one, each with a number of its own wherever it says MARK."""
    parts = request.split(MARK.encode())
    return ((b"%012x" % (n * SCATTER % NUMBERS)).join(parts) for n in count(1))


def hammer(port: int, requests: Iterator[bytes], *, clients: int, seconds: float) -> Load:
    """Send requests from many clients, each one after the other, until time is up."""
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    try:
        return take_turns({line.fileno(): line for line in lines}, requests, seconds)
    finally:
        for line in lines:
            line.close()


def take_turns(lines: dict[int, socket.socket], requests: Iterator[bytes], seconds: float) -> Load:
    """Ask again on each line that was answered; a status other than 201 ends the bench."""
    times: list[float] = []
    answers = select.poll()
    begun = now = perf_counter()
    sent: dict[int, float] = {}
    held: dict[int, bytes] = {}  # what came of answers that are not whole
    for number, line in lines.items():
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers.register(number, select.POLLIN)
        line.sendall(next(requests))
        sent[number] = now
    while sent:
        for number, _ in answers.poll():
            answer = held.pop(number, b"") + lines[number].recv(READ_SIZE)
            if not is_whole(answer):
                held[number] = answer
                continue
            now = perf_counter()
            times.append((now - sent.pop(number)) * 1_000)
            if now - begun < seconds:
                lines[number].sendall(next(requests))
                sent[number] = now
    return Load(len(times), perf_counter() - begun, sorted(times))


def is_whole(answer: bytes) -> bool:
    """Tell whether all of an answer has come."""
    if not answer.startswith(b"HTTP/1.1 201"):
        raise SystemExit(f"not created: {answer!r}")
    end, length = answer.find(HEAD_END), answer.find(LENGTH)
    if end < 0 or length < 0:
        return False
    size = answer[length + len(LENGTH) : answer.index(b"\r", length)]
    return len(answer) - end - len(HEAD_END) >= int(size)
