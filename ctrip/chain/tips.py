"""What one endpoint says of its tip: the newest block, and those it calls final and safe.

Nodes say in many ways that they know no such tag. It is said aloud once, the chain's
depth stands in, and the tag is asked for again after a while.

No more is asked for than may be new. What is final moves with each block on some chains and
by leaps on others, as by Ethereum's epochs of 32 blocks: while it does not move, the tags are
asked for more and more seldom. Once it was seen to leap, they are asked for when the next leap is
due, and every other time a block sooner, so that one that comes sooner is noticed. Where
payments are confirmed by a tag it is asked for each time.

Who lets about a block time pass between two questions comes for a new block: where the last
one was read whole, with its transactions, so is this one, in the same call. It is kept with the
endpoint for whoever reads blocks next.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from ctrip import logs
from ctrip.chain import decode
from ctrip.chain.decode import Garbled, NotYet, WireCallBlock, WireHeader
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal, lacks_the_tag
from ctrip.chain.wire import Call, Reply
from ctrip.core.blocks import Header
from ctrip.core.chains import Chain
from ctrip.core.finality import Tag, Terms
from ctrip.core.ids import BlockNumber

BY_NUMBER: Final = "eth_getBlockByNumber"
# From one question for the tags to the next, by how often they had not moved.
TAG_BLOCKS: Final = (1, 1, 2, 4, 8)
LEAP_BLOCKS_MAX: Final = 32  # no chain is known to leap further, unless it was held up
A_BLOCK_LATER: Final = 0.75  # block times between the questions of one that comes for a new block
LONG_AGO: Final = float("-inf")

AnyBlock = TypeVar("AnyBlock", WireHeader, WireCallBlock)

log = logs.get("ctrip.chain")


class Tips(NamedTuple):
    """What one endpoint says."""

    provider: Provider
    latest: Header
    finalized: BlockNumber | None = None  # None: not asked for, or it knows no such tag
    safe: BlockNumber | None = None


class Leaps:
    """How many blocks pass between two questions for the tags."""

    def __init__(self) -> None:
        self._unmoved = 0  # questions since the last move to which the answer was the same
        self._leap = 0  # blocks; 0 until what is final was seen to rest and then to move
        self._rest = 1  # blocks from one move to the question that should see the next

    @property
    def blocks(self) -> int:
        if self._unmoved:
            return TAG_BLOCKS[min(self._unmoved, len(TAG_BLOCKS) - 1)]
        return self._rest

    def stayed(self) -> None:
        """Learn that the answer was the same."""
        self._unmoved += 1

    def moved(self, blocks: int) -> None:
        """Learn from a move. Seen by the first question, it may have been there before."""
        blocks = min(blocks, LEAP_BLOCKS_MAX)
        is_first = not self._unmoved
        self._leap = min(self._leap, blocks) if is_first else blocks
        self._rest = max(1, self._leap - is_first)
        self._unmoved = 0


class Polls:
    """The questions for one chain's tip, one after the other."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._tags = tags_of(chain)
        self._tags_matter = bool(confirming_tags(chain))
        self._at = LONG_AGO
        self._is_block_due = False  # about a block time has passed since the last question
        self._was_early = False  # it had then, and there was no new block yet
        self._tagged_at = LONG_AGO
        self._tagged: tuple[BlockNumber | None, BlockNumber | None] | None = None
        self._tagged_number = BlockNumber(0)  # the newest block then
        self._leaps = Leaps()

    def begin(self, now: float) -> None:
        """Begin a question, which may go to several endpoints."""
        self._is_block_due = now - self._at >= A_BLOCK_LATER * self._chain.block_seconds
        self._at = now

    async def tips(self, provider: Provider) -> Tips:
        """Ask one endpoint."""
        blocks = self._leaps.blocks
        passed = abs(self._at - self._tagged_at)
        is_time = self._tags_matter or passed >= (blocks - 1) * self._chain.block_seconds
        if has_whole := provider.is_read_whole and (self._is_block_due or self._was_early):
            said = await self._whole(provider)
        else:
            said = await tips_of(provider, self._chain, tags=self._tags if is_time else ())
        if has_whole or not is_time:  # they were not asked for
            is_time = self._tags_matter or said.latest.number - self._tagged_number >= blocks
            if is_time:
                said = await tagged_tips_of(said, self._chain, self._tags)
        if is_time:
            self._learn(said)
        return said

    def _learn(self, said: Tips) -> None:
        """Remember what the tags stand for, and whether they moved while the head did."""
        tags = (said.finalized, said.safe)
        if tags != self._tagged:
            before = self._tagged[0] if self._tagged else None
            self._leaps.moved((said.finalized or 0) - (before or said.finalized or 0))
        elif said.latest.number > self._tagged_number:
            self._leaps.stayed()
        self._tagged_at, self._tagged_number, self._tagged = self._at, said.latest.number, tags

    async def _whole(self, provider: Provider) -> Tips:
        """Ask for the newest block with its transactions; once more, if it has not come yet."""
        before, is_first = provider.head, not self._was_early
        said = await whole_tip_of(provider)
        self._was_early = provider.is_read_whole = said.latest == before and is_first
        return said


