"""Responses as they may come in: in any pieces, of any kind, or none."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.chain import response as response_of
from ctrip.chain.body import Body
from ctrip.chain.response import EXCUSE_BYTES_MAX, HEAD_BYTES_MAX, NotHttp, Response, TooLong

OK: Final = b"HTTP/1.1 200 OK\r\n"
EARLY: Final = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def of_length(content: bytes, length: int | None = None) -> bytes:
    told = len(content) if length is None else length
    return b"%bContent-Length: %d\r\n\r\n%b" % (OK, told, content)


def in_chunks(pieces: Iterable[bytes]) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return b"%bTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (OK, chunks)


def until_the_end(content: bytes) -> bytes:
    return b"%b\r\n%b" % (OK, content)


def come(pieces: Iterable[bytes]) -> tuple[Response, bytes]:
    """Let bytes come in, each piece as a socket would give it: as far as there is room."""
    body = Body()
    response = Response(body)
    for piece in pieces:
        while piece:
            with response.room() as room:
                size = min(len(room), len(piece))
                room[:size] = piece[:size]
            response.received(size)
            piece = piece[size:]  # noqa: PLW2901  the rest of it
    with body.view() as view:
        return response, bytes(view)


@st.composite
def cut(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """Cut bytes into pieces of any sizes."""
    places = sorted(draw(st.sets(st.integers(0, len(content)), max_size=6)))
    return [content[a:b] for a, b in zip([0, *places], [*places, len(content)], strict=True)]


CONTENT: Final = st.binary(max_size=300)


@given(st.data(), CONTENT, st.integers(0, 3))
def test_a_body_of_a_known_length_is_whole_in_any_pieces(
    data: st.DataObject, content: bytes, interim: int
) -> None:
    response, got = come(data.draw(cut(EARLY * interim + of_length(content))))
    assert (response.is_whole, response.status, got) == (True, 200, content)
    assert response.leaves_open
    assert "link" not in response.headers


@given(st.data(), st.lists(CONTENT, max_size=5))
def test_chunks_are_joined_in_any_pieces(data: st.DataObject, pieces: list[bytes]) -> None:
    response, got = come(data.draw(cut(in_chunks(pieces))))
    assert (response.is_whole, got) == (True, b"".join(pieces))
    assert response.leaves_open


@given(st.data(), CONTENT)
def test_a_body_may_end_with_its_connection(data: st.DataObject, content: bytes) -> None:
    response, got = come(data.draw(cut(until_the_end(content))))
    assert not response.is_whole
    response.closed()
    assert (response.is_whole, got) == (True, content)
    assert not response.leaves_open


@given(st.data(), CONTENT, st.sampled_from(["length", "chunks"]))
def test_what_is_broken_off_is_never_whole(data: st.DataObject, content: bytes, how: str) -> None:
    sent = of_length(content) if how == "length" else in_chunks([content])
    response, _ = come(data.draw(cut(sent[: data.draw(st.integers(0, len(sent) - 1))])))
    response.closed()
    assert not response.is_whole


@given(st.lists(st.binary(max_size=80), max_size=4), st.sampled_from([b"", OK, EARLY]))
def test_of_what_is_no_http_nothing_is_made(pieces: list[bytes], begun: bytes) -> None:
    try:
        response, got = come([begun, *pieces])
    except NotHttp:
        return
    assert response.is_whole or len(got) <= sum(map(len, [begun, *pieces]))


def broken() -> Iterator[tuple[str, bytes]]:
    yield "no HTTP", b"<html>busy</html>"
    yield "HTTP/2", b"HTTP/2 200\r\n\r\n"
    yield "an upgrade", b"HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    yield "no CR", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"
    yield "two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    yield "a length and chunks", OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "a negative length", OK + b"Content-Length: -1\r\n\r\n"
    yield "a length beyond 64 bits", OK + b"Content-Length: 99999999999999999999\r\n\r\n"
    yield "a chunk without a size", OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n"
    early = of_length(b"hello").replace(b"200 OK", b"199 Wait")
    yield "a body before the response", early + of_length(b"x")
    yield "a head without end", OK + b"A: " + b"b" * HEAD_BYTES_MAX + b"\r\n\r\n"
    yield "hints without end", EARLY * (1 + HEAD_BYTES_MAX // len(EARLY)) + of_length(b"x")


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in broken()])
def test_what_can_be_read_in_two_ways_is_refused_in_any_pieces(sent: bytes) -> None:
    for size in (len(sent), 1):
        with pytest.raises(NotHttp):
            come(sent[at : at + size] for at in range(0, len(sent), size))


@pytest.mark.parametrize(
    "sent",
    [of_length, lambda content: in_chunks([content[:200], content[200:]]), until_the_end],
    ids=["told", "in chunks", "until the end"],
)
def test_what_is_too_long_is_not_taken(
    sent: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_of, "ANSWER_BYTES_MAX", 1_000)
    _, got = come([sent(b" " * 1_000)])
    assert got == b" " * 1_000
    with pytest.raises(TooLong):
        come([sent(b" " * 1_001)])


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 999999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (2 * EXCUSE_BYTES_MAX),
        b"\r\n",
    ],
    ids=["told", "in chunks", "until the end"],
)
def test_of_a_refusal_the_beginning_is_enough(rest: bytes) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n" + rest + b"busy" * EXCUSE_BYTES_MAX
    response, got = come([busy])
    assert (response.status, response.headers["retry-after"]) == (503, "7")
    assert (response.is_whole, response.leaves_open) == (True, False)
    assert got == b"busy" * (EXCUSE_BYTES_MAX // 4)


@pytest.mark.parametrize(
    ("sent", "stays"),
    [
        (b"HTTP/1.1 204 None\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
        (of_length(b"{}") + b"HTTP/1.1 200 OK\r\n\r\n", False),
        (in_chunks([b"{}"]) + b"more", False),
        (b"HTTP/1.1 204 None\r\n\r\nmore", False),
    ],
    ids=["no content", "closes", "HTTP/1.0", "one more", "more than chunks", "body"],
)
def test_a_connection_is_left_open_only_where_nothing_else_can_come(
    sent: bytes, *, stays: bool
) -> None:
    response, got = come([sent])
    assert (response.is_whole, response.leaves_open) == (True, stays)
    assert got in (b"", b"{}")


@given(st.data(), CONTENT, st.sampled_from([of_length(b"[1]"), in_chunks([b"[1]"]), OK, b"more"]))
def test_what_comes_after_a_whole_response_is_no_part_of_it(
    data: st.DataObject, content: bytes, more: bytes
) -> None:
    first = in_chunks([content]).replace(b"200 OK", b"503 Busy")
    response, got = come(data.draw(cut(first + more)))
    assert (response.status, got, response.leaves_open) == (503, content, False)
    assert "content-length" not in response.headers


def test_a_header_may_be_empty_and_come_twice() -> None:
    response, _ = come([OK + b"A:\r\nB: 1\r\nb: 2\r\nContent-Length: 0\r\n\r\n"])
    assert response.headers == {"a": "", "b": "1, 2", "content-length": "0"}


def test_what_is_packed_is_left_as_it_is() -> None:
    packed = gzip.compress(b"[]")
    _, got = come(
        [OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed), packed]
    )
    assert got == packed
