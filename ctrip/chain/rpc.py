"""A chain as its nodes tell it: ChainClient over JSON-RPC.

Endpoints are asked in their order: one that works is stayed with until it fails. Before
an endpoint is believed, and again each time it is turned back to, it must name the right
chain. What an answer claims is checked against what was asked and against itself: what
cannot be true is InconsistentChain, every other fault is ChainOutage.

Logs are read by block hash, never by number: a node that lacks the block then says so,
where by number it would answer with an empty list, and money would be missed.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import pairwise
from typing import Final, TypeVar

from msgspec.json import Decoder
from msgspec.structs import replace

from ctrip.chain import decode
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.wire import (
    CALL_SECONDS_MAX,
    CALLS_PER_BATCH_MAX,
    Answer,
    Call,
    Endpoint,
    Refusal,
    Reply,
)
from ctrip.core.blocks import Block, Head, Header, Receipt
from ctrip.core.ids import BlockNumber, ChainName, RawAddress, TxHash
from ctrip.settings import Secret

# Full blocks are large: at 2 MB each, ten stay below the 25 MB that geth answers at once.
BLOCKS_PER_BATCH_MAX: Final = 10

# How nodes say that they have no `finalized` tag: geth; invalid parameter; besu and erigon.
# Others answer null. A fault that passes, like a rate limit, must not be taken for it: the
# depth that stands in may call blocks final that are not.
TAG_UNKNOWN_CODES: Final = frozenset({-32000, -32602, -39001})
BUSY: Final = re.compile(r"limit|rate|capacity|timeout|timed out|too many", re.IGNORECASE)

# How nodes say that they do not have the block whose hash was named.
BLOCK_UNKNOWN: Final = re.compile(r"(unknown|invalid) block|not found|not have the", re.IGNORECASE)

T = TypeVar("T")
R = TypeVar("R")


class RpcChain:
    """ChainClient for one network with one or more endpoints."""

    def __init__(
        self,
        name: ChainName,
        rpc_urls: Sequence[Secret],
        *,
        chain_id: int,
        finality_depth: int,
        timeout_seconds: float = CALL_SECONDS_MAX,
    ) -> None:
        many = len(rpc_urls)
        self._name = name
        self._endpoints = [
            Endpoint(
                f"{name}, endpoint {place} of {many}" if many > 1 else name,
                url,
                timeout_seconds=timeout_seconds,
            )
            for place, url in enumerate(rpc_urls, start=1)
        ]
        self._chain_id = chain_id
        self._finality_depth = finality_depth
        self._current = 0  # the endpoint that answered last
        self._believed: set[Endpoint] = set()  # those that named the right chain

    async def chain_id(self) -> int:
        """Return the id that the first endpoint with an answer names, right or wrong."""
        return await self._first(self._id_of)

    async def head(self) -> Head:
        """Return the newest block and the newest final one, by depth where there is no tag."""
        latest, finalized = await self._ask(
            [
                Call("eth_getBlockByNumber", ("latest", False)),
                Call("eth_getBlockByNumber", ("finalized", False)),
            ],
            decode.HEADERS,
            decode.header,
            excused=lacks_the_tag,
        )
        if latest is None:
            raise ChainOutage(f"{self._name}: the node has no latest block")
        final = finalized.number if finalized else latest.number - self._finality_depth
        return Head(latest=latest, finalized=BlockNumber(max(0, min(final, latest.number))))

    async def headers(self, numbers: Sequence[BlockNumber]) -> list[Header]:
        """Return the canonical headers of these heights, in order, without those above the head."""
        calls = [Call("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        answers = await self._ask(calls, decode.HEADERS, decode.header)
        headers = [header for header in answers if header]
        present = [n for n, header in zip(numbers, answers, strict=True) if header]
        missing = [n for n, header in zip(numbers, answers, strict=True) if not header]
        if missing and present and min(missing) < max(present):
            raise self._inconsistent("a block is missing below one that is there")
        self._check_chained(headers, present)
        return headers

    async def blocks(
        self, first: BlockNumber, last: BlockNumber, *, tokens: Collection[RawAddress]
    ) -> list[Block]:
        """Return the blocks first..last, all of them, each with its logs of `tokens`."""
        numbers = [BlockNumber(number) for number in range(first, last + 1)]
        answers = await self._ask(
            [Call("eth_getBlockByNumber", (hex(number), True)) for number in numbers],
            decode.BLOCKS,
            decode.block,
            calls_max=BLOCKS_PER_BATCH_MAX,
        )
        blocks = [block for block in answers if block]
        if len(blocks) != len(numbers):
            raise self._inconsistent("a block that should be there is not")
        self._check_chained([block.header for block in blocks], numbers)
        return await self._with_logs(blocks, tokens) if tokens else blocks

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> list[Receipt]:
        """Return one receipt for each transaction, in order."""
        calls = [Call("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in tx_hashes]
        answers = await self._ask(calls, decode.RECEIPTS, decode.receipt)
        receipts = [receipt for receipt in answers if receipt]
        if [receipt.tx_hash for receipt in receipts] != list(tx_hashes):
            raise self._inconsistent("a receipt is missing or is of another transaction")
        return receipts

    async def close(self) -> None:
        """Give back the connections of every endpoint."""
        for endpoint in self._endpoints:
            await endpoint.close()

    async def _with_logs(
        self, blocks: Sequence[Block], tokens: Collection[RawAddress]
    ) -> list[Block]:
        sought = {"address": sorted(tokens), "topics": [decode.TRANSFER]}
        answers = await self._ask(
            [Call("eth_getLogs", ({"blockHash": b.header.hash, **sought},)) for b in blocks],
            decode.LOGS,
            decode.token_logs,
            excused=lacks_the_block,
        )
        whole = []
        for block, logs in zip(blocks, answers, strict=True):
            if logs is None:
                raise self._inconsistent("the node lost a block while its logs were read")
            if any(log.block_hash != block.header.hash for log in logs):
                raise self._inconsistent("a log is of another block than the one asked for")
            if any(log.contract not in tokens for log in logs):
                raise self._inconsistent("a log is of another contract than those asked for")
            whole.append(replace(block, logs=tuple(logs)))
        return whole

    def _check_chained(self, headers: Sequence[Header], numbers: Sequence[BlockNumber]) -> None:
        if [header.number for header in headers] != list(numbers):
            raise self._inconsistent("a block is of another height than the one asked for")
        for below, above in pairwise(headers):
            if above.number == below.number + 1 and above.parent_hash != below.hash:
                raise self._inconsistent("a block is not the child of the one below it")

    def _inconsistent(self, fault: str) -> InconsistentChain:
        return InconsistentChain(f"{self._name}: {fault}")

    async def _ask(
        self,
        calls: Sequence[Call],
        decoder: Decoder[Answer[T]],
        read: Callable[[T], R],
        *,
        excused: Callable[[Refusal], bool] = lambda _: False,
        calls_max: int = CALLS_PER_BATCH_MAX,
    ) -> list[R | None]:
        """Return the results in the order of the calls; null and excused refusals are None."""

        async def ask(endpoint: Endpoint) -> list[R | None]:
            await self._believe(endpoint)
            replies: list[tuple[Call, Reply[T]]] = []
            for start in range(0, len(calls), calls_max):
                some = calls[start : start + calls_max]
                replies += zip(some, await endpoint.batch(some, decoder), strict=True)
            for call, reply in replies:
                if reply.error and not excused(reply.error):
                    raise endpoint.refused(call.method, reply.error)
            return [None if reply.result is None else read(reply.result) for _, reply in replies]

        return await self._first(ask)

    async def _first(self, ask: Callable[[Endpoint], Awaitable[R]]) -> R:
        """Return the answer of the first endpoint that has one, beginning with the current."""
        faults = []
        many = len(self._endpoints)
        for place in [(self._current + turn) % many for turn in range(many)]:
            endpoint = self._endpoints[place]
            try:
                answer = await ask(endpoint)
            except decode.Contradiction as fault:
                raise self._inconsistent(str(fault)) from None
            except decode.Garbled as fault:
                faults.append(f"{endpoint.label}: {fault}")
            except ChainOutage as fault:
                faults.append(str(fault))
            else:
                self._current = place
                return answer
            self._believed.discard(endpoint)
        raise ChainOutage("; ".join(faults))

    async def _believe(self, endpoint: Endpoint) -> None:
        if endpoint in self._believed:
            return
        named = await self._id_of(endpoint)
        if named != self._chain_id:
            raise endpoint.outage(f"it is on chain {named}, not on {self._chain_id}")
        self._believed.add(endpoint)

    async def _id_of(self, endpoint: Endpoint) -> int:
        [reply] = await endpoint.batch([Call("eth_chainId")], decode.QUANTITIES)
        if reply.error:
            raise endpoint.refused("eth_chainId", reply.error)
        return decode.quantity(reply.result or "")


def lacks_the_tag(refusal: Refusal) -> bool:
    """Tell whether the node says that it knows no `finalized` block."""
    return refusal.code in TAG_UNKNOWN_CODES and not BUSY.search(refusal.message or "")


def lacks_the_block(refusal: Refusal) -> bool:
    """Tell whether the node says that it does not have the block named."""
    return bool(BLOCK_UNKNOWN.search(refusal.message or ""))
