"""A proxy in front of a real node that plays the faults of rpc_faults.py, by their names.

async with proxy(anvil.url) as endpoint:
    endpoint.plays("429 with Retry-After")
    ...
    endpoint.calms()
    assert endpoint.played                       # the fault was met
    assert endpoint.methods["eth_getLogs"] < 5   # what it was asked
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientSession, ClientTimeout, web

from tests.support.rpc_exchange import Exchange, Fault, Node, Sent
from tests.support.rpc_faults import FAULTS

NODE_SECONDS_MAX: Final = 20.0  # the node is ours; beyond this the machine is ill


class RpcProxy:
    """Where it listens, what it plays, and what it was asked."""

    def __init__(self, node: Node, twin: Node | None) -> None:
        self.url = ""
        self.requests = 0
        self.played = 0  # requests that were answered otherwise than the node answers
        self.methods: Counter[str] = Counter()  # calls since the start
        self._node = node
        self._twin = twin
        self._fault: Fault | None = None
        self._left: int | None = None  # requests that the fault is still played for
        self._memory: list[Exchange] = []  # of this fault, to be told when it ends
        self._since = 0

    async def plays(self, fault: str | Fault, *, requests: int | None = None) -> Fault:
        """Play a fault from now on: until calms(), or for so many requests."""
        self.calms()
        self._since = await self._node.height()
        self._fault = FAULTS[fault] if isinstance(fault, str) else fault
        self._left = requests
        self.played = 0
        return self._fault

    def calms(self) -> None:
        """Answer truly from now on, and give up what still hangs."""
        self._fault = None
        for exchange in self._memory:
            exchange.calm.set()
        self._memory.clear()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        x = Exchange(request, await request.read(), self._node, since=self._since)
        self.requests += 1
        self.methods.update(call["method"] for call in x.calls)
        sent = await self._play(x)
        if sent is None:
            sent = await x.truth()
        if isinstance(sent, web.StreamResponse):
            return sent
        return web.json_response(sent[0] if x.alone and isinstance(sent, list) else sent)

    async def _play(self, x: Exchange) -> Sent:
        if self._fault is None or self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        self._memory.append(x)
        x.turn, x.twin = len(self._memory), self._twin
        turn = self.played
        self.played += 1  # also while it hangs
        sent = await self._fault.play(x)
        if (sent is None or x.is_truth(sent)) and self.played > turn:
            self.played -= 1
        return sent


@asynccontextmanager
async def proxy(
    node: str, *, twin: str | None = None, finality_lag: int = 2
) -> AsyncIterator[RpcProxy]:
    """Listen on a free port until the end of the block, in front of the node at this URL."""
    timeout = ClientTimeout(total=NODE_SECONDS_MAX)
    async with ClientSession(timeout=timeout) as session:
        true = Node(node, session, finality_lag=finality_lag)
        it = RpcProxy(true, Node(twin, session) if twin else None)
        runner = web.ServerRunner(web.Server(it.handle), shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        it.url = f"http://{host}:{port}"
        try:
            yield it
        finally:
            it.calms()
            await runner.cleanup()
