"""A seller of RPC access in front of a node: its URL holds the customer's key, twice.

It answers as well as the node does, or badly: what it says then repeats the URL, as some do.
It keeps every transaction that it was ever handed, whatever became of it.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

from aiohttp import ClientSession, web
from yarl import URL

from tests.support.canaries import RPC_PATH_KEY, RPC_QUERY_KEY

SEND: Final = "eth_sendRawTransaction"

Mood = Literal["serves", "refuses", "errs", "hangs up"]


class Provider:
    """Where it listens, and how it answers."""

    def __init__(self, node: str, session: ClientSession) -> None:
        self.origin = ""
        self.mood: Mood = "serves"
        self.handed: set[str] = set()  # transactions, as they were signed
        self._node = node
        self._session = session

    @property
    def template(self) -> str:
        """The URL as chains.yaml holds it."""
        return f"{self.origin}/v2/${{PATH_KEY}}?apikey=${{QUERY_KEY}}"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.rel_url != URL(f"/v2/{RPC_PATH_KEY}?apikey={RPC_QUERY_KEY}"):
            return web.Response(status=401)
        if SEND.encode() in body:
            calls = json.loads(body)
            for call in calls if isinstance(calls, list) else [calls]:
                self.handed |= {call["params"][0]} if call["method"] == SEND else set()
        match self.mood:
            case "refuses":
                return web.Response(status=403, text=f"{request.url} has used up its quota")
            case "errs":
                error = {"code": -32005, "message": f"limit of {request.url} exceeded"}
                return web.json_response({"jsonrpc": "2.0", "id": None, "error": error})
            case "hangs up":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "serves":
                headers = {"content-type": "application/json"}
                async with self._session.post(self._node, data=body, headers=headers) as answer:
                    return web.Response(body=await answer.read(), headers=headers)


@asynccontextmanager
async def provider(node: str) -> AsyncIterator[Provider]:
    """Listen on a free port until the end of the block."""
    async with ClientSession() as session:
        it = Provider(node, session)
        runner = web.ServerRunner(web.Server(it.handle), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        it.origin = f"http://{host}:{port}"
        try:
            yield it
        finally:
            await runner.cleanup()
