"""One endpoint as we have come to know it: how to ask it, how it does, what it lacks.

Calls go out in batches of the size it takes, a few at a time, at the pace it bears. Of a
batch that came back with gaps only what is missing is asked again. What a caller can
answer to, such as a range that is too wide, is given back as a refusal; everything else
that is no answer is raised as a WireFault, and another endpoint is asked.

What was learnt is kept for as long as the process lives. What it refused to do is asked
again after a while: providers change their plans, and their customers theirs.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from msgspec.json import Decoder

from ctrip.chain.client import EndpointState
from ctrip.chain.decode import WireCallBlock
from ctrip.chain.faults import SIZE, Cure, answers_no_logs, cure_of, cure_of_refusal, narrower
from ctrip.chain.fitness import Bench, Pace, Score
from ctrip.chain.lanes import cut, few_at_once
from ctrip.chain.wire import (
    CALLS_PER_BATCH_MAX,
    Answer,
    Call,
    Endpoint,
    NodeRefused,
    Refusal,
    Reply,
    WireFault,
)
from ctrip.clock import Clock
from ctrip.core.blocks import Header

TRIES: Final = 3  # for what is missing of a batch
TRY_SECONDS: Final = 0.05  # before the second try, twice that before the third, and jitter
LOGS_WIDTH: Final = 2_000  # blocks in one eth_getLogs to begin with; Alchemy takes no more
LOGS_WIDTH_MAX: Final = 10_000  # more at once is more to do again when it fails
WIDTH_GROWTH: Final = 1.05
ADDRESSES_MAX: Final = 500  # in one eth_getLogs; geth takes 1000
LACKING_SECONDS: Final = 600.0  # until what was refused is asked for again
OTHER_CHAIN_SECONDS: Final = 60.0  # until an endpoint on another chain is looked at again
NO_CREDIT_SECONDS: Final = 60.0  # until an endpoint that wants to be paid is asked again
LATE_SECONDS: Final = 5.0  # after no answer in time: each such try costs seconds

LOGS: Final = "eth_getLogs"
TRACES: Final = "traces"
# What a caller decides on.
ANSWERABLE: Final = frozenset(
    {Cure.NARROWER, Cure.FEWER_ADDRESSES, Cure.WAIT, Cure.UNSUPPORTED, Cure.GIVE_IN}
)

T = TypeVar("T")


def never(_: Refusal) -> bool:
    """Tell that no refusal is an answer."""
    return False


class OtherChain(WireFault):
    """The endpoint answers, for a network that is not ours."""


class Provider:
    """An endpoint, and what is known of it."""

    def __init__(self, line: Endpoint, clock: Clock) -> None:
        self.label = line.label
        self.bench = Bench()
        self.score = Score()
        self.batch_max = CALLS_PER_BATCH_MAX
        self.logs_width = LOGS_WIDTH
        self.addresses_max = ADDRESSES_MAX
        self.is_believed = False  # it named the right chain
        self.is_behind = False  # its head is not where the others' are
        self.head: Header | None = None
        self.tip: WireCallBlock | None = None  # the head with its transactions, until that is read
        self.is_read_whole = False  # its last head was: so the next one is worth asking for whole
        self.inconsistencies = 0
        self.faults = 0
        self.why = ""  # what is wrong with it now
        self._line = line
        self._clock = clock
        self._pace = Pace()
        self._takes_lists = True
        self._lacks: dict[str, float] = {}  # since when

    # What it is asked

    async def ask(
        self,
        calls: Sequence[Call],
        decoder: Decoder[Answer[T]],
        *,
        calls_max: int = CALLS_PER_BATCH_MAX,
        timeout_seconds: float | None = None,
        is_answer: Callable[[Refusal], bool] = never,
    ) -> list[Reply[T]]:
        """Return a reply for each call, in order; refusals among them are for the caller.

        Those are the refusals that he can answer to, and the others that `is_answer` says are one.
        """
        got: dict[int, Reply[T]] = {}
        tries = 0
        while left := [place for place in range(len(calls)) if place not in got]:
            size = max(1, min(self.batch_max, calls_max))
            known, fault = len(got), None
            answers = await few_at_once(
                lambda batch: self._batch(calls, batch, decoder, timeout_seconds, is_answer),
                cut(left, size),
            )
            for good, bad in answers:
                got |= good
                fault = fault or bad
            if fault is None or self.batch_max < size:  # a smaller batch is no second try
                continue
            tries = 1 if len(got) > known else tries + 1
            if tries >= TRIES:
                raise fault
            await asyncio.sleep(tries * TRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311  spreads load
        return [got[place] for place in range(len(calls))]

    async def _batch(
        self,
        calls: Sequence[Call],
        places: Sequence[int],
        decoder: Decoder[Answer[T]],
        timeout_seconds: float | None,
        is_answer: Callable[[Refusal], bool],
    ) -> tuple[dict[int, Reply[T]], WireFault | None]:
        """Return the replies to keep, by their places, and why the others are none."""
        asked = [calls[place] for place in places]
        as_list = self._takes_lists
        try:
            replies = await self._post(asked, decoder, timeout_seconds)
        except WireFault as fault:
            method = LOGS if any(call.method == LOGS for call in asked) else asked[0].method
            cure = cure_of(fault, method)
            if not self._learnt_from(cure, fault.refusal, len(asked), as_list=as_list):
                raise
            return {}, fault
        good: dict[int, Reply[T]] = {}
        bad: WireFault | None = None
        for place, reply in zip(places, replies, strict=True):
            if reply is None:
                bad = bad or self._line.incomplete()
                continue
            method = calls[place].method
            said = cure_of_refusal(reply.error, method) if reply.error else None
            if not reply.error or said in ANSWERABLE or is_answer(reply.error):
                good[place] = reply
                continue
            self._learnt_from(said, reply.error, len(asked), as_list=as_list)
            bad = bad or self.refused(method, reply.error)
        return good, bad

    async def _post(
        self, calls: Sequence[Call], decoder: Decoder[Answer[T]], timeout_seconds: float | None
    ) -> list[Reply[T] | None]:
        loop = asyncio.get_running_loop()
        if wait := self._pace.wait_seconds(len(calls), loop.time()):
            await asyncio.sleep(min(wait, self._line.timeout_seconds))
        began = loop.time()
        replies = await self._line.send(
            calls, decoder, alone=not self._takes_lists, timeout_seconds=timeout_seconds
        )
        self.score.answered(loop.time() - began)
        self._pace.answered()
        return replies

    def _learnt_from(
        self, cure: Cure | None, refusal: Refusal, calls: int, *, as_list: bool
    ) -> bool:
        """Remember what a fault teaches; return True if a smaller batch is worth a try."""
        if cure is Cure.BACK_OFF:
            self._pace.too_fast()
        if cure is not Cure.SMALLER_BATCH:
            return False
        if calls > 1:
            self.batch_max = min(self.batch_max, narrower(refusal, calls))
            return True
        if not as_list or SIZE.search(refusal.message or ""):
            return False
        self.batch_max, self._takes_lists = 1, False  # a list of one call was too long for it
        return True

    # How it does

    def worked(self) -> None:
        self.bench.worked()
        self.why = ""

    def failed(self, fault: Exception) -> None:
        """Remember a fault, and leave the endpoint alone for a while."""
        self.faults += 1
        self.score.failed()
        self.is_believed = False
        self.why = str(fault).removeprefix(f"{self.label}: ")
        if isinstance(fault, WireFault) and fault.retry_after_seconds:
            self.bench.asked_to_wait(self._now(), fault.retry_after_seconds)
        self.bench.failed(self._now(), seconds_min=sits_out_seconds(fault))

    def contradicted(self, why: str) -> None:
        """Remember an answer that could not be true. In a reorg that happens to the best."""
        self.inconsistencies += 1
        self.score.failed()
        self.is_believed = False
        self.why = why

    def is_elsewhere(self, why: str) -> OtherChain:
        """Return the fault of an endpoint that serves another chain."""
        return OtherChain(f"{self.label}: {why}")

    def is_out(self) -> bool:
        return self.bench.is_out(self._now())

    def wait_seconds(self) -> float:
        return self.bench.wait_seconds(self._now())

    def outage(self, why: str) -> WireFault:
        return self._line.outage(why)

    def refused(self, method: str, refusal: Refusal) -> NodeRefused:
        if method == LOGS and answers_no_logs(refusal):
            self.lack(LOGS)
        return self._line.refused(method, refusal)

    # What it lacks

    def lack(self, what: str) -> None:
        """Remember that it refuses something."""
        self._lacks[what] = self._now()

    def lacks(self, what: str) -> bool:
        """Tell whether it refused something not long ago."""
        since = self._lacks.get(what)
        return since is not None and abs(self._now() - since) < LACKING_SECONDS

    def narrow(self, refusal: Refusal, blocks: int) -> None:
        """Remember that the logs of so many blocks are too many at once."""
        self.logs_width = max(1, min(self.logs_width, narrower(refusal, blocks)))

    def widen(self, blocks: int) -> None:
        """Remember that the logs of so many blocks were given."""
        if blocks >= self.logs_width:
            self.logs_width = min(LOGS_WIDTH_MAX, int(self.logs_width * WIDTH_GROWTH) + 1)

    def fewer_addresses(self, addresses: int) -> None:
        self.addresses_max = max(1, min(self.addresses_max, addresses // 2))

    def state(self) -> EndpointState:
        """Return what an operator may want to know."""
        lacking = ", ".join(what for what in self._lacks if self.lacks(what))
        lack = f"it does not answer for {lacking}" if lacking else ""
        ok = not (self.why or self.is_behind)
        return EndpointState(
            label=self.label,
            ok=ok,
            why="; ".join(filter(None, (self.why, lack))),
            calls=self._line.calls,
            requests=self._line.requests,
            bytes_received=self._line.bytes_received,
            seconds=self._line.seconds,
            faults=self.faults,
            inconsistencies=self.inconsistencies,
            head=self.head.number if self.head else None,
        )

    async def close(self) -> None:
        await self._line.close()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def sits_out_seconds(fault: Exception) -> float:
    """Return how long a fault of this kind lasts at least."""
    if isinstance(fault, OtherChain):
        return OTHER_CHAIN_SECONDS
    if isinstance(fault, WireFault) and cure_of(fault) is Cure.NO_CREDIT:
        return NO_CREDIT_SECONDS
    return LATE_SECONDS if isinstance(fault, WireFault) and fault.is_late else 0.0
