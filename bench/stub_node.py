"""A node that costs little: aiohttp in a process of its own, with blocks made beforehand.

Some blocks are made at the start (bench/stub_blocks.py) and served at every height. A reply
is joined from bytes, so that a bench measures its client. It counts what it is asked.

    with node(Shape()) as stub:
        stub.tell(head=1_000)
        ...                     # ask stub.url
        stub.asked()            # since the last time
"""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Final, NamedTuple

import uvloop
from aiohttp import web
from msgspec import json

from bench.stub_blocks import CHAIN_ID, Shape, height_of, make, values_at
from ctrip.app import settle_in
from ctrip.chain.balances import MARK, PROGRAM, WORD_DIGITS

START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 5.0
REQUEST_BYTES_MAX: Final = 2**22
QUESTION_DIGITS: Final = 80  # a contract and an owner
REPLIES_KEPT: Final = 512  # of the same heights again and again


class Asked(NamedTuple):
    """What a node was asked."""

    calls: Counter[str]  # by method
    requests: int


class Stub:
    """The handle of a running node."""

    def __init__(self, url: str, line: "Connection[Any, Any]", pid: int) -> None:
        self.url = url
        self.pid = pid
        self._line = line

    def tell(self, *, head: int) -> None:
        """Let the chain grow, or fall back, to this height."""
        self._line.send(head)
        self._line.recv()

    def asked(self) -> Asked:
        """Return what it was asked since the last time."""
        self._line.send(None)
        counts, requests = self._line.recv()
        return Asked(counts, requests)


@contextmanager
def node(shape: Shape) -> Iterator[Stub]:
    """Run a node as long as the `with` lasts."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(shape, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(START_SECONDS_MAX):
            raise SystemExit("the stub node did not start")
        yield Stub(ours.recv(), ours, process.pid or 0)
    finally:
        ours.close()
        process.join(STOP_SECONDS_MAX)
        if process.is_alive():
            process.kill()


def serve(shape: Shape, line: "Connection[Any, Any]") -> None:
    """Be the node, until the other end of the line is closed."""
    settle_in()  # it must never be what is measured
    uvloop.run(Node(shape).run(line))


class Node:
    """The node itself."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._head = shape.head
        paying = [shape.pays, *[None] * (shape.made - 1)]
        self._made = [make(shape, Random(seed), pays=to) for seed, to in enumerate(paying)]  # noqa: S311  a shape
        self._calls: Counter[str] = Counter()
        self._requests = 0
        self._block = lru_cache(REPLIES_KEPT)(self._block_at)
        self._logs = lru_cache(REPLIES_KEPT)(self._logs_at)

    async def run(self, line: "Connection[Any, Any]") -> None:
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.router.add_post("/", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        done = asyncio.Event()
        asyncio.get_running_loop().add_reader(line.fileno(), self._obey, line, done)
        line.send(f"http://{host}:{port}/")
        await done.wait()
        await runner.cleanup()

    def _obey(self, line: "Connection[Any, Any]", done: asyncio.Event) -> None:
        try:
            order = line.recv()
        except EOFError:
            asyncio.get_running_loop().remove_reader(line.fileno())
            done.set()
            return
        if order is None:
            line.send((self._calls, self._requests))
            self._calls, self._requests = Counter(), 0
        else:
            self._head = order
            line.send(None)

    async def _answer(self, request: web.Request) -> web.Response:
        asked = json.decode(await request.read())
        self._requests += 1
        if isinstance(asked, list):
            pieces = [piece for call in asked for piece in (b",", *self._reply(call))]
            body = b"".join([b"[", *pieces[1:], b"]"])
        else:
            body = b"".join(self._reply(asked))
        return web.Response(body=body, content_type="application/json")

    def _reply(self, call: dict[str, Any]) -> tuple[bytes, ...]:
        """Return a reply in pieces, so that a block is copied once."""
        method, params = call["method"], call.get("params", ())
        self._calls[method] += 1
        result = self._result(method, params)
        return b'{"jsonrpc":"2.0","id":', json.encode(call["id"]), b',"result":', result, b"}"

    def _result(self, method: str, params: Sequence[Any]) -> bytes:
        match method:
            case "eth_chainId":
                return json.encode(hex(CHAIN_ID))
            case "eth_getBlockByNumber":
                number = self._height(params[0])
                return b"null" if number > self._head else self._block(number, params[1])
            case "eth_getLogs":
                return self._logs_of(params[0])
            case "eth_call":
                return no_balances(params[0]["data"])
            case "debug_traceBlockByHash":
                return b"[]"
            case _:
                raise web.HTTPBadRequest

    def _height(self, name: str) -> int:
        final = max(0, self._head - self._shape.final_depth)
        final -= final % self._shape.final_every
        tags = {"latest": self._head, "safe": final, "finalized": final}
        return tags[name] if name in tags else int(name, 16)

    def _logs_of(self, asked: dict[str, str]) -> bytes:
        if "blockHash" in asked:
            return self._logs(height_of(asked["blockHash"]))
        first, last = self._height(asked["fromBlock"]), self._height(asked["toBlock"])
        lists = [self._logs(number)[1:-1] for number in range(first, last + 1)]
        return b"[" + b",".join(one for one in lists if one) + b"]"

    def _block_at(self, number: int, full: bool) -> bytes:  # noqa: FBT001  as the method has it
        made = self._made[number % len(self._made)]
        return (made.full if full else made.header).at(values_at(number, self._shape.block_seconds))

    def _logs_at(self, number: int) -> bytes:
        return self._made[number % len(self._made)].logs.at(
            values_at(number, self._shape.block_seconds)
        )


def no_balances(data: str) -> bytes:
    """Answer the one call for many balances: all of them are 0."""
    questions = (len(data) - len(f"0x{PROGRAM}")) // QUESTION_DIGITS
    return json.encode(f"{MARK}{'0' * WORD_DIGITS * questions}")
