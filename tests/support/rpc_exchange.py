"""One JSON-RPC request on its way through the fault-injecting proxy, and what a fault is.

A fault is a name, two sentences for people, what must become of payments while it lasts,
and a function: from the request to what is sent instead of the node's answer. That is a
list of replies, one object for a whole batch, an HTTP response of any kind, or None where
the fault has nothing to say and the truth is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Final, TypeAlias

import msgspec
from aiohttp import ClientSession, web
from msgspec import Struct

from ctrip.core.finality import Tag

Json: TypeAlias = Any

BLOCK: Final = "eth_getBlockByNumber"
LOGS: Final = "eth_getLogs"
RECEIPT: Final = "eth_getTransactionReceipt"
BLOCK_METHODS: Final = frozenset({BLOCK, "eth_getBlockByHash"})
RECEIPT_METHODS: Final = frozenset({RECEIPT, "eth_getBlockReceipts"})
HASH_LENGTH: Final = 66
TAGS: Final = frozenset({"latest", "pending", "safe", "finalized", "earliest"})


class Outcome(StrEnum):
    """What must be true of the money paid while a fault lasts. After it, all is credited."""

    UNHURT = "credited at once, without a word"
    CREDITED = "credited while it lasts"
    HELD = "held, and health says why"
    EITHER = "credited, or held and health says why"
    LATER = "not seen while it lasts, because nobody could"


class Node:
    """A node that tells the truth."""

    def __init__(self, url: str, session: ClientSession, *, finality_lag: int = 2) -> None:
        self.finality_lag = finality_lag  # blocks, as running_anvil() was told
        self._url = url
        self._session = session

    async def forward(self, calls: Sequence[Json]) -> list[Json]:
        """Return the reply to each call, in the order of the calls."""
        async with self._session.post(self._url, json=calls) as answer:
            replies = {reply["id"]: reply for reply in await answer.json()}
        return [replies[call["id"]] for call in calls]

    async def ask(self, method: str, *params: object) -> Json:
        """Return the result of one call, or None if there is none."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        [reply] = await self.forward([call])
        return reply.get("result")

    async def block(self, name: str, *, full: bool = False) -> Json:
        """Return a block by its number, tag or hash, or None."""
        by_hash = len(name) == HASH_LENGTH
        return await self.ask("eth_getBlockByHash" if by_hash else BLOCK, name, full)

    async def height(self) -> int:
        return int(await self.ask("eth_blockNumber"), 16)


class Exchange:
    """One request: its calls, the node they were meant for, and how often the fault was met."""

    def __init__(self, request: web.BaseRequest, body: bytes, node: Node, *, since: int) -> None:
        self.request = request
        self.node = node
        self.twin: Node | None = None  # stands on another branch of the same chain
        self.since = since  # the height of the chain when the fault began
        self.turn = 0  # of the requests since then, this one is the nth
        self.calm = asyncio.Event()  # the fault is over
        asked = msgspec.json.decode(body)
        self.alone = isinstance(asked, dict)  # not a batch
        self.calls: list[Json] = [asked] if self.alone else asked
        self._true: list[Json] | None = None

    async def truth(self) -> list[Json]:
        """Return what the node replies, for the caller to change."""
        if self._true is None:
            self._true = await self.node.forward(self.calls)
        return msgspec.json.decode(msgspec.json.encode(self._true), type=list[Json])

    async def pairs(self) -> list[tuple[Json, Json]]:
        """Return each call with what the node replies to it."""
        return list(zip(self.calls, await self.truth(), strict=True))

    def is_truth(self, sent: object) -> bool:
        return self._true is not None and sent == self._true


Sent: TypeAlias = list[Json] | dict[str, Json] | web.StreamResponse | None
Play: TypeAlias = Callable[[Exchange], Awaitable[Sent]]


class Fault(Struct, frozen=True, kw_only=True):
    """One way in which an endpoint lets ctrip down."""

    name: str
    happens: str  # a sentence: what the endpoint does
    answered: str  # a sentence: what ctrip does about it
    play: Play
    alone: Outcome = Outcome.HELD  # where there is no other endpoint
    beside: Outcome = Outcome.CREDITED  # where the second of two endpoints is healthy
    behind: int = 2  # blocks mined on top of the money before ctrip looks
    tag: Tag | None = None  # what the chain's confirmations are counted by
    fast: bool = False  # the chain is one that is read by ranges of blocks
    greets: bool = False  # it is met by a client that has just started
    forwarded: bool = False  # a contract hands the native coin on
    forks: bool = False  # the twin is needed


def number_of(thing: Json) -> int | None:
    """Return the height of a block, or of the block that a log or a receipt is in."""
    if not isinstance(thing, dict):
        return None
    height = thing.get("number") or thing.get("blockNumber")
    return None if height is None else int(height, 16)


def with_result(reply: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": reply["id"], "result": result}


def with_error(reply: Json, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": reply["id"], "error": {"code": code, "message": message}}


def each(change: Callable[[Json, Json], Json]) -> Play:
    """Play a fault in single replies: `change` gets a call and its reply, returns a reply."""

    async def play(x: Exchange) -> Sent:
        return [change(call, reply) for call, reply in await x.pairs()]

    return play


def in_results(methods: frozenset[str], change: Callable[[Json], Json]) -> Play:
    """Play a fault in every result of these methods that is there; tags are answered truly."""

    def changed(call: Json, reply: Json) -> Json:
        tagged = bool(call["params"]) and call["params"][0] in ("safe", "finalized")
        if call["method"] not in methods or tagged or not reply.get("result"):
            return reply
        return with_result(reply, change(reply["result"]))

    return each(changed)


def in_logs(change: Callable[[Json], Json]) -> Play:
    """Play a fault in every log."""
    return in_results(frozenset({LOGS}), lambda logs: [change(log) for log in logs])


def refusing(methods: frozenset[str] | None, code: int, message: str) -> Play:
    """Refuse these methods, or all of them."""

    def refused(call: Json, reply: Json) -> Json:
        if methods is None or call["method"] in methods:
            return with_error(reply, code, message)
        return reply

    return each(refused)
