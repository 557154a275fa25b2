"""An endpoint before a real node that does what a test scripts, call by call.

    async with between(anvil.url) as endpoint:
        endpoint.play = forging                # any function of rpc_exchange's kind
        endpoint.before["eth_getLogs"] = act   # done once, just before such a call is answered
        assert endpoint.asked["eth_getLogs"]   # the parameters of each call, in order

For the faults that have names there is tests/support/rpc_proxy.py.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web

from tests.support.rpc_exchange import Exchange, Json, Node, Play, Sent


async def true(_: Exchange) -> Sent:
    """Say what the node says."""
    return None


class Between:
    """Where it listens, what it plays, and what it was asked."""

    def __init__(self, node: Node) -> None:
        self.url = ""
        self.play: Play = true
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.asked: defaultdict[str, list[Json]] = defaultdict(list)
        self._node = node
        self._turn = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        x = Exchange(request, await request.read(), self._node, since=0)
        self._turn += 1
        x.turn = self._turn
        for call in x.calls:
            self.asked[call["method"]].append(call["params"])
            if act := self.before.pop(call["method"], None):
                await act()
        sent = await self.play(x)
        if sent is None:
            sent = await x.truth()
        if isinstance(sent, web.StreamResponse):
            return sent
        return web.json_response(sent[0] if x.alone and isinstance(sent, list) else sent)


@asynccontextmanager
async def between(node: str) -> AsyncIterator[Between]:
    """Listen on a free port until the end of the block, in front of the node at this URL."""
    async with ClientSession() as session:
        it = Between(Node(node, session))
        runner = web.ServerRunner(web.Server(it.handle), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield it
        finally:
            await runner.cleanup()
