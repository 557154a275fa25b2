"""A node's answers on their way, retold: spelt otherwise, or with what was not asked for.

async with retelling(anvil.url) as retold:
    retold.change = in_upper_case
    client = client_of(chain, retold.url, clock)
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientSession, web

Json = Any
Change = Callable[[str, Json], Json]  # of a method and its result


class Retelling:
    """Stands before a node and changes every result."""

    def __init__(self, node: str, session: ClientSession) -> None:
        self.url = ""
        self.change: Change = as_it_was
        self._node = node
        self._session = session

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._node, data=body, headers=headers) as answer:
            replies = msgspec.json.decode(await answer.read())
        methods = {call["id"]: call["method"] for call in msgspec.json.decode(body)}
        for reply in replies:
            if "result" in reply:
                reply["result"] = self.change(methods[reply["id"]], reply["result"])
        return web.json_response(replies)


def as_it_was(_: str, result: Json) -> Json:
    return result


def in_upper_case(_: str, value: Json) -> Json:
    """Spell every hexadecimal digit as a capital."""
    match value:
        case str() if value.startswith("0x"):
            return "0x" + value[2:].upper()
        case list():
            return [in_upper_case(_, item) for item in value]
        case dict():
            return {key: in_upper_case(_, item) for key, item in value.items()}
        case _:
            return value


@asynccontextmanager
async def retelling(node: str) -> AsyncIterator[Retelling]:
    """Listen on a free port until the end of the block."""
    async with ClientSession() as session:
        it = Retelling(node, session)
        runner = web.ServerRunner(web.Server(it.answer), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield it
        finally:
            await runner.cleanup()
