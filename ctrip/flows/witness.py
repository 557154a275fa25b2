"""Hold back what would be final on the word of one endpoint, until a second one shows it too.

Final is for ever: a payment is settled, the books have it, nobody looks at its transaction again.
So when one of ours gets there, two endpoints must show it in the same block with the same end, as
deposits are read twice (reread.py). If one does not, all others are asked, and the majority of
those that answer decides: one that is wrong is named, and holds up nothing. If there is none, as of
two, it stays mined, and says who shows what; it is asked about again until they agree or a reorg
has settled it. Where no second endpoint is well there is nobody to ask.

It costs a batch of calls at two endpoints, once, for all that is final at the same time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip import logs
from ctrip.core.blocks import Opinion
from ctrip.core.ids import ChainName, SendingId
from ctrip.core.outgoing import Outcome
from ctrip.core.sending import ON_CHAIN, Sending
from ctrip.flows.settling import Settling

ASK_AGAIN: Final = timedelta(seconds=30)  # those that do not agree
FORGET: Final = timedelta(minutes=10)  # what is not seen any more: it is final, or another's work

log = logs.get("ctrip.witness")


class Doubt(Struct, frozen=True):
    """What endpoints do not agree on."""

    why: str
    since: datetime  # when they were asked
    holds: bool  # no majority has decided


class Witness(Settling):
    """The second look at the transactions of one chain."""

    def begin(self) -> None:
        """Set up what is doubted."""
        self.doubts: dict[SendingId, Doubt] = {}

    async def believed(
        self, after: Sequence[Sending], told: Mapping[SendingId, Sequence[Outcome]]
    ) -> list[Sending]:
        """Return sendings, with those that are doubted held back from being final."""
        now = self._clock.now()
        final = {one.id: seen(one, told) for one in after if one.final and one.state in ON_CHAIN}
        unsettled = {one.id for one in after} - final.keys()  # again, after a reorg
        self.doubts = {
            id_: doubt
            for id_, doubt in self.doubts.items()
            if id_ not in unsettled and now - doubt.since < FORGET
        }
        asked = {
            id_: outcome
            for id_, outcome in final.items()
            if id_ not in self.doubts or now - self.doubts[id_].since > ASK_AGAIN
        }
        if asked:
            await self._ask(asked, now)
        self._warn("; ".join(doubt.why for doubt in self.doubts.values()))
        return [replace(one, final=False) if self.held(one.id) else one for one in after]

    def held(self, id_: SendingId) -> str:
        """Return what is held back from being final for, if it is."""
        doubt = self.doubts.get(id_)
        return doubt.why if doubt and doubt.holds else ""

    async def _ask(self, asked: Mapping[SendingId, Outcome], now: datetime) -> None:
        """Ask a second endpoint, and note who does not show what was seen."""
        opinions = await self._transactor.second_look(list(asked.values()))
        for (id_, outcome), opinion in zip(asked.items(), opinions, strict=True):
            known = self.doubts.pop(id_, None)
            if not opinion.second or (opinion.agrees and not opinion.outvoted):
                continue
            why = disagreement(outcome, opinion)
            if known is None or known.why != why:
                say(self.chain.name, opinion, why)
            self.doubts[id_] = Doubt(why, now, holds=not opinion.agrees)


def seen(one: Sending, told: Mapping[SendingId, Sequence[Outcome]]) -> Outcome:
    """Return what was told of the version that is in a block."""
    return next(outcome for outcome in told[one.id] if outcome.tx_hash == one.tx_hash)


def say(chain: ChainName, opinion: Opinion, why: str) -> None:
    """Log that endpoints do not agree; who is outvoted is named as in every duty."""
    if opinion.outvoted:
        log.warning("endpoint outvoted", chain=chain, endpoint=opinion.outvoted, why=why)
    else:
        log.warning("endpoints disagree", chain=chain, why=why)


def disagreement(outcome: Outcome, opinion: Opinion) -> str:
    """Say who shows what."""
    mined = outcome.mined
    place = f"{outcome.tx_hash} in block {mined.block_number}" if mined else outcome.tx_hash
    if opinion.outvoted:
        return (
            f"{opinion.first} and {opinion.second} show {place}, {opinion.outvoted} does not:"
            f" {opinion.why}; it is final by the word of most"
        )
    if not opinion.first:
        return f"{opinion.second} do not show {place} any more: {opinion.why}"
    return (
        f"{opinion.first} shows {place}, {opinion.second} does not: {opinion.why}; it is final"
        " when they agree"
    )
