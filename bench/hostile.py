"""What rude callers cost the others: the p99 of honest requests, with and without each attack.

The gateway is a whole one, in a process of its own. Honest callers create payments, a number
of times a second, every tenth time over a new connection. Attackers are one more process. They
would come from elsewhere, so they get the processor time that the others leave (nice 19), but
what they send is the gateway's to deal with. Quiet and attacked times take turns, and all that
was seen in either is judged together.

    make bench, or: .venv/bin/python -m bench.hostile ["open sockets" …]
"""

import asyncio
import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Final

import uvloop
from msgspec import Struct

from bench.load import Load, post
from bench.sites import gateway, prepare
from ctrip.dev import postgres
from ctrip.dev.anvil import dev_chain

ROUNDS: Final = 4
WINDOW_SECONDS: Final = 4.0
BUILD_UP_SECONDS: Final = 4.0  # 10,000 connections take their time
AFTERMATH_SECONDS: Final = 1.0
CLIENTS: Final = 8
PER_SECOND: Final = 160  # honest requests of all clients; a gateway that is not busy by itself
NEW_EVERY: Final = 10  # requests of a client over one connection
ANSWER_SECONDS_MAX: Final = 10.0
DIALS_AT_ONCE: Final = 100
MEGABYTE: Final = 1_048_576


class Attack(Struct, frozen=True):
    """So many connections; each sends this, waits until it is closed, and comes again."""

    name: str
    connections: int
    first: bytes
    more: bytes = b""  # after it, so often
    times: int = 0
    wait_seconds: float = 0.0  # before each of these
    again_seconds: float = 0.1  # before the next try


def attacks(key: str) -> list[Attack]:
    """Return what is tried."""
    get = b"GET /health HTTP/1.1\r\nhost: x\r\n"
    create = (
        f"POST /api/v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\n"
    ).encode()
    guess = f"GET /api/v1/chains HTTP/1.1\r\nhost: x\r\nx-api-key: ctrip_{'x' * 43}\r\n".encode()
    last = b"connection: close\r\n\r\n"
    chunk = b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
    return [
        Attack("half-sent heads", 2_000, get + b"x-a: ", b"x", 99, 1.0),
        Attack("open sockets", 10_000, b"", again_seconds=5.0),
        Attack("slow bodies", 500, with_body(create, 999), b" ", 99, 1.0),
        Attack("heads of 20 MB", 4, get + b"x-a: ", b"x" * MEGABYTE, 20),
        Attack("20,000 headers", 4, get + b"a: b\r\n" * 20_000 + b"\r\n"),
        Attack("two lengths", 20, get + b"content-length: 1\r\ncontent-length: 2\r\n\r\n"),
        Attack("100 MB announced", 2, with_body(create, 100 * MEGABYTE), b"x" * MEGABYTE, 100),
        Attack("100 MB in chunks", 2, create + b"transfer-encoding: chunked\r\n\r\n", chunk, 100),
        Attack("deep JSON", 4, with_body(create, 60_000) + b"[" * 60_000),
        Attack("a million digits", 4, with_body(create, 1_000_000) + b"9" * 1_000_000),
        Attack("10,000 requests ahead", 4, (get + b"\r\n") * 10_000),
        Attack("guessed keys", 8, guess + last),
    ]


def with_body(head: bytes, size: int) -> bytes:
    """Return a head that announces a body, and is the connection's last."""
    return head + b"connection: close\r\ncontent-length: %d\r\n\r\n" % size


async def main() -> None:
    """Try each attack and print what it cost."""
    os.environ["CTRIP_SERVER_RATE_PER_KEY"] = "0"
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="ctrip-bench-") as name:
        folder = Path(name)
        with postgres.start(folder / "postgres") as cluster:
            key = await prepare(cluster.url)
            async with (
                dev_chain(folder / "chain.log") as chain,
                gateway(folder, cluster.url, chain.url) as port,
            ):
                body = {"chain": "anvil", "amount": "1000000000000000000"}
                request = post("/api/v1/payments", "127.0.0.1", key, body)
                await times_of(port, request)
                for attack in attacks(key):
                    if not wanted or attack.name in wanted:
                        await compare(port, request, attack)


async def compare(port: int, request: bytes, attack: Attack) -> None:
    """Let quiet and attacked times take turns, and print the ratio of their p99."""
    quiet, attacked = [], []
    for _ in range(ROUNDS):
        quiet += await times_of(port, request)
        with under(attack, port):
            await asyncio.sleep(BUILD_UP_SECONDS)
            attacked += await times_of(port, request)
        await asyncio.sleep(AFTERMATH_SECONDS)
    seconds = ROUNDS * WINDOW_SECONDS
    before, under_it = (Load(len(t), seconds, sorted(t)) for t in (quiet, attacked))
    print(
        f"{attack.name}: p99 {before.percentile(0.99):.1f} ms quiet, "
        f"{under_it.percentile(0.99):.1f} ms under it, "
        f"{under_it.percentile(0.99) / before.percentile(0.99):.2f} times; "
        f"p50 {before.percentile(0.5):.1f} and {under_it.percentile(0.5):.1f} ms",
        flush=True,
    )


async def times_of(port: int, request: bytes) -> list[float]:
    """Return how long honest requests took, in milliseconds, over a while."""
    times: list[float] = []
    end = perf_counter() + WINDOW_SECONDS
    await asyncio.gather(*(honest(port, request, end, times) for _ in range(CLIENTS)))
    return times


async def honest(port: int, request: bytes, end: float, times: list[float]) -> None:
    """Ask in a steady rhythm; an answer that is late delays none that follow."""
    due = perf_counter()
    while due < end:
        reader, writer = None, None
        for _ in range(NEW_EVERY):
            await asyncio.sleep(max(0.0, due - perf_counter()))
            start = perf_counter()
            if not reader or not writer:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer, request)
            times.append((perf_counter() - start) * 1_000)
            due += CLIENTS / PER_SECOND
        if writer:
            writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    """Send a request and read the answer, which must be a success."""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 201"):
        raise SystemExit(f"an honest request was refused: {head[:40]!r} {body[:200]!r}")


@contextmanager
def under(attack: Attack, port: int) -> Iterator[None]:
    """Attack until the end of the block."""
    process = multiprocessing.get_context("spawn").Process(
        target=attacker, args=(attack, port), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def attacker(attack: Attack, port: int) -> None:
    """Be the process that attacks."""
    os.nice(19)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(attack_from_all(attack, port))


async def attack_from_all(attack: Attack, port: int) -> None:
    """Attack over all connections at once."""
    dials = asyncio.Semaphore(DIALS_AT_ONCE)
    await asyncio.gather(*(rude(attack, port, dials) for _ in range(attack.connections)))


async def rude(attack: Attack, port: int, dials: asyncio.Semaphore) -> None:
    """Be one connection, again and again."""
    while True:
        with suppress(OSError):
            async with dials:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await send(attack, writer)
                while await reader.read(MEGABYTE):
                    pass
            finally:
                writer.transport.abort()
        await asyncio.sleep(attack.again_seconds)


async def send(attack: Attack, writer: asyncio.StreamWriter) -> None:
    """Send what the attack consists of, until the other side has had enough."""
    with suppress(OSError):
        writer.write(attack.first)
        for _ in range(attack.times):
            await asyncio.sleep(attack.wait_seconds)
            if writer.transport.is_closing():
                return
            writer.write(attack.more)
            await writer.drain()


if __name__ == "__main__":
    uvloop.run(main())
