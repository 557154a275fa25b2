"""A JSON-RPC server that knows a small chain and can lie about it.

It answers truly unless given a lie: a function from the true replies of one request to
what is sent instead: other replies, a whole HTTP response, "hang" to begin an answer and
never go on, or "hang up" to begin one and close the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, Final

import msgspec
from aiohttp import web

Json = Any
Lie = Callable[[list[Json]], Json]
Change = Callable[[Json, Json], Json]

PATH: Final = "/v3/planted-key-5e1f"  # stands for the API key in a provider's URL
CHAIN_ID: Final = 31337
TOKEN: Final = "0x" + "70" * 20
SHOP: Final = "0x" + "5a" * 20
PAYER: Final = "0x" + "fa" * 20
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
HEIGHT: Final = 20
BLOCKS: Final = "eth_getBlockByNumber"
LOGS: Final = "eth_getLogs"
RECEIPTS: Final = "eth_getTransactionReceipt"
FINALIZED: Final = 15
SAFE: Final = 17


def word(value: int) -> str:
    return f"0x{value:064x}"


def block_hash(number: int) -> str:
    return word(0xB10C << 64 | number)


def a_transaction(number: int, amount: int, **fields: object) -> Json:
    hidden = {"gas": "0x5208", "input": "0x", "accessList": [], "type": "0x2", "nonce": "0x0"}
    seen = {"hash": word(0x7000 + number), "from": PAYER, "to": SHOP, "value": hex(amount)}
    return {**hidden, **seen, **fields}


def a_log(number: int, amount: int = 7, **fields: object) -> Json:
    return {
        "address": TOKEN,
        "topics": [TRANSFER, *(f"0x{a.removeprefix('0x'):0>64}" for a in (PAYER, SHOP))],
        "data": word(amount),
        "blockNumber": hex(number),
        "blockHash": block_hash(number),
        "transactionHash": word(0x7000 + number),
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
        **fields,
    }


def a_block(number: int) -> Json:
    return {
        "number": hex(number),
        "hash": block_hash(number),
        "parentHash": block_hash(number - 1) if number else word(0),
        "timestamp": hex(1_800_000_000 + number),
        "extraData": "0x" + "00" * 97,  # as long as on proof-of-authority chains
        "logsBloom": "0x" + "ff" * 256,
        "transactions": [a_transaction(number, number)],
        "withdrawals": [],
    }


def says(result: object) -> Change:
    """Let each call of a method have this result."""
    return lambda _, reply: {"jsonrpc": "2.0", "id": reply["id"], "result": result}


class LyingNode:
    """The server. Each attribute is a lever; `asked` lists the methods of every request."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[list[str]] = []
        self.chain_id = CHAIN_ID
        self.blocks: dict[int, Json] = {n: a_block(n) for n in range(HEIGHT + 1)}
        self.logs: dict[str, list[Json]] = {block_hash(n): [a_log(n)] for n in self.blocks}
        self.finalized: Json = {"result": self.blocks[FINALIZED]}
        self.safe: Json = {"result": self.blocks[SAFE]}
        self.height = HEIGHT
        self.takes_lists = True
        self.calls: list[Json] = []  # every call with its parameters
        self._lies: dict[str, Lie] = {}
        self._changes: dict[str, Change] = {}
        self._released = asyncio.Event()

    def lie_about(self, method: str, lie: Lie) -> None:
        """Let `lie` change the answer to every request that begins with this method."""
        self._lies[method] = lie

    def alter(self, method: str, change: Change) -> None:
        """Let `change` make another reply of each call of this method and its true reply."""
        self._changes[method] = change

    def refuse(self, method: str, code: int, message: str) -> None:
        """Answer calls of this method with an error."""
        error = {"code": code, "message": message}
        self.alter(method, lambda _, reply: {"id": reply["id"], "error": error})

    def tell_the_truth(self) -> None:
        self._lies.clear()
        self._changes.clear()

    def release(self) -> None:
        self._released.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        calls = body if isinstance(body, list) else [body]
        if not self.takes_lists and isinstance(body, list):
            error = {"code": -32600, "message": "batch requests are not supported"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error})
        self.calls += calls
        self.asked.append([call["method"] for call in calls])
        replies = [
            {"jsonrpc": "2.0", "id": call["id"], **deepcopy(self._reply(call))} for call in calls
        ]
        replies = [self._changed(*pair) for pair in zip(calls, replies, strict=True)]
        lie = self._lies.get(calls[0]["method"])
        said = lie(replies) if lie else replies
        if said in ("hang", "hang up"):
            return await self._begin(request, ends=said == "hang up")
        if isinstance(said, web.StreamResponse):
            return said
        return web.json_response(said if isinstance(body, list) or lie else said[0])

    def _changed(self, call: Json, reply: Json) -> Json:
        change = self._changes.get(call["method"])
        return change(call, reply) if change else reply

    async def _begin(self, request: web.Request, *, ends: bool) -> web.StreamResponse:
        """Begin an answer; then close the connection, or wait until the server does."""
        response = web.StreamResponse(headers={"Content-Length": "900"})
        await response.prepare(request)
        await response.write(b'[{"jsonrpc":"2.0","id":1,"re')
        if ends and request.transport:
            request.transport.close()
        else:
            await self._released.wait()
        return response

    def _reply(self, call: Json) -> Json:
        first: Json = call["params"][0] if call["params"] else None
        match call["method"]:
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "eth_getBlockByNumber" if first == "finalized":
                return self.finalized
            case "eth_getBlockByNumber" if first == "safe":
                return self.safe
            case "eth_getBlockByNumber":
                number = self.height if first == "latest" else int(first, 16)
                return {"result": self.blocks.get(number) if number <= self.height else None}
            case "eth_getLogs" if "fromBlock" in first:
                ends = (first["fromBlock"], first["toBlock"])
                low, high = (self.height if end == "latest" else int(end, 16) for end in ends)
                return {"result": self._logs_in(low, high)}
            case "eth_getLogs" if first["blockHash"] in self.logs:
                return {"result": self.logs[first["blockHash"]]}
            case "eth_getLogs":
                return {"error": {"code": -32000, "message": "unknown block"}}
            case "eth_getTransactionReceipt":
                return {"result": self._receipt(int(first, 16) - 0x7000)}
            case "eth_getTransactionByHash":
                number = int(first, 16) - 0x7000
                place = {"blockHash": block_hash(number), "blockNumber": hex(number)}
                return {"result": {**a_transaction(number, number), **place}}
            case method:
                return {"error": {"code": -32601, "message": f"no {method} at {self.url}"}}

    def _logs_in(self, first: int, last: int) -> list[Json]:
        """Return logs by height: of a block that is not there, none and no word."""
        heights = range(first, min(last, self.height) + 1)
        return [log for n in heights for log in self.logs.get(self.blocks[n]["hash"], [])]

    def _receipt(self, number: int) -> Json:
        if number not in self.blocks:
            return None
        return {
            "transactionHash": word(0x7000 + number),
            "blockHash": block_hash(number),
            "blockNumber": hex(number),
            "status": "0x1",
            "logs": self.logs[block_hash(number)],
        }


@asynccontextmanager
async def lying_node() -> AsyncIterator[LyingNode]:
    """Run a node of one's own on a free port."""
    node = LyingNode()
    app = web.Application()
    app.router.add_post(PATH, node.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    node.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield node
    finally:
        node.release()
        await runner.cleanup()
