"""Connections to real servers: kept, renewed, broken off, packed, and by TLS."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
import uvloop

from ctrip.chain import connections as connections_of
from ctrip.chain import response as response_of
from ctrip.chain.body import Body
from ctrip.chain.connections import Broken, Connections, Unanswered
from ctrip.chain.response import ANSWER_BYTES_MAX, NotHttp, TooLong
from ctrip.chain.target import target_of
from tests.support.certificates import a_certificate

OK: Final = b"HTTP/1.1 200 OK\r\n"
EMPTY_LIST: Final = OK + b"Content-Length: 2\r\n\r\n[]"

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """What a server saw."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.asked: list[bytes] = []
        self.hung_up = asyncio.Event()  # a client did


def says(*answers: bytes, then_close: bool = False) -> Answer:
    """Answer each request with the next of these, and the last one again."""
    left = list(answers)

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        if then_close:
            writer.close()

    return answer


@asynccontextmanager
async def server(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    it, talks = Server(), set[asyncio.StreamWriter]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it.connections += 1
        talks.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                it.asked.append(await reader.readexactly(size))
                await answer(it.asked[-1], writer)
        it.hung_up.set()
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    host = "localhost" if tls else "127.0.0.1"
    it.url = f"{'https' if tls else 'http'}://{host}:{listener.sockets[0].getsockname()[1]}/"
    try:
        yield it
    finally:
        listener.close()
        for writer in talks:
            writer.transport.abort()
        await listener.wait_closed()


async def post(connections: Connections, content: bytes = b"[]") -> bytes:
    body = Body()
    await connections.post(content, body)
    with body.view() as view:
        return bytes(view)


async def test_a_connection_is_used_again() -> None:
    async with server(says(EMPTY_LIST)) as it:
        connections = Connections(target_of(it.url))
        assert [await post(connections, b"%d" % n) for n in range(3)] == [b"[]"] * 3
        assert (it.connections, it.asked) == (1, [b"0", b"1", b"2"])
        connections.close()


async def test_requests_at_once_have_a_connection_each() -> None:
    async with server(says(EMPTY_LIST)) as it:
        connections = Connections(target_of(it.url))
        assert await asyncio.gather(*(post(connections) for _ in range(5))) == [b"[]"] * 5
        assert it.connections == 5
        connections.close()


async def test_what_was_closed_meanwhile_is_asked_again_on_a_new_connection() -> None:
    async def answer_once(asked: bytes, writer: asyncio.StreamWriter) -> None:
        if asked == b"second" and it.connections == 1:
            writer.transport.abort()
        else:
            writer.write(EMPTY_LIST)

    async with server(answer_once) as it:
        connections = Connections(target_of(it.url))
        await post(connections, b"first")
        assert await post(connections, b"second") == b"[]"
        assert (it.connections, it.asked) == (2, [b"first", b"second", b"second"])
        connections.close()


async def test_what_a_new_connection_does_not_answer_is_not_asked_again() -> None:
    async with server(says(b"", then_close=True)) as it:
        with pytest.raises(Unanswered):
            await post(Connections(target_of(it.url)))
        assert len(it.asked) == 1


async def test_an_old_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_of, "KEPT_SECONDS", 0.0)
    async with server(says(EMPTY_LIST)) as it:
        connections = Connections(target_of(it.url))
        await post(connections)
        await asyncio.sleep(0.001)
        await post(connections)
        assert it.connections == 2
        connections.close()


async def test_who_says_more_than_was_asked_is_not_asked_on_that_connection_again() -> None:
    async with server(says(EMPTY_LIST + EMPTY_LIST)) as it:
        connections = Connections(target_of(it.url))
        assert [await post(connections) for _ in range(2)] == [b"[]"] * 2
        assert it.connections == 2
        connections.close()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (OK + b"Content-Length: 9\r\n\r\n[]", Broken),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]", Broken),
        (b"HTTP/1.1 2", Broken),
        (b"<html>", NotHttp),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]", NotHttp),
        (OK + b"Content-Length: %d\r\n\r\n" % (ANSWER_BYTES_MAX + 1), TooLong),
    ],
)
async def test_what_is_no_answer_has_a_name(answer: bytes, fault: type[Exception]) -> None:
    async with server(says(answer, then_close=True)) as it:
        connections = Connections(target_of(it.url))
        with pytest.raises(fault):
            await post(connections)
        with pytest.raises(fault):
            await post(connections)
        assert it.connections == 2


async def test_a_body_may_end_with_its_connection() -> None:
    async with server(says(OK + b"\r\n[1]", then_close=True)) as it:
        assert await post(Connections(target_of(it.url))) == b"[1]"


@pytest.mark.parametrize("size", [10, 2**20])
async def test_what_is_packed_is_unpacked(size: int) -> None:
    content = bytes(n * n % 251 for n in range(size))
    packed = gzip.compress(content)
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with server(says(head + packed)) as it:
        connections = Connections(target_of(it.url))
        assert await post(connections) == content
        connections.close()


async def test_what_is_packed_may_be_as_long_as_what_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(response_of, "ANSWER_BYTES_MAX", 1_000)
    head, whole = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", b" " * 1_000
    packed = [gzip.compress(whole), gzip.compress(whole + b" ")]
    async with server(says(*(head % len(one) + one for one in packed))) as it:
        connections = Connections(target_of(it.url))
        assert await post(connections) == whole
        with pytest.raises(TooLong):
            await post(connections)
        connections.close()


async def test_of_a_packed_refusal_the_status_is_told() -> None:
    packed = gzip.compress(b"slow down")
    head = b"HTTP/1.1 429 No\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with server(says(head + packed)) as it:
        connections, body = Connections(target_of(it.url)), Body()
        response = await connections.post(b"[]", body)
        with body.view() as view:
            assert (response.status, bytes(view)) == (429, b"slow down")
        connections.close()


async def test_who_is_no_longer_waited_for_is_hung_up_on() -> None:
    async with server(says(b"")) as it:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await post(Connections(target_of(it.url)))
        async with asyncio.timeout(5):
            await it.hung_up.wait()


async def test_tls_is_checked_by_name(tmp_path: Path) -> None:
    good, bad = a_certificate("localhost", tmp_path), a_certificate("elsewhere.test", tmp_path)
    async with server(says(EMPTY_LIST), good.shown) as it:
        connections = Connections(target_of(it.url), tls=good.trusted)
        assert [await post(connections) for _ in range(2)] == [b"[]"] * 2
        assert it.connections == 1
        connections.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await post(Connections(target_of(it.url)))  # nobody vouches for it
    async with server(says(EMPTY_LIST), bad.shown) as it:
        with pytest.raises(ssl.SSLCertVerificationError):
            await post(Connections(target_of(it.url), tls=bad.trusted))


@pytest.mark.parametrize("is_tls", [False, True])
async def test_megabytes_come_the_same_way_on_uvloop(tmp_path: Path, *, is_tls: bool) -> None:
    content = bytes(n * n % 251 for n in range(3 * 2**20))
    certificate = a_certificate("localhost", tmp_path) if is_tls else None
    answers = [
        OK + b"Content-Length: %d\r\n\r\n" % len(content) + content,
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content),
        EMPTY_LIST,
    ]

    async def read() -> None:
        async with server(says(*answers), certificate and certificate.shown) as it:
            tls = certificate and certificate.trusted
            connections = Connections(target_of(it.url), tls=tls)
            assert [await post(connections) for _ in range(3)] == [content, content, b"[]"]
            assert it.connections == 1
            connections.close()

    await read()
    await asyncio.to_thread(uvloop.run, read())
