"""Bodies that are too large, too slow, broken, or made to hurt: bounded, whoever reads them."""

import asyncio
import time

import pytest

from ctrip.edge.connections import Limits
from ctrip.edge.protocol import REST_BYTES_MAX
from ctrip.edge.refusals import BODY_BYTES_MAX
from tests.support.edge_site import LIMITS, Site
from tests.support.waiting import until
from tests.web.raw_sockets import (
    CLOSING,
    LOOK_SECONDS,
    MEGABYTE,
    TAKE,
    code,
    dialled,
    everything,
    is_alone,
    is_well,
    said,
    served,
    status,
    waits,
)


async def test_a_hundred_megabytes_of_body_cost_no_memory(site: Site) -> None:
    assert await is_well(site)
    before = site.memory()
    million = b"x" * MEGABYTE
    chunk = b"100000\r\n" + million + b"\r\n"
    for path in (b"/hello", b"/take"):
        start = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        for answer in (
            await said(site, start + b"content-length: 104857600\r\n\r\n", *[million] * 100),
            await said(site, start + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 100),
        ):
            assert status(answer) in (0, 200 if path == b"/hello" else 413)
    assert site.memory() - before < 8 * MEGABYTE
    assert await is_well(site)


async def test_a_body_too_large_hears_so_and_that_nothing_follows(site: Site) -> None:
    length = 3 * MEGABYTE
    announced = b"content-length: %d\r\n\r\n" % length
    async with dialled(site) as (reader, writer):
        writer.write(TAKE + announced + b"x" * length)
        answer = await reader.read()  # to a proper end: a reset could take the answer away
        await writer.drain()
    assert status(answer) == 413
    assert b"connection: close" in answer
    assert code(answer) == "body_too_large"


@pytest.mark.parametrize("endless", [b"x" * 65_536, b"10000\r\n" + b"x" * 65_536 + b"\r\n"])
async def test_a_body_without_end_is_cut_off_whoever_reads_it(endless: bytes) -> None:
    start = b"POST /hello HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    extension = b"5;" if b"\n" not in endless else b""  # of a chunk, which the parser skips
    pieces = 2 * BODY_BYTES_MAX // len(endless)
    async with served(Limits(connections_max=9, rest_seconds=60)) as (site, server):
        async with dialled(site) as (reader, writer):
            writer.write(start + extension)
            writer.write(endless * pieces)
            assert status(await everything(reader)) == 200  # and no more is to come
            sent = 0
            while not writer.transport.is_closing():
                writer.write(endless)
                sent += len(endless)
                await asyncio.sleep(0)
            assert sent < 4 * REST_BYTES_MAX
        await until("it is closed", lambda: is_alone(server))


async def test_the_rest_of_an_answered_body_is_not_waited_for(site: Site) -> None:
    began = time.perf_counter()
    answer = await said(site, b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
    assert status(answer) == 200
    assert time.perf_counter() - began < LIMITS.rest_seconds + LOOK_SECONDS + 1


async def test_a_body_that_comes_too_slowly_is_not_waited_for(site: Site) -> None:
    async with dialled(site) as (reader, writer):
        began = time.perf_counter()
        writer.write(TAKE + b"content-length: 60000\r\n\r\n")
        head = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        while not head.done():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        answer = await head + await reader.read()
    assert time.perf_counter() - began < LIMITS.body_seconds + LOOK_SECONDS + 1
    assert (status(answer), code(answer)) == (408, "request_timeout")
    assert "body" in answer.decode()


async def test_a_body_that_was_slow_and_came_in_time_leaves_no_deadline(site: Site) -> None:
    async with dialled(site) as (reader, writer):
        for piece in (b"{", b'"amount": 1', b"}"):
            writer.write(piece if piece != b"{" else TAKE + b"content-length: 13\r\n\r\n{")
            await asyncio.sleep(LIMITS.body_seconds / 4)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(LIMITS.idle_seconds / 2)
        writer.write(CLOSING)
        assert status(await everything(reader)) == 200


async def test_a_body_answered_early_may_still_end_and_the_next_request_come(site: Site) -> None:
    start = b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    async with dialled(site) as (reader, writer):
        writer.write(start)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(b"defghi" + CLOSING)
        assert status(await everything(reader)) == 200


async def test_a_broken_chunk_is_refused_and_its_page_told() -> None:
    async with (
        served(Limits(connections_max=9)) as (site, server),
        dialled(site) as (reader, writer),
    ):
        writer.write(TAKE + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
        await until("the page waits", lambda: waits(server, 1))
        writer.write(b"zz\r\n")
        answer = await everything(reader)
        await until("the page waits no longer", lambda: waits(server, 0), seconds=1)
    assert status(answer) == 400
    assert code(answer) == "invalid_http"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 60_000, 400),
        (b'{"amount":' * 6_000, 400),
        (b'{"amount": ' + b"9" * 60_000 + b"}", 400),
        (b'{"amount": ' + b"9" * 1_000_000 + b"}", 413),
        (b'{"amount": 1e999999999}', 400),
        (b'{"amount": -0.0}', 400),
        (b'{"amount": NaN}', 400),
        (b'{"amount": 1, "note": "\xff"}', 400),
        (b'{"amount": 1, "note": "\\ud800"}', 400),
        (b"{" + b",".join(b'"%d":1' % n for n in range(7_000)) + b"}", 400),
    ],
)
async def test_json_made_to_hurt_is_refused_quickly(site: Site, body: bytes, expected: int) -> None:
    began = time.perf_counter()
    closing = b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert status(await said(site, TAKE + closing + body)) == expected
    assert time.perf_counter() - began < 1
