"""Which blocks are believed to be final and safe, of those that endpoints call so.

None is believed alone: a proxy that takes `finalized` for `latest` would let the next reorg reach
below what is final, which only a human can mend. What a majority calls final is, of two the
lower; who knows no such tag has no vote. So that the others need not be asked each time, what
they agreed on is kept, and how far below the head that was. Only a block above both is a reason
to ask them again, together with where their heads are.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ctrip.chain.endpoint import Provider
from ctrip.chain.tips import Tips, confirming_tags, tags_of
from ctrip.core.blocks import Header
from ctrip.core.chains import Chain
from ctrip.core.finality import Tag
from ctrip.core.ids import BlockNumber

NONE: Final = BlockNumber(0)


class Tags:
    """What the tags of one chain stand for."""

    def __init__(self, chain: Chain, *, is_alone: bool) -> None:
        self._depth = chain.finality_depth
        self._tags = tags_of(chain)
        self._matter = bool(confirming_tags(chain))  # payments are confirmed by one
        self._is_alone = is_alone
        self._named: dict[tuple[Provider, Tag], BlockNumber] = {}
        self._agreed: dict[Tag, BlockNumber] = {}
        self._lags: dict[Tag, int] = {}  # blocks from the head down to it, when they agreed
        self._finalized = self._safe = NONE
        self._final_lag = 0  # blocks from the newest one down to the tag, when that was last seen

    def heard(self, tips: Tips) -> None:
        """Note what an endpoint names."""
        for tag in Tag:
            if (number := named(tips, tag)) is not None:
                self._named[tips.provider, tag] = number

    def hold_payments(self, tips: Tips) -> bool:
        """Tell whether payments wait until others call a block so that this endpoint does."""
        return self._matter and bool(self.to_compare(tips))

    def to_compare(self, tips: Tips) -> Sequence[Tag]:
        """Return the tags of which an endpoint names a block above what they agreed on."""
        height = tips.latest.number
        return [
            tag
            for tag in self._tags
            if not self._is_alone
            and self._named.get((tips.provider, tag), NONE) > self._bound(tag, height)
        ]

    def compare(self, asked: Tips, others: Sequence[Tips], reached: BlockNumber) -> None:
        """Note what one endpoint and others, that were asked for tags just now, agree on."""
        for tag in self._tags:
            said = [self._named.get((asked.provider, tag)), *(named(tips, tag) for tips in others)]
            if numbers := [number for number in said if number is not None]:
                self._agreed[tag] = majority(numbers)
                self._lags[tag] = max(0, reached - self._agreed[tag])

    def believed(self, tips: Tips, latest: Header, top: BlockNumber) -> tuple[BlockNumber, ...]:
        """Return what is final and safe, nothing of it above `top`. Neither ever falls."""
        if tips.finalized is not None:
            self._final_lag = tips.latest.number - tips.finalized
        final = min(top, self._final(tips, latest))
        self._finalized = BlockNumber(max(self._finalized, final))
        safe = min(top, self._bounded(tips, Tag.SAFE, latest))
        self._safe = BlockNumber(max(self._safe, self._finalized, safe))
        return self._finalized, self._safe

    def _final(self, tips: Tips, latest: Header) -> int:
        """Return what is final by a tag, or by the depth that stands in."""
        if tips.finalized is not None or not tips.provider.lacks(Tag.FINALIZED):
            return self._bounded(tips, Tag.FINALIZED, latest)
        # Where the tag was known, what stands in for it must not run ahead of it.
        return latest.number - max(self._depth, self._final_lag)

    def _bounded(self, tips: Tips, tag: Tag, latest: Header) -> int:
        said = self._named.get((tips.provider, tag), NONE)
        return said if self._is_alone else min(said, self._bound(tag, latest.number))

    def _bound(self, tag: Tag, height: BlockNumber) -> int:
        """Return the highest block that is believed to be final, or safe, below this height."""
        return max(self._agreed.get(tag, NONE), height - self._lags.get(tag, height))


def named(tips: Tips, tag: Tag) -> BlockNumber | None:
    """Return the block that an endpoint named just now; one above its head is none."""
    number = tips.finalized if tag is Tag.FINALIZED else tips.safe
    return None if number is None or number > tips.latest.number else number


def majority(heights: Iterable[BlockNumber]) -> BlockNumber:
    """Return the height that more than half have reached; of two, the lower."""
    by_height = sorted(heights, reverse=True)
    return by_height[len(by_height) // 2]
