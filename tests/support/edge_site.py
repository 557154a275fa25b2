"""A small site behind the real edge, in a process of its own, to be rude to."""

import asyncio
import multiprocessing
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import uvloop
from msgspec import Struct, json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ctrip.edge.connections import Limits
from ctrip.server import http_server
from ctrip.web.bodies import parse, read_body
from ctrip.web.desk import Desk, Pages
from ctrip.web.manners import Manners

START_SECONDS_MAX: Final = 30
STOP_SECONDS_MAX: Final = 10
LIMITS: Final = Limits(
    connections_max=4_000,
    head_seconds=1.0,
    body_seconds=1.0,
    idle_seconds=0.7,
    rest_seconds=0.5,
    write_seconds=0.7,
)


class Asked(Struct, forbid_unknown_fields=True):
    """What the site takes."""

    amount: int
    note: str = ""


DECODER: Final = json.Decoder(Asked)


class Site(Struct, frozen=True):
    """The handle of the process."""

    port: int
    pid: int

    def memory(self) -> int:
        """Return the bytes that it holds."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * 4_096


async def hello(request: Request) -> Response:
    """Read no body, and say what was understood."""
    return JSONResponse({"path": request.url.path, "key": request.headers.get("x-api-key")})


async def take(request: Request) -> Response:
    """Read a body as the API does."""
    asked = parse(await read_body(request), DECODER)
    return JSONResponse({"amount": str(asked.amount)})


async def large(_request: Request) -> Response:
    """Answer more than a socket holds."""

    async def pieces() -> Any:
        for _ in range(400):
            yield b"x" * 65_536

    return StreamingResponse(pieces())


async def never(_request: Request) -> Response:
    """Do not answer."""
    await asyncio.Event().wait()
    return Response()


async def begun(_request: Request) -> Response:
    """Begin an answer that does not end."""

    async def pieces() -> Any:
        yield b"x"
        await asyncio.Event().wait()

    return StreamingResponse(pieces())


def site() -> Manners:
    """Return the site."""
    paths: dict[str, Pages] = {
        "/hello": {"GET": hello, "POST": hello},
        "/take": {"POST": take},
        "/large": {"GET": large},
        "/never": {"GET": never},
        "/begun": {"GET": begun},
    }
    return Manners(Desk(paths).answer)


@contextmanager
def edge_site(limits: Limits = LIMITS) -> Iterator[Site]:
    """Serve until the end of the block."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=run, args=(theirs, limits), daemon=True)
    process.start()
    theirs.close()
    try:
        assert ours.poll(START_SECONDS_MAX), "the site did not start"
        yield Site(ours.recv(), process.pid or 0)
    finally:
        ours.close()
        process.terminate()
        process.join(STOP_SECONDS_MAX)
        if process.is_alive():
            process.kill()


def run(line: "Connection[Any, Any]", limits: Limits) -> None:
    """Be the process."""
    uvloop.run(serve(line, limits))


async def serve(line: "Connection[Any, Any]", limits: Limits) -> None:
    """Serve until SIGTERM."""
    server = http_server(site(), limits)
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM,
        setattr,
        server,
        "should_exit",
        True,  # noqa: FBT003  setattr's own form
    )
    with socket.create_server(("127.0.0.1", 0), backlog=4_096) as listener:
        line.send(listener.getsockname()[1])
        await server.serve(sockets=[listener])