async def tips_of(provider: Provider, chain: Chain, *, tags: Sequence[Tag]) -> Tips:
    """Ask for the newest block and some tags, in one batch."""
    asked = [tag for tag in tags if not provider.lacks(tag)]
    newest, *named = await provider.ask(
        [Call(BY_NUMBER, (name, False)) for name in ("latest", *asked)], decode.HEADERS
    )
    latest = latest_of(provider, newest)
    provider.head, provider.tip = latest, None
    return with_tags(Tips(provider, latest), chain, asked, named)


async def whole_tip_of(provider: Provider) -> Tips:
    """Ask for the newest block with its transactions."""
    provider.is_read_whole = False  # until it is; and if it cannot be had, not so again
    [newest] = await provider.ask([Call(BY_NUMBER, ("latest", True))], decode.CALL_BLOCKS)
    latest = latest_of(provider, newest)
    provider.head, provider.tip = latest, newest.result
    return Tips(provider, latest)


async def tagged_tips_of(tips: Tips, chain: Chain, tags: Sequence[Tag]) -> Tips:
    """Ask for some tags beside a newest block that is known."""
    asked = [tag for tag in tags if not tips.provider.lacks(tag)]
    calls = [Call(BY_NUMBER, (tag, False)) for tag in asked]
    named = await tips.provider.ask(calls, decode.HEADERS)
    return with_tags(tips, chain, asked, named)


def with_tags(
    tips: Tips, chain: Chain, asked: Sequence[Tag], named: Sequence[Reply[WireHeader]]
) -> Tips:
    """Return the blocks that the tags stand for beside the newest one."""
    provider = tips.provider
    found: dict[str, BlockNumber] = {}
    for tag, reply in zip(asked, named, strict=True):
        if (block := tagged(provider, reply)) is None:
            log.warning("tag unknown", chain=chain.name, endpoint=provider.label, tag=str(tag))
            provider.lack(tag)
        else:
            found[tag] = block.number
    return tips._replace(finalized=found.get(Tag.FINALIZED), safe=found.get(Tag.SAFE))


def latest_of(provider: Provider, reply: Reply[AnyBlock]) -> Header:
    """Return the newest block; a node has one."""
    if (latest := header_of(provider, reply)) is None:
        raise provider.outage("the node has no latest block")
    return latest


async def header_at(provider: Provider, height: BlockNumber) -> Header:
    """Return the block that an endpoint has at a height."""
    calls = [Call(BY_NUMBER, (hex(height), False))]
    [reply] = await provider.ask(calls, decode.HEADERS)
    if (header := header_of(provider, reply)) is None:
        raise NotYet("it does not have a block that should be there")
    if header.number != height:
        raise Garbled("a block is of another height than the one asked for")
    return header


def header_of(provider: Provider, reply: Reply[AnyBlock]) -> Header | None:
    """Return a header, or None if the node says that it has no such block."""
    if reply.error and cure_of_refusal(reply.error) is not Cure.WAIT:
        raise provider.refused(BY_NUMBER, reply.error)
    return None if reply.result is None else decode.header(reply.result)


def tagged(provider: Provider, reply: Reply[WireHeader]) -> Header | None:
    """Return the block that a tag stands for, or None where the node does not know the tag."""
    if reply.error and not lacks_the_tag(reply.error):
        raise provider.refused(BY_NUMBER, reply.error)
    return None if reply.result is None else decode.header(reply.result)


def tags_of(chain: Chain) -> list[Tag]:
    """Return the tags to ask for; `safe` only where something is confirmed by it."""
    is_used = Tag.SAFE in confirming_tags(chain)
    return [Tag.FINALIZED, Tag.SAFE] if is_used else [Tag.FINALIZED]


def confirming_tags(chain: Chain) -> set[Tag]:
    """Return the tags by which payments are confirmed; the others only settle them."""
    terms: list[Terms] = [chain.coin_terms, *(token.terms for token in chain.tokens)]
    depths = [chain.confirmations, *(tier.depth for each in terms for tier in each.tiers)]
    return {depth.tag for depth in depths if depth.tag is not None}
