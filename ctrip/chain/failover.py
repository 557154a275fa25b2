"""Several endpoints behind one question.

The order is the operator's. An endpoint that fails sits out for a while, one that is slow,
behind or unable comes after the others, and all of them return to their place when they
are well. When nobody else is left, those that sit out are asked too: one that works is
enough. Only a Retry-After is honoured even then; a short one is waited for.

Before an endpoint is believed it must name the right chain: at first, whenever it is
switched to, and after every fault. Answers that cannot be true are a reason to ask another
one, and so is a block that an endpoint does not have: a quick null is not an answer where
another may know more. What is left of it when all were asked is an InconsistentChain; when
nobody said anything of use, a ChainOutage. Either names each endpoint and what was wrong.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from ctrip import logs
from ctrip.chain import decode
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.decode import Contradiction, Garbled, NotYet
from ctrip.chain.endpoint import LOGS, OtherChain, Provider
from ctrip.chain.faults import Cure, cure_of
from ctrip.chain.fitness import FIT_MIN
from ctrip.chain.wire import TOO_LONG, Call, WireFault
from ctrip.core.chains import Chain

ROUNDS: Final = 2  # in which all endpoints are asked, before giving up
ROUND_SECONDS: Final = 0.05  # between them, and jitter: a reorg or a hiccup may be over
PROBE_SECONDS_MAX: Final = 3.0  # for the chain id of an endpoint that may not be well
WAIT_SECONDS_MAX: Final = 2.0  # a Retry-After that is waited for
QUESTION_CALLS_MAX: Final = 4  # times the time of one call, that a question may take in all

T = TypeVar("T")
Question = Callable[[Provider], Awaitable[T]]

log = logs.get("ctrip.chain")


class Unable(Exception):
    """The endpoint does not do this, and never will."""


class Resting(ChainOutage):
    """The endpoint asked to be left alone, and is."""


FAULTS: Final = (ChainOutage, Garbled, Contradiction, Unable)


class Failover:
    """The endpoints of one chain."""

    def __init__(
        self, chain: Chain, providers: Sequence[Provider], *, timeout_seconds: float
    ) -> None:
        self.providers = providers
        self.is_doubted = False  # nobody who answered had a block that the head announced
        self._readers: dict[str, Provider] = {}  # who answered last, by what was needed
        self._chain = chain
        self._probe_seconds = min(PROBE_SECONDS_MAX, timeout_seconds)
        self._question_seconds = timeout_seconds * QUESTION_CALLS_MAX

    @property
    def current(self) -> Provider:
        """The endpoint that the chain is read from."""
        return self._readers.get(LOGS) or self._readers.get("") or self.providers[0]

    async def ask(self, question: Question[T], *, needs: str = "") -> T:
        """Return the first answer, from the endpoint that does best and has what is needed."""
        return await self._ask(question, lambda: self._order(needs), reads=needs)

    async def ask_another(self, question: Question[T], *, needs: str = "") -> T:
        """Ask another endpoint than the one that is read from; that one only if all fail."""

        def order() -> list[Provider]:
            return sorted(self._order(needs), key=lambda provider: provider is self.current)

        return await self._ask(question, order)

    async def ask_only(self, provider: Provider, question: Question[T]) -> T:
        """Ask one endpoint."""
        return await self._ask(question, lambda: [provider])

    async def ask_apart(self, question: Question[T], count: int) -> list[T]:
        """Return so many answers, each of an endpoint of its own."""
        asked: list[Provider] = []

        async def noted(provider: Provider) -> T:
            answer = await question(provider)
            asked.append(provider)
            return answer

        answers = [await self.ask(noted)]
        faults = ["there is no second endpoint"]
        for provider in self._order(""):
            if len(answers) == count:
                break
            if provider in asked:
                continue
            try:
                answers.append(await self.ask_only(provider, noted))
            except (ChainOutage, InconsistentChain) as fault:
                faults = [*faults[1:], str(fault)]
        if len(answers) < count:
            raise ChainOutage("; ".join(faults))
        return answers

    async def ask_stranger(self, question: Question[T]) -> T:
        """Return the first answer, whatever chain it is from."""
        return await self._ask(question, lambda: self._order(""), believes=True)

    def prefer(self, provider: Provider) -> None:
        """Go on with an endpoint that proved to be well placed."""
        self._readers[""] = provider

    def others(self) -> list[Provider]:
        """Return the endpoints beside the one that is read from, the best first."""
        return [provider for provider in self._order("") if provider is not self.current]

    def in_turn(self) -> tuple[list[Provider], list[Provider]]:
        """Return those that are well, the best first, and those that sit out."""
        order = self._order("")
        out = [provider for provider in order if provider.is_out()]
        return [provider for provider in order if provider not in out], out

    def _order(self, needs: str) -> list[Provider]:
        best = max(provider.score.value for provider in self.providers)

        def demerits(provider: Provider) -> tuple[float, ...]:
            return (
                provider.wait_seconds(),
                provider.is_out(),
                bool(needs) and provider.lacks(needs),
                provider.is_behind,
                provider.score.value < FIT_MIN * best,
            )

        return sorted(self.providers, key=demerits)  # stable: else the operator's order

    async def _ask(
        self,
        question: Question[T],
        order: Callable[[], list[Provider]],
        *,
        reads: str | None = None,
        believes: bool = False,
    ) -> T:
        faults: dict[Provider, Exception] = {}
        asked = self.current
        try:
            async with asyncio.timeout(self._question_seconds):
                for turn in range(ROUNDS):
                    await asyncio.sleep(turn * ROUND_SECONDS * random.uniform(1, 2))  # noqa: S311  spreads load
                    for asked in order():
                        if is_settled(faults.get(asked)):
                            continue
                        try:
                            await self._prepare(asked, reads, believes=believes)
                            answer = await question(asked)
                            self._worked(asked, reads)
                            return answer  # noqa: TRY300  what else could it be
                        except FAULTS as fault:
                            faults[asked] = fault
                            blame(asked, fault)
        except TimeoutError:
            late = asked.outage(f"no answer within {self._question_seconds:g} seconds in all")
            faults[asked] = late
            blame(asked, late)
        raise self._verdict(faults)

    async def _prepare(self, provider: Provider, reads: str | None, *, believes: bool) -> None:
        """Wait until an endpoint may be asked, and let it name its chain."""
        if wait := provider.wait_seconds():
            if wait > WAIT_SECONDS_MAX:
                raise Resting(
                    f"{provider.label}: it asked to be left alone for {wait:.0f} seconds more"
                )
            await asyncio.sleep(wait)
        if reads is not None and provider is not self._readers.get(reads, self.current):
            provider.is_believed = False  # it is switched to
        if not believes:
            await self._believe(provider)

    def _worked(self, provider: Provider, reads: str | None) -> None:
        provider.worked()
        if reads is None:
            return
        left = self._readers.get(reads)
        self._readers[reads] = provider
        if left is not None and left is not provider:
            log.warning(
                "endpoint switched",
                chain=self._chain.name,
                endpoint=provider.label,
                left=left.label,
                why=left.why,
            )

    async def _believe(self, provider: Provider) -> None:
        if provider.is_believed:
            return
        named = await id_of(provider, timeout_seconds=self._probe_seconds)
        if named != self._chain.chain_id:
            raise provider.is_elsewhere(f"it is on chain {named}, not on {self._chain.chain_id}")
        provider.is_believed = True

    def _verdict(self, faults: Mapping[Provider, Exception]) -> Exception:
        """Return what to raise when no endpoint gave an answer."""
        said = list(faults.values())
        if any(isinstance(fault, Unable) for fault in said):
            return Unable(self._chain.name)
        answered = [fault for fault in said if not isinstance(fault, ChainOutage)]
        if answered and all(isinstance(fault, NotYet) for fault in answered):
            self.is_doubted = True
        text = "; ".join(
            str(fault) if isinstance(fault, ChainOutage) else f"{provider.label}: {fault}"
            for provider, fault in faults.items()
        )
        if any(isinstance(fault, Contradiction) for fault in said):
            return InconsistentChain(text)
        return ChainOutage(text)


async def id_of(provider: Provider, *, timeout_seconds: float | None = None) -> int:
    """Return the chain id that an endpoint names, right or wrong."""
    calls = [Call("eth_chainId")]
    [reply] = await provider.ask(calls, decode.QUANTITIES, timeout_seconds=timeout_seconds)
    if reply.error:
        raise provider.refused("eth_chainId", reply.error)
    return decode.quantity(reply.result or "")


def blame(provider: Provider, fault: Exception) -> None:
    """Let an endpoint bear the consequences of a fault."""
    if isinstance(fault, Contradiction):
        if not isinstance(fault, NotYet):
            provider.contradicted(str(fault))
    elif not isinstance(fault, Unable | Resting):
        provider.failed(fault)


def is_settled(fault: Exception | None) -> bool:
    """Tell whether asking again at once is of no use."""
    if isinstance(fault, WireFault):
        hopeless = cure_of(fault) in (Cure.BACK_OFF, Cure.NO_CREDIT, Cure.UNSUPPORTED)
        waits = fault.is_late or fault.retry_after_seconds is not None
        return hopeless or waits or fault.refusal is TOO_LONG or isinstance(fault, OtherChain)
    return isinstance(fault, Unable | Resting)
