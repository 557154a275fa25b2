"""What the endpoints of a network can do, asked one question after another.

`ctrip check` shows it to the operator before money depends on it. A question that an
endpoint does not answer is left open. What a node says when it refuses is never shown,
only its error's code: the words may hold the URL.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct, ValidationError, convert

from ctrip.chain import balances
from ctrip.chain.aggregators import FeedSaid, feeds_of
from ctrip.chain.client import ChainOutage
from ctrip.chain.decode import SECOND_MAX, TRANSFER, Garbled, quantity
from ctrip.chain.faults import lacks_the_tag
from ctrip.chain.tokens import TokenSaid, endpoints_of, text, tokens_of
from ctrip.chain.wire import CALL_SECONDS_MAX, Endpoint, NodeRefused
from ctrip.clock import Clock
from ctrip.core.blocks import Holding
from ctrip.core.chains import Chain
from ctrip.core.ids import NATIVE, RawAddress, raw
from ctrip.settings import Secret

WIDTHS: Final = (1, 100, 1_000, 10_000)  # blocks in one eth_getLogs; most limits lie between
NOBODY: Final = RawAddress("0x" + "c7" * 20)  # nothing was ever sent to it, so answers are short
NOBODY_TOPIC: Final = f"0x{NOBODY[2:]:0>64}"

T = TypeVar("T")


class Survey(Struct, frozen=True, kw_only=True):
    """What one endpoint can do. `label` stands for its URL."""

    label: str
    fault: str = ""  # why it cannot be used
    unclear: Mapping[str, str] = {}  # what was asked and not answered, by field, and why
    chain_id: str = ""  # as text: it may be any number
    head: int | None = None
    head_age_seconds: float | None = None
    finalized: int | None = None  # None: it does not know the tag, unless that is unclear
    safe: int | None = None
    logs_by_hash: bool = False
    logs_range: int = 0  # blocks, the widest range that it takes of those that were tried
    traces: str = ""  # the method that shows what contracts forward; "": none
    balances_at_once: bool = False  # many in one eth_call, without a contract
    tokens: Sequence[TokenSaid] = ()
    feeds: Sequence[FeedSaid] = ()


class WireBlock(Struct, frozen=True, rename="camel"):
    """What is read of a block."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str


class Seen(NamedTuple):
    """A block, as far as the questions need it."""

    number: int
    hash: str
    parent_hash: str
    time: datetime


async def survey(
    chain: Chain,
    rpc_urls: Sequence[Secret],
    clock: Clock,
    *,
    timeout_seconds: float = CALL_SECONDS_MAX,
) -> list[Survey]:
    """Ask every endpoint of a network what it can do."""
    endpoints = endpoints_of(chain, rpc_urls, timeout_seconds)
    try:
        return await asyncio.gather(*(look(chain, endpoint, clock) for endpoint in endpoints))
    finally:
        for endpoint in endpoints:
            await endpoint.close()


async def look(chain: Chain, endpoint: Endpoint, clock: Clock) -> Survey:
    """Ask one endpoint everything; without the right chain or a head nothing more is asked."""
    label = endpoint.label
    try:
        named = quantity(await text(endpoint, "eth_chainId"))
        if named != chain.chain_id:
            fault = f"it is on chain {named}, not on {chain.chain_id}"
            return Survey(label=label, fault=fault, chain_id=str(named))
        head = await block(endpoint, "latest")
    except (ChainOutage, Garbled) as fault:
        return Survey(label=label, fault=reason(endpoint, fault))
    if head is None:
        return Survey(label=label, fault="it has no newest block", chain_id=str(named))
    asker = Asker(chain, endpoint, head)
    finalized = await asker.tagged("finalized")
    safe = await asker.tagged("safe")
    logs_by_hash = await asker.by_hash()
    logs_range = await asker.widest()
    traces = await asker.tracer()
    at_once = await asker.balances_at_once()
    lacking = asker.unclear.get("logs_range" if logs_by_hash else "logs_by_hash")
    return Survey(
        label=label,
        fault="" if logs_by_hash and logs_range else f"it gives no logs: {lacking}",
        unclear=asker.unclear,
        chain_id=str(named),
        head=head.number,
        head_age_seconds=round((clock.now() - head.time).total_seconds(), 1),
        finalized=finalized,
        safe=safe,
        logs_by_hash=logs_by_hash,
        logs_range=logs_range,
        traces=traces,
        balances_at_once=at_once,
        tokens=await tokens_of(chain, endpoint),
        feeds=await feeds_of(chain, endpoint),
    )


