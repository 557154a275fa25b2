"""The same blocks read in three ways, each in a process of its own.

ctrip's client, in a process set up as `ctrip serve` sets itself up; aiohttp alone, which
asks for the same, as many requests at once, and lets the bodies go; and web3's
AsyncWeb3.eth.get_block. So none pays for the memory or the imports of another.
"""

import multiprocessing
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import uvloop
from msgspec import json
from web3 import AsyncHTTPProvider, AsyncWeb3

from bench.stub_blocks import CHAIN_ID, TOKENS, hash_at
from ctrip.app import settle_in
from ctrip.chain.blocks import BLOCKS_PER_BATCH_MAX
from ctrip.chain.decode import TRANSFER
from ctrip.chain.lanes import cut, few_at_once
from ctrip.chain.rpc import RpcChain
from ctrip.clock import SystemClock
from ctrip.core.chains import Chain, Token
from ctrip.core.finality import Depth
from ctrip.core.ids import BlockNumber, ChainName, RawAddress
from ctrip.settings import Secret

STOP_SECONDS_MAX: Final = 5.0
ANSWER_SECONDS_MAX: Final = 60.0

GIVEN_OUT: Final = frozenset({RawAddress("0x" + "d" * 40)})

HEADERS: Final = {"Content-Type": "application/json"}

FULL: Final = True  # with the transactions, not only their hashes


class Reader(Protocol):
    """One way to read."""

    async def read(self, first: int, last: int) -> None:
        """Read the blocks first..last."""

    async def close(self) -> None:
        """Give back connections."""


class Took(NamedTuple):
    """What it cost to read some blocks."""

    seconds: float
    cpu_seconds: float


class Side:
    """The handle of a process that reads."""

    def __init__(self, line: "Connection[Any, Any]") -> None:
        self._line = line

    def read(self, first: int, last: int) -> Took:
        """Let it read blocks, and wait."""
        self._line.send((first, last))
        if not self._line.poll(ANSWER_SECONDS_MAX):
            raise SystemExit("a reader does not answer")
        return Took(*self._line.recv())


@contextmanager
def side(reader: Callable[[str], Reader], url: str, *, tuned: bool) -> Iterator[Side]:
    """Start a process that reads in one of the three ways."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(reader, url, theirs, tuned), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Side(ours)
    finally:
        ours.close()
        process.join(STOP_SECONDS_MAX)
        if process.is_alive():
            process.kill()


def serve(
    reader: Callable[[str], Reader],
    url: str,
    line: "Connection[Any, Any]",
    tuned: bool,  # noqa: FBT001  a process has no keywords
) -> None:
    """Read what is asked for, until the other end of the line is closed."""
    if tuned:
        settle_in()
    uvloop.run(obey(reader(url), line))


async def obey(reader: Reader, line: "Connection[Any, Any]") -> None:
    """Read and measure."""
    try:
        while True:
            first, last = line.recv()
            start, cpu_start = perf_counter(), process_time()
            await reader.read(first, last)
            line.send((perf_counter() - start, process_time() - cpu_start))
    except EOFError:
        await reader.close()


class WithCtrip:
    """As the gateway does: in batches, checked, with their logs."""

    def __init__(self, url: str) -> None:
        self._client = RpcChain(a_chain(), [Secret(url)], SystemClock())

    async def read(self, first: int, last: int) -> None:
        await self._client.blocks(BlockNumber(first), BlockNumber(last), tokens=TOKENS, ours=ours)

    async def close(self) -> None:
        await self._client.close()


async def ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
    """Return which of these addresses were given out, as Postgres does for the gateway."""
    return [address for address in offered if address in GIVEN_OUT]


class WithAiohttp:
    """Only download what ctrip reads: in its batches, or block by block, as web3 asks."""

    def __init__(self, url: str, *, batch: int = BLOCKS_PER_BATCH_MAX) -> None:
        self._url = url
        self._batch = batch
        self._session: aiohttp.ClientSession | None = None

    async def read(self, first: int, last: int) -> None:
        await few_at_once(self._piece, cut(range(first, last + 1), self._batch))

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def _piece(self, numbers: Sequence[int]) -> None:
        await self._post([call(n, "eth_getBlockByNumber", hex(n), FULL) for n in numbers])
        sought = {"address": TOKENS, "topics": [[TRANSFER]]}
        await self._post(
            [call(n, "eth_getLogs", {"blockHash": hash_at(n), **sought}) for n in numbers]
        )

    async def _post(self, calls: list[dict[str, Any]]) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        body = json.encode(calls)
        async with self._session.post(self._url, data=body, headers=HEADERS) as response:
            await response.read()


class WithWeb3:
    """One block after the other, without the logs."""

    def __init__(self, url: str) -> None:
        self._web3 = AsyncWeb3(AsyncHTTPProvider(url))

    async def read(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            await self._web3.eth.get_block(number, full_transactions=True)

    async def close(self) -> None:
        await self._web3.provider.disconnect()


def call(number: int, method: str, *params: object) -> dict[str, Any]:
    """Return a JSON-RPC call."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def a_chain(*, internal: bool = True, tokens: tuple[Token, ...] = ()) -> Chain:
    """Return the chain that the stub node serves."""
    return Chain(
        name=ChainName("bench"),
        chain_id=CHAIN_ID,
        confirmations=Depth(blocks=12),
        finality_depth=64,
        poll_interval_seconds=4,
        tokens=tokens,
        internal=internal,
    )
