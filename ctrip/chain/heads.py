"""How far the chain has come, when its endpoints do not agree.

Each question costs, so the endpoint that is read from is asked every time, and the others
only now and then: at first, after LOOK_POLLS questions or LOOK_SECONDS, when another
endpoint is read from, and soon again while something is wrong. Such a look places every
endpoint beside the others. Between two looks each is taken to keep its distance.

The head is the newest block that a majority of the endpoints within reach has; of two,
the lower. An endpoint whose tip is old beside the others' is behind: it has no vote, and
is read from when nobody else is left. One that is thousands of blocks off is on another
chain. Two that show different blocks at one height are on two forks: the majority is
right, and where there is none, nothing is read until they agree.

No endpoint is believed alone on what is final: nothing is above the block at which they were
found to agree the last time, nor above what most of them call so (tags.py). Where payments are
confirmed by such a tag, it is a reason to look around.

The head does not go back, unless the chain did: the hash at a height that was known has
changed. An endpoint that merely fell behind is waited for. A head that no endpoint has a
block for never was one, and is forgotten; and one that is far above the last is not believed
before its block was shown, because whoever tells the truth would be on another chain then.
"""

from collections.abc import Sequence
from typing import Final

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.endpoint import Provider
from ctrip.chain.failover import Failover
from ctrip.chain.lanes import all_of
from ctrip.chain.tags import Tags, majority
from ctrip.chain.tips import Polls, Tips, confirming_tags, header_at, tips_of
from ctrip.clock import Clock
from ctrip.core.blocks import Head, Header
from ctrip.core.chains import Chain
from ctrip.core.finality import Tag
from ctrip.core.ids import BlockHash, BlockNumber

LOOK_POLLS: Final = 10
LOOK_SECONDS: Final = 40.0  # four blocks of Ethereum: each look is a call more for each endpoint
LOOK_SOON_POLLS: Final = 2  # while endpoints disagree
BEHIND_SECONDS: Final = 15.0  # between tips; a block that travels is seconds old
BEHIND_BLOCKS: Final = 3  # the same on slow chains; and what one that stands still may miss
LEAP_BLOCKS: Final = 200  # since the last question; so many are a reason to look around
PROVEN_BLOCKS: Final = 32  # above the last head; one that is higher must be there by its number too
OTHER_CHAIN_BLOCKS: Final = 10_000  # no endpoint of one chain is so far from another
KNOWN_MAX: Final = 1_024  # heads kept to tell a reorg from a node that fell behind