class Asker:
    """An endpoint that is on the right chain and has a head, and what it left unclear."""

    def __init__(self, chain: Chain, endpoint: Endpoint, head: Seen) -> None:
        self.unclear: dict[str, str] = {}
        self._chain = chain
        self._endpoint = endpoint
        self._height = head.number
        # Behind a balancer one node alone may have the newest block; the one below is old news.
        self._known = head.parent_hash if head.number else head.hash

    async def tagged(self, tag: str) -> int | None:
        """Return the number of the block that it calls so."""
        try:
            found = await self._answer(tag, block(self._endpoint, tag))
        except NodeRefused as fault:
            if not lacks_the_tag(fault.refusal):
                self.unclear[tag] = reason(self._endpoint, fault)
            return None
        return found.number if found else None

    async def by_hash(self) -> bool:
        """Tell whether it gives the logs of a block by its hash."""
        name = "logs_by_hash"
        try:
            return bool(await self._answer(name, self._logs({"blockHash": self._known})))
        except NodeRefused as fault:
            self.unclear[name] = reason(self._endpoint, fault)
            return False

    async def widest(self) -> int:
        """Return the widest range of blocks whose logs it gives."""
        taken, name = 0, "logs_range"
        for blocks in sorted({min(width, self._height + 1) for width in WIDTHS}):
            span = {"fromBlock": hex(self._height + 1 - blocks), "toBlock": hex(self._height)}
            try:
                if not await self._answer(name, self._logs(span)):
                    return taken
            except NodeRefused as fault:
                if not taken:
                    self.unclear[name] = reason(self._endpoint, fault)
                return taken
            taken = blocks
        return taken

    async def tracer(self) -> str:
        """Return the method by which it shows what contracts moved."""
        params = {
            "debug_traceBlockByHash": (self._known, {"tracer": "callTracer"}),
            "trace_block": (hex(max(0, self._height - 1)),),
        }
        for method in params:
            call = self._endpoint.call(method, *params[method])
            try:
                if isinstance(await self._answer("traces", call), list):
                    return method
            except NodeRefused:
                continue
        return ""

    async def balances_at_once(self) -> bool:
        """Tell whether it runs code that asks for balances."""
        name = "balances_at_once"
        call = {"data": balances.call_data([Holding(NATIVE, NOBODY)])}
        try:
            data = await self._answer(name, text(self._endpoint, "eth_call", call, "latest"))
            return data is not None and balances.read(data, 1) == [0]
        except (NodeRefused, Garbled):
            return False

    async def _logs(self, where: Mapping[str, str]) -> bool:
        """Ask for transfers of the tokens, as the watcher does, but to nobody."""
        contracts = [raw(token.contract) for token in self._chain.tokens] or [NOBODY]
        sought = {**where, "address": contracts, "topics": [TRANSFER, None, NOBODY_TOPIC]}
        if not isinstance(await self._endpoint.call("eth_getLogs", sought), list):
            raise Garbled("the logs are no list")
        return True

    async def _answer(self, name: str, asked: Awaitable[T]) -> T | None:
        """Return an answer; None, and why, where there is none. Refusals are the caller's."""
        try:
            return await asked
        except NodeRefused:
            raise
        except (ChainOutage, Garbled) as fault:
            self.unclear[name] = reason(self._endpoint, fault)
            return None


async def block(endpoint: Endpoint, name: str) -> Seen | None:
    """Return a block by its tag."""
    answer = await endpoint.call("eth_getBlockByNumber", name, False)  # noqa: FBT003  its JSON
    try:
        wire = convert(answer, WireBlock | None)
    except ValidationError:
        raise Garbled("a block has not the shape that was asked for") from None
    if wire is None:
        return None
    time = datetime.fromtimestamp(min(quantity(wire.timestamp), SECOND_MAX), UTC)
    return Seen(quantity(wire.number), wire.hash, wire.parent_hash, time)


def reason(endpoint: Endpoint, fault: Exception) -> str:
    """Return a fault's words without the label, which stands beside them."""
    return str(fault).removeprefix(f"{endpoint.label}: ")
