"""The client against receivers that do not behave: bounded time, bounded memory, an Outcome."""

import asyncio
import gzip
from random import Random
from socket import SO_RCVBUF, SOL_SOCKET, socket

import pytest

from ctrip.webhooks.client import Delivered, NoAnswer, Refused
from tests.support.receiver import (
    breaks_off,
    endless,
    gzip_bomb,
    hang,
    raw_receiver,
    receiver,
    redirect,
    reset,
    status,
)
from tests.webhooks.posting import (
    BODY,
    TIMEOUT_SECONDS,
    a_client,
    memory_bounded,
    post,
    time_bounded,
    why,
)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(code: int) -> None:
    async with receiver() as r, receiver() as elsewhere:
        r.answers(redirect(elsewhere.url, code))
        outcome = await post(r.url)
        assert isinstance(outcome, Refused)
        assert outcome.status == code
        assert elsewhere.connections == 0
        assert len(r.received) == 1


async def test_a_receiver_that_hangs_runs_into_the_timeout() -> None:
    async with receiver() as r:
        r.answers(hang)
        with time_bounded():
            outcome = await post(r.url)
    assert why(outcome) == "timeout"
    assert outcome.milliseconds >= TIMEOUT_SECONDS * 1000 - 1


async def test_a_receiver_that_accepts_nothing_runs_into_the_timeout() -> None:
    with socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with time_bounded():
            assert why(await post(f"http://127.0.0.1:{deaf.getsockname()[1]}/")) == "timeout"


async def test_headers_that_drip_run_into_the_timeout() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with raw_receiver(answer, byte_seconds=0.05) as url:
        with time_bounded():
            assert why(await post(url)) == "timeout"


async def test_a_status_counts_though_its_body_drips_for_ever() -> None:
    async with receiver() as r:
        r.answers(endless(200, pause_seconds=0.01), endless(500, pause_seconds=0.01))
        with time_bounded():
            assert isinstance(await post(r.url), Delivered)
        with time_bounded():
            outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    assert 0 < len(outcome.answer) <= 4096


async def test_a_status_counts_though_its_body_breaks_off() -> None:
    async with receiver() as r:
        r.answers(breaks_off(200, b"tha"), breaks_off(500, b"sor"))
        assert isinstance(await post(r.url), Delivered)
        outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    assert outcome.answer == b"sor"


async def test_an_endless_body_is_left_after_64_kib() -> None:
    async with receiver() as r:
        r.answers(endless(200), endless(500))
        with time_bounded(), memory_bounded():
            assert isinstance(await post(r.url), Delivered)
        with time_bounded(), memory_bounded():
            outcome = await post(r.url)
        assert isinstance(outcome, Refused)
        assert len(outcome.answer) == 4096
        assert r.bytes_sent < 20_000_000  # what the buffers between us held


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    async with receiver() as r:
        r.answers(gzip_bomb(100_000_000))
        with time_bounded(), memory_bounded():
            assert isinstance(await post(r.url), Delivered)


async def test_a_packed_answer_is_kept_as_it_came() -> None:
    packed = gzip.compress(b"no")
    async with receiver() as r:
        r.answers(status(500, packed, {"Content-Encoding": "gzip"}))
        outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    assert outcome.answer == packed


async def test_a_connection_that_is_reset_is_no_answer() -> None:
    async with receiver() as r:
        r.answers(reset)
        assert why(await post(r.url)) == "closed"


async def test_a_connection_that_ends_early_is_no_answer() -> None:
    for start in (b"", b"HTTP/1.1 20"):
        async with raw_receiver(start) as url:
            assert why(await post(url)) in {"closed", "protocol"}


async def test_a_port_where_nobody_listens_is_no_connection() -> None:
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert why(await post(f"http://127.0.0.1:{port}/")) == "connect"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
    ids=["ssh", "version", "long header", "many headers", "length", "colon"],
)
async def test_what_is_not_http_is_a_breach_of_protocol(answer: bytes) -> None:
    async with raw_receiver(answer) as url:
        with time_bounded(), memory_bounded():
            assert why(await post(url)) == "protocol"


async def test_endless_interim_answers_run_into_the_timeout() -> None:
    async with raw_receiver(b"HTTP/1.1 103 Early Hints\r\n\r\n", forever=True) as url:
        with time_bounded(), memory_bounded():
            assert why(await post(url)) == "timeout"


async def test_no_bytes_whatsoever_raise() -> None:
    random = Random(7)
    pieces = [
        b"HTTP/1.1 ", b"200", b"500", b" OK", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Length: ",
        b"5", b"-1", b"99999999999999999999", b"Transfer-Encoding: chunked", b"0",
        b"ffffffffffffffff", b"Content-Encoding: br", b"Set-Cookie: a=b; expires=x", b"Location: ://",
        b"Retry-After: ",
        b"Date: Wed, 99 Oct 2026", b"\x00\xff\xfe", b"Connection: Upgrade", b"101", b"X" * 9000,
    ]  # fmt: skip
    async with a_client() as client:
        for _ in range(300):
            tail = [random.choice(pieces) for _ in range(random.randrange(12))]
            start = random.choice([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 500 \r\n"])
            async with raw_receiver(start + b"".join(tail)) as url:
                outcome = await client.post(url, BODY, {})
            assert isinstance(outcome, Delivered | Refused | NoAnswer)


async def test_an_early_answer_is_not_held_up_by_the_rest_of_the_body() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 \r\nContent-Length: 0\r\n\r\n")
        await ended.wait()  # and read no more
        writer.close()

    ended = asyncio.Event()
    with socket() as listening:
        listening.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)  # bytes, far fewer than the body
        listening.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(talk, sock=listening, limit=4096)
        async with a_client() as client:
            with time_bounded():
                url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
                outcome = await client.post(url, b"x" * 1_000_000, {})
        ended.set()
        server.close()
    assert isinstance(outcome, Refused)
    assert outcome.status == 413
