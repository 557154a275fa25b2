"""Bytes on a socket, and what comes back: for tests of what no HTTP library would send."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import json

from ctrip.edge.connections import Limits
from ctrip.server import Server, http_server
from tests.support.edge_site import Site
from tests.support.edge_site import site as edge

PATIENCE_SECONDS = 10
LOOK_SECONDS = 0.5  # between looks at deadlines
MEGABYTE = 1_048_576
GOOD = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSING = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
TAKE = b"POST /take HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@asynccontextmanager
async def dialled(site: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def said(site: Site, *sent: bytes) -> bytes:
    """Send, and return all that comes until the other side ends."""
    async with dialled(site) as (reader, writer):
        try:
            for piece in sent:
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # what it has to say may be there all the same
        return await everything(reader)


async def everything(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    try:
        while piece := await reader.read(MEGABYTE):
            heard += piece
    except ConnectionError:
        pass
    return heard


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def code(answer: bytes) -> object:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head
    problem = json.decode(body)
    assert set(problem) == {"detail", "code"}
    return problem["code"]


async def is_well(site: Site) -> bool:
    return status(await said(site, CLOSING)) == 200


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[tuple[Site, Server]]:
    """Serve from this process."""
    server = http_server(edge(), limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Site(listener.getsockname()[1], os.getpid()), server
        finally:
            server.should_exit = True
            await serving


async def is_alone(server: Server) -> bool:
    """Tell whether nobody is connected."""
    return not server.server_state.connections


async def waits(server: Server, count: int) -> bool:
    """Tell whether so many requests are under way."""
    return len(server.server_state.tasks) == count
