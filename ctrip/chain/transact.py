"""Transactor over the endpoints of one chain: who is asked, and whose word counts.

What is read comes from the endpoint that does best, as everywhere (failover.py). An answer that
would stop money is asked of the others too, because an endpoint that lags gives it in good faith:
that a transaction fails, that a chain has no fee beside gas, that nobody knows a transaction.

A transaction goes to all that are well. Endpoints do not always pass on what they take, and each
that does is a better chance; whatever the others say, one that took it has it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from ctrip.chain import balances, data_fee, decode, estimates, market, opinions, outcomes
from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.decode import Contradiction, quantity
from ctrip.chain.endpoint import Provider
from ctrip.chain.failover import Failover, Question, Unable
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.lanes import all_of
from ctrip.chain.verdicts import SEND, is_verdict, shown, verdict_of, verdict_of_words
from ctrip.chain.wire import Call, Refusal, WireFault
from ctrip.clock import Clock
from ctrip.core.blocks import Holding, Opinion
from ctrip.core.chains import Chain
from ctrip.core.fees import Market
from ctrip.core.ids import Amount, Asset, RawAddress, TxHash
from ctrip.core.outgoing import Outcome, Outgoing, Reverts, Sent, Signed, TooPoor, Verdict

HOUR_SECONDS: Final = 3600
COUNT: Final = "eth_getTransactionCount"
CODE: Final = "eth_getCode"
DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
# Whose word counts when endpoints differ: a pool that has the transaction, a chain that is
# further than others, a pool that has another one, a balance that may be old.
WEIGHT: Final = tuple(Verdict)

T = TypeVar("T")


class RpcTransactor:
    """Transactor of one chain."""

    def __init__(self, chain: Chain, endpoints: Failover, clock: Clock) -> None:
        self._chain = chain
        self._endpoints = endpoints
        self._clock = clock
        self._market: tuple[float, Market] | None = None  # since when
        self._is_free_of_data_fee = False

    async def market(self) -> Market:
        """Return what gas costs, as it was at most a block ago."""
        now = self._clock.now().timestamp()
        if self._market and abs(now - self._market[0]) < self._chain.block_seconds:
            return self._market[1]
        found = await self._endpoints.ask(market.read)
        self._market = (now, found)
        return found

    async def usual_base_fee(self) -> int | None:
        """Return what blocks of the last hour asked for, in the middle."""
        blocks = max(1, round(HOUR_SECONDS / self._chain.block_seconds))

        async def ask(provider: Provider) -> int | None:
            return await market.usual_base_fee(provider, blocks)

        return await self._endpoints.ask(ask)

    async def gas_for(self, outgoing: Outgoing) -> int | Reverts | TooPoor:
        """Return the gas to offer; that it fails is asked of all."""

        async def ask(provider: Provider) -> int | Reverts | TooPoor:
            return await estimates.read(provider, outgoing)

        said = await self._until(lambda said: isinstance(said, int), ask)
        return said[-1] if isinstance(said[-1], int) else said[0]

    async def data_fee(self, outgoing: Outgoing) -> Amount:
        """Return what the sender needs beside gas; that there is no such fee is asked of all."""
        if self._is_free_of_data_fee:
            return Amount(0)

        async def ask(provider: Provider) -> Amount | None:
            return await data_fee.read(provider, outgoing)

        said = await self._until(lambda said: said is not None, ask)
        everybody = len(said) == len(self._endpoints.providers)
        self._is_free_of_data_fee = said[-1] is None and everybody
        return said[-1] or Amount(0)

    async def next_nonce(self, sender: RawAddress) -> int:
        """Return how many transactions of an address are in blocks."""
        return (await self.next_nonces([sender]))[sender]

    async def next_nonces(self, senders: Sequence[RawAddress]) -> Mapping[RawAddress, int]:
        """Return how many transactions of each address are in blocks."""
        calls = [Call(COUNT, (sender, "latest")) for sender in senders]

        async def ask(provider: Provider) -> list[int]:
            replies = await provider.ask(calls, decode.QUANTITIES)
            if refused := next((reply.error for reply in replies if reply.error), None):
                raise provider.refused(COUNT, refused)
            return [quantity(reply.result or "") for reply in replies]

        return dict(zip(senders, await self._endpoints.ask(ask), strict=True))

    async def balance(self, owner: RawAddress, asset: Asset) -> Amount:
        """Return what an address holds; a token that gives no number holds nothing."""
        asked = Holding(asset, owner)
        call = balances.held(asked, "latest")

        async def ask(provider: Provider) -> Amount:
            [reply] = await provider.ask([call], decode.QUANTITIES)
            if reply.error is None:
                return balances.read_single(reply.result, asked)
            if cure_of_refusal(reply.error, call.method) is Cure.GIVE_IN:
                return Amount(0)
            raise provider.refused(call.method, reply.error)

        return await self._endpoints.ask(ask)

    async def code(self, owner: RawAddress) -> str:
        """Return the code of an address."""

        async def ask(provider: Provider) -> str:
            [reply] = await provider.ask([Call(CODE, (owner, "latest"))], decode.QUANTITIES)
            if reply.error:
                raise provider.refused(CODE, reply.error)
            return decode.matching(DATA, reply.result or "")

        return await self._endpoints.ask(ask)

    async def send(self, signed: Signed) -> Sent:
        """Hand a transaction to every endpoint that is well."""
        faults: list[str] = []
        for asked in self._endpoints.in_turn():
            said = await all_of([self._offer(provider, signed) for provider in asked])
            if verdicts := [sent for sent in said if isinstance(sent, Sent)]:
                return min(verdicts, key=lambda sent: WEIGHT.index(sent.verdict))
            faults += [fault for fault in said if isinstance(fault, str)]
        raise ChainOutage(f"{'; '.join(faults)}; the transaction may be out all the same")

    async def _offer(self, provider: Provider, signed: Signed) -> Sent | str:
        """Return what one endpoint says, or why it says nothing."""

        async def ask(provider: Provider) -> Sent:
            return await offer(provider, signed)

        try:
            return await self._endpoints.ask_only(provider, ask)
        except (ChainOutage, InconsistentChain) as fault:
            return str(fault)
        except Unable:
            return f"{provider.label}: it takes no transactions"

    async def outcomes(self, tx_hashes: Sequence[TxHash]) -> list[Outcome]:
        """Return what became of each; those that one endpoint does not know are asked of all."""
        found = {tx_hash: Outcome(tx_hash=tx_hash) for tx_hash in tx_hashes}

        async def ask(provider: Provider) -> bool:
            open_ = [outcome.tx_hash for outcome in found.values() if is_open(outcome)]
            for outcome in await outcomes.read(provider, open_):
                found[outcome.tx_hash] = outcome
            return not any(map(is_open, found.values()))

        if tx_hashes:
            await self._until(bool, ask)
        return [found[tx_hash] for tx_hash in tx_hashes]

    async def second_look(self, seen: Sequence[Outcome]) -> list[Opinion]:
        """Ask those that are well whether they show what was seen, until two do, or ask all."""
        well, _ = self._endpoints.in_turn()
        asked = well if len(well) >= opinions.WITNESSES else []
        return await opinions.witnessed(self._endpoints, asked, seen, outcomes.differing)

    async def _until(self, is_enough: Callable[[T], bool], question: Question[T]) -> list[T]:
        """Ask those that are well until one says enough; return what they said.

        Those that sit out are asked until one says anything, if nobody else did.
        """
        said: list[T] = []
        faults: list[str] = []
        well, out = self._endpoints.in_turn()
        for provider in (*well, *out):
            if said and provider in out:
                break
            try:
                said.append(await self._endpoints.ask_only(provider, question))
            except (ChainOutage, InconsistentChain) as fault:
                faults.append(str(fault))
            else:
                if is_enough(said[-1]):
                    break
        if not said:
            raise ChainOutage("; ".join(faults))
        return said


async def offer(provider: Provider, signed: Signed) -> Sent:
    """Hand a transaction to one endpoint, and return what it says.

    One that is for reading only is Unable: it reads as well as before, so it is not blamed.
    """
    if provider.lacks(SEND):
        raise Unable(SEND)
    refusal: Refusal | None
    try:
        [reply] = await provider.ask(
            [Call(SEND, (signed.raw,))], decode.QUANTITIES, is_answer=is_verdict
        )
        refusal = reply.error
    except WireFault as fault:
        # Some proxies put a node's own no into an HTTP status, or refuse the batch for it.
        refusal = fault.refusal
        is_own = verdict_of_words(refusal.message or "") is not None
        if not is_own and not is_read_only(refusal):
            raise
    else:
        if refusal is None and (reply.result or "").lower() != signed.tx_hash:
            raise Contradiction("it names another transaction than the one it was given")
    if refusal is None:
        return Sent(Verdict.TAKEN)
    if (verdict := verdict_of(refusal)) is None:
        if not is_read_only(refusal):
            raise provider.refused(SEND, refusal)
        provider.lack(SEND)
        raise Unable(SEND)
    return Sent(verdict, "" if verdict is Verdict.TAKEN else shown(refusal.message or ""))


def is_read_only(refusal: Refusal) -> bool:
    """Tell whether an endpoint takes no transactions from anybody."""
    return cure_of_refusal(refusal, SEND) is Cure.UNSUPPORTED


def is_open(outcome: Outcome) -> bool:
    """Tell whether nobody who was asked knows a transaction."""
    return outcome.mined is None and not outcome.known