class Heads:
    """The head of one chain."""

    def __init__(self, chain: Chain, endpoints: Failover, clock: Clock) -> None:
        self._chain = chain
        self._endpoints = endpoints
        self._clock = clock
        self._known: dict[BlockNumber, BlockHash] = {}
        self._served: Header | None = None
        self._tags = Tags(chain, is_alone=len(endpoints.providers) == 1)
        self._asking = Polls(chain)
        self._tags_matter = bool(confirming_tags(chain))
        self._polls = 0  # since the last look
        self._looked_at = 0.0
        self._heights: dict[Provider, BlockNumber] = {}  # at the last look
        self._looked_from: Provider | None = None
        self._lead = 0  # blocks that the endpoint read from has and the majority has not
        self._is_uneven = False  # some tips are far from others
        self._dispute = ""
        self._agreed_at = BlockNumber(0)  # the height of the last look without a dispute

    @property
    def served(self) -> BlockNumber:
        """The newest block that was ever named."""
        return self._served.number if self._served else BlockNumber(0)

    async def head(self) -> Head:
        """Return the head."""
        if self._endpoints.is_doubted:
            self._endpoints.is_doubted = False
            self._served = None
            self._looked_from = None
        self._asking.begin(self._now())
        tips = await self._endpoints.ask(self._tips)
        self._tags.heard(tips)
        if self._is_look_due(tips):
            tips = await self._look(tips)
        if self._dispute:
            raise InconsistentChain(self._dispute)
        latest = await self._agreed(tips)
        if self._served and latest.number < self._served.number:
            latest = await self._not_back(tips.provider, latest)
        return self._serve(tips, latest)

    async def _tips(self, provider: Provider) -> Tips:
        """Ask the endpoint that is read from."""
        said = self._on_this_chain(await self._asking.tips(provider))
        if said.latest.number - self.served > PROVEN_BLOCKS:
            await header_at(provider, said.latest.number)
        return said

    async def _tip(self, provider: Provider, tags: Sequence[Tag]) -> Tips:
        """Ask an endpoint for its newest block, and maybe for what it calls final or safe."""
        return self._on_this_chain(await tips_of(provider, self._chain, tags=tags))

    def _on_this_chain(self, said: Tips) -> Tips:
        """Refuse what is too far back to be of this chain."""
        if (far := self.served - said.latest.number) > OTHER_CHAIN_BLOCKS:
            raise said.provider.is_elsewhere(
                f"its head is {far} blocks back: it is on another chain"
            )
        return said

    # A look at all of them

    def _is_look_due(self, tips: Tips) -> bool:
        if len(self._endpoints.providers) == 1:
            return False
        self._polls += 1
        holds = self._tags.hold_payments(tips)
        soon = self._lead or self._is_uneven or self._dispute or holds
        return (
            self._polls >= (LOOK_SOON_POLLS if soon else LOOK_POLLS)
            or abs(self._now() - self._looked_at) >= LOOK_SECONDS
            or tips.latest.number - self.served > LEAP_BLOCKS
            or tips.provider is not self._looked_from
            or (self._tags_matter and self._agreed_at < max(tips.finalized or 0, tips.safe or 0))
        )

    async def _look(self, tips: Tips) -> Tips:
        """Place all endpoints; return what the best of them says."""
        self._polls, self._looked_at = 0, self._now()
        others = [p for p in self._endpoints.providers if p is not tips.provider]
        asked, tags = tips, self._tags.to_compare(tips)
        answers = await all_of([self._glance(provider, tags) for provider in others])
        all_tips = [tips, *(other for other in answers if other)]
        reference = self._reference(all_tips)
        voters = [one for one in all_tips if self._may_vote(one, reference)]
        self._heights = {one.provider: one.latest.number for one in all_tips}
        if tips not in voters:  # another one is read from
            tips = voters[0]
            self._endpoints.prefer(tips.provider)
        reached = majority([one.latest.number for one in voters])
        self._dispute = await self._disputed(voters, reached)
        if tips.provider.is_behind:  # it was outvoted
            tips = next(one for one in voters if not one.provider.is_behind)
            self._endpoints.prefer(tips.provider)
        if not self._dispute:
            self._agreed_at = reached
            if tags:
                good = [one for one in voters if one is not asked and not one.provider.is_behind]
                self._tags.compare(asked, good, reached)
        self._looked_from = tips.provider
        self._lead = max(0, tips.latest.number - reached)
        apart = [abs(one.latest.number - reached) for one in voters]
        self._is_uneven = max(apart) >= BEHIND_BLOCKS
        return tips

    def _may_vote(self, one: Tips, reference: Header) -> bool:
        """Tell whether an endpoint is on this chain and keeps up with it."""
        provider, tip = one.provider, one.latest
        if (far := abs(tip.number - reference.number)) > OTHER_CHAIN_BLOCKS:
            why = f"its head is {far} blocks off: it is on another chain"
            provider.failed(provider.is_elsewhere(why))
            return False
        seconds = max(BEHIND_SECONDS, BEHIND_BLOCKS * self._chain.block_seconds)
        is_old = (reference.time - tip.time).total_seconds() > seconds
        stands = self._heights.get(provider) == tip.number and far >= BEHIND_BLOCKS
        provider.is_behind = tip.number < reference.number and (is_old or stands)
        return not provider.is_behind

    async def _glance(self, provider: Provider, tags: Sequence[Tag]) -> Tips | None:
        """Ask an endpoint that is not read from; one that fails has no say."""
        if provider.is_out():
            return None
        try:
            return await self._endpoints.ask_only(provider, lambda p: self._tip(p, tags))
        except (ChainOutage, InconsistentChain):
            return None

    def _reference(self, tips: Sequence[Tips]) -> Header:
        """Return the tip that the others are measured by: of three, the middle one."""
        by_height = sorted((one.latest for one in tips), key=lambda h: h.number, reverse=True)
        if len(by_height) > 2 or self._served is None:  # noqa: PLR2004  two make no majority
            return by_height[len(by_height) // 2 if len(by_height) > 2 else 0]  # noqa: PLR2004
        served = self._served.number
        near = [tip for tip in by_height if abs(tip.number - served) <= OTHER_CHAIN_BLOCKS]
        return near[0] if near else by_height[0]

    async def _disputed(self, voters: Sequence[Tips], height: BlockNumber) -> str:
        """Ask for the same block everywhere; return who contradicts whom, if nobody is right."""
        if len(voters) == 1:
            return ""
        headers = await all_of([self._at(one, height) for one in voters])
        votes: dict[BlockHash, list[Provider]] = {}
        for one, header in zip(voters, headers, strict=True):
            if header:
                votes.setdefault(header.hash, []).append(one.provider)
        if len(votes) < 2:  # noqa: PLR2004  one block, one truth
            return ""
        *wrong, right = sorted(votes.values(), key=len)
        has_majority = len(right) * 2 > sum(map(len, votes.values()))
        for provider in (provider for group in wrong for provider in group):
            provider.contradicted(f"it shows another block {height} than the others")
            provider.is_behind = has_majority
        if has_majority:
            return ""
        labels = " and ".join(group[0].label for group in (*wrong, right))
        return f"{labels} show different blocks at height {height}"

    async def _at(self, one: Tips, height: BlockNumber) -> Header | None:
        if one.latest.number == height:
            return one.latest
        try:
            return await self._endpoints.ask_only(
                one.provider, lambda provider: header_at(provider, height)
            )
        except (ChainOutage, InconsistentChain):
            return None

    # What is served

    async def _agreed(self, tips: Tips) -> Header:
        """Return the newest block of this endpoint that a majority has too."""
        if not self._lead:
            return tips.latest
        height = BlockNumber(max(0, tips.latest.number - self._lead))
        return await self._endpoints.ask_only(
            tips.provider, lambda provider: header_at(provider, height)
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _not_back(self, provider: Provider, latest: Header) -> Header:
        """Return the head that was served before, unless the chain was replaced."""
        assert self._served is not None  # noqa: S101  the caller compared with it
        heights = [height for height in self._known if height <= latest.number]
        if not heights:
            return self._served
        height = max(heights)
        there = latest
        if height < latest.number:
            there = await self._endpoints.ask_only(provider, lambda p: header_at(p, height))
        if there.hash != self._known[height]:
            return latest
        self._looked_from = None  # somebody else may have the newer blocks
        return self._served

    def _serve(self, tips: Tips, latest: Header) -> Head:
        if self._known.get(latest.number, latest.hash) != latest.hash:
            self._known = {n: h for n, h in self._known.items() if n < latest.number}
        if self._served and latest.number < self._served.number:
            self._known = {n: h for n, h in self._known.items() if n < latest.number}
        self._known[latest.number] = latest.hash
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._served = latest
        is_alone = len(self._endpoints.providers) == 1
        top = latest.number if is_alone else min(latest.number, self._agreed_at)
        finalized, safe = self._tags.believed(tips, latest, top)
        agreed = BlockNumber(0) if is_alone else self._agreed_at
        return Head(latest=latest, finalized=finalized, safe=safe, agreed=agreed)
