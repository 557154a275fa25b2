"""Heads that are no honest request's: refused, bounded, and of no harm to what came before.

The site is a real process with uvicorn and uvloop. Its deadlines are short ones; everything
else is as in production.
"""

import asyncio

import pytest

from ctrip.edge.protocol import PIPELINE_MAX
from ctrip.edge.refusals import HEAD_BYTES_MAX, HEADERS_MAX, URI_BYTES_MAX
from tests.support.edge_site import Site
from tests.web.raw_sockets import (
    CLOSING,
    GOOD,
    MEGABYTE,
    code,
    is_well,
    said,
    status,
)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /hello\r\n\r\n",
        b"GET /hello HTTP/1.1\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET /hello HTTP/1.0\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
        b"GET /hello HTTP/1.1\nhost: x\n\n",
        b"GET /he\x00llo HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /hello%00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /hello?a=%00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n",
        b"GET http://evil HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(site: Site, sent: bytes) -> None:
    answer = await said(site, sent)
    assert status(answer) == 400
    assert code(answer) == "invalid_http"
    assert b"\r\nx-request-id: " in answer
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 4\r\ncontent-length: 5",
        b"content-length: 4\r\ncontent-length: 4",
        b"content-length: 4\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 4",
        b"transfer-encoding: gzip",
        b"transfer-encoding: chunked, chunked",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
        b"content-length: +4",
        b"content-length: 4, 4",
        b"content-length: 0x4",
        b"content-length: 99999999999999999999",
    ],
)
async def test_a_body_of_two_lengths_is_refused_and_nothing_is_read_after_it(
    site: Site, framing: bytes
) -> None:
    answer = await said(site, b"POST /hello HTTP/1.1\r\nhost: x\r\n" + framing + b"\r\n\r\n", GOOD)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert code(answer) == "invalid_http"


async def test_http_1_0_has_no_chunks_and_needs_no_host(site: Site) -> None:
    chunked = b"POST /hello HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status(await said(site, chunked)) == 400
    assert status(await said(site, b"GET /hello HTTP/1.0\r\n\r\n")) == 200


async def test_a_trailer_is_no_header(site: Site) -> None:
    answer = await said(
        site,
        b"POST /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
        b"\r\n3\r\nabc\r\n0\r\nx-api-key: evil\r\n\r\n",
    )
    assert status(answer) == 200
    assert b"evil" not in answer


async def test_an_upgrade_is_not_taken_and_what_follows_is_not_read(site: Site) -> None:
    asked = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    answer = await said(site, asked, GOOD)
    assert status(answer) == 200
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_head_is_bounded_in_bytes_in_number_and_in_its_first_line(site: Site) -> None:
    def head(*lines: bytes, path: bytes = b"/hello") -> bytes:
        first = b"GET " + path + b" HTTP/1.1"
        return b"\r\n".join((first, b"host: x", b"connection: close", *lines)) + b"\r\n\r\n"

    assert status(await said(site, head(b"a: " + b"x" * (HEAD_BYTES_MAX - 100)))) == 200
    assert status(await said(site, head(*[b"a: b"] * (HEADERS_MAX - 2)))) == 200
    assert status(await said(site, head(path=b"/hello?" + b"q" * (URI_BYTES_MAX - 10)))) == 200
    for too_much in (
        head(b"a: " + b"x" * HEAD_BYTES_MAX),
        head(*[b"a: b"] * HEADERS_MAX),
        head(*[b"a: b"] * 20_000),
        b"GET /hello HTTP/1.1\r\nhost: x\r\na: " + b"x" * (2 * HEAD_BYTES_MAX),  # without an end
    ):
        answer = await said(site, too_much)
        assert status(answer) == 431
        assert code(answer) == "headers_too_large"
    answer = await said(site, head(path=b"/hello?" + b"q" * URI_BYTES_MAX))
    assert status(answer) == 414
    assert code(answer) == "uri_too_long"


async def test_trailers_are_bounded_too(site: Site) -> None:
    start = b"POST /hello HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    answer = await said(site, start, b"a: b\r\n" * 20_000)
    assert status(answer) in (200, 431)  # it may have been answered before
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_head_of_20_mb_costs_no_memory(site: Site) -> None:
    assert await is_well(site)
    before = site.memory()
    answers = [await said(site, b"GET / HTTP/1.1\r\na: ", *[b"x" * MEGABYTE] * 20) for _ in "ab"]
    assert {status(answer) for answer in answers} <= {0, 431}
    assert site.memory() - before < 8 * MEGABYTE
    assert await is_well(site)


async def test_requests_sent_ahead_are_answered_in_order(site: Site) -> None:
    asked = [b"GET /hello?%d HTTP/1.1\r\nhost: x\r\n\r\n" % n for n in range(PIPELINE_MAX)]
    answer = await said(site, b"".join(asked) + CLOSING)
    assert answer.count(b"HTTP/1.1 200") == PIPELINE_MAX + 1


async def test_too_many_requests_ahead_are_left_unanswered_but_the_first(site: Site) -> None:
    before = site.memory()
    answers = await asyncio.gather(*(said(site, GOOD * 30_000) for _ in range(10)))
    for answer in answers:
        assert 0 < answer.count(b"HTTP/1.1 200") <= PIPELINE_MAX + 2
        assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200")
    assert site.memory() - before < 20 * MEGABYTE


async def test_a_fault_after_a_request_takes_nobody_elses_answer(site: Site) -> None:
    body = b'{"amount": 7}'
    first = (
        b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body)
    )
    answer = await said(site, first + body + b"nonsense\r\n\r\n")
    assert status(answer) == 200
    assert b'"7"' in answer
    assert answer.count(b"HTTP/1.1 ") == 1
