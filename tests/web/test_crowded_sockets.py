"""Many connections that say little, read little or stay: each has its time, and others get in."""

import asyncio
import logging
import resource
import time

import pytest

from ctrip.edge.connections import Limits
from ctrip.server import REQUEST_SECONDS_LEFT
from tests.support.edge_site import LIMITS, Site, edge_site
from tests.support.waiting import until
from tests.web.raw_sockets import (
    CLOSING,
    GOOD,
    LOOK_SECONDS,
    MEGABYTE,
    PATIENCE_SECONDS,
    TAKE,
    code,
    dialled,
    everything,
    is_well,
    said,
    served,
    status,
    waits,
)


async def test_heads_that_never_end_are_closed_in_time_and_others_are_served(site: Site) -> None:
    many = 1_000
    before = site.memory()
    half = []
    for _ in range(many):  # each begins at once: who says nothing for a while is not answered
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST /take HTTP/1.1\r\nhost: x\r\nx-a: ")
        half.append((reader, writer))
    began = time.perf_counter()
    while time.perf_counter() - began < LIMITS.head_seconds / 2:
        assert await is_well(site)
        for _, writer in half[:100]:
            writer.write(b"x")  # a byte now and then wins no time
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = await asyncio.gather(*(everything(reader) for reader, _ in half))
    assert time.perf_counter() - began < LIMITS.head_seconds + LOOK_SECONDS + 2
    assert {status(answer) for answer in answers} == {408}
    assert {code(answer) for answer in answers} == {"request_timeout"}
    for _, writer in half:
        writer.transport.abort()
    assert site.memory() - before < 40 * MEGABYTE


async def test_line_ends_are_no_sign_of_life(site: Site) -> None:
    async with dialled(site) as (reader, writer):
        began = time.perf_counter()
        ended = asyncio.create_task(everything(reader))
        while not ended.done():
            writer.write(b"\r\n")
            await asyncio.wait([ended], timeout=0.1)
        assert time.perf_counter() - began < LIMITS.head_seconds + LOOK_SECONDS + 1


async def test_who_says_nothing_is_closed_without_a_word(site: Site) -> None:
    assert await said(site) == b""
    answer = await said(site, GOOD)  # and stays connected
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_any_number_of_open_sockets_keeps_nobody_out() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    many, allowed = 3_000, 1_000
    with edge_site(Limits(connections_max=allowed, head_seconds=60)) as site:
        assert await is_well(site)
        before = site.memory()
        idle: list[asyncio.StreamWriter] = []
        while len(idle) < many:
            dials = [asyncio.open_connection("127.0.0.1", site.port) for _ in range(100)]
            idle += [writer for _, writer in await asyncio.gather(*dials)]
            assert await is_well(site)
        assert site.memory() - before < allowed * 20_000
        for writer in idle:
            writer.transport.abort()


async def test_where_all_are_busy_the_next_is_told_to_come_again() -> None:
    async with served(Limits(connections_max=3)) as (site, server):
        busy = []
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n")
            busy.append(writer)
        await until("all are busy", lambda: waits(server, 3))
        answer = await said(site, CLOSING)
        assert status(answer) == 503
        assert code(answer) == "unavailable"
        assert b"\r\nretry-after: " in answer
        for writer in busy:
            writer.transport.abort()
        await until("they are gone", lambda: waits(server, 0))
        assert await is_well(site)


async def test_requests_that_do_not_end_are_answered_when_we_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = (
        TAKE + b"content-length: 9\r\n\r\n{",
        b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /begun HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost",
        b"",
    )
    async with served(Limits(connections_max=100)) as (site, server):
        answers = asyncio.gather(*(said(site, one) for one in asked))
        await until("three wait", lambda: waits(server, 3))
        began = time.perf_counter()
    assert time.perf_counter() - began < REQUEST_SECONDS_LEFT + 1
    slow, never, begun, *others = await answers
    for answer in (slow, never):
        assert status(answer) == 503
        assert code(answer) == "unavailable"
    assert begun.endswith(b"\r\n1\r\nx\r\n")
    assert [status(answer) for answer in others] == [200, 0, 0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_who_does_not_read_is_cut_off_and_costs_little_until_then(site: Site) -> None:
    before = site.memory()
    async with dialled(site) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a read transport
        began = time.perf_counter()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        most = 0
        while not writer.transport.is_closing():
            most = max(most, site.memory())
            writer.write(b"\r\n")  # the only way to hear of it
            await asyncio.sleep(0.05)
        assert time.perf_counter() - began < LIMITS.write_seconds + LOOK_SECONDS + 2
    assert most - before < 4 * MEGABYTE
