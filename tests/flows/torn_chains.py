"""Chains whose endpoints do not show the same."""

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from ctrip.chain.client import Ours
from ctrip.core.blocks import Block, Head, Header, Opinion, PlacedMove, Span
from ctrip.core.ids import BlockNumber, RawAddress, TxHash
from ctrip.core.payment import Transfer
from tests.support import fake_blocks
from tests.support.fake_chain import FakeChain


class Partial(FakeChain):
    """Endpoints that each leave out some of the logs, as their index databases get torn."""

    def __init__(self) -> None:
        super().__init__()
        self.first_lacks: set[tuple[TxHash, int]] = set()  # logs, by transaction and index
        self.second_lacks: set[TxHash] = set()
        self.has_third = False  # which shows everything

    async def blocks(self, first: BlockNumber, last: BlockNumber, **asked: Any) -> list[Block]:
        return [
            replace(
                block,
                logs=tuple(
                    one
                    for one in block.logs
                    if (one.tx_hash, one.log_index) not in self.first_lacks
                ),
            )
            for block in await super().blocks(first, last, **asked)
        ]

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,
    ) -> Span:
        span = await super().span(above, last, tokens=tokens, again=again, ours=ours)
        logs = tuple(one for one in span.logs if one.tx_hash not in self.second_lacks)
        return replace(span, logs=logs)

    async def opinion(self, transfer: Transfer) -> Opinion:
        said = await super().opinion(transfer)
        if transfer.key.tx_hash not in self.second_lacks:
            return said
        if self.has_third:
            return replace(said, outvoted="fake, endpoint 2 of 3", why="it shows no such transfer")
        return fake_blocks.opinion("it shows no such transfer")


class Forked(FakeChain):
    """Two endpoints on two forks."""

    def __init__(self, *, finality_lag: int = 2) -> None:
        super().__init__(finality_lag=finality_lag)
        self.second: FakeChain | None = None
        self.agreed = BlockNumber(0)  # up to where the two did lately

    async def head(self) -> Head:
        return replace(await super().head(), agreed=self.agreed)

    async def headers(self, numbers: Sequence[BlockNumber], *, again: bool = False) -> list[Header]:
        if again and self.second:
            return await self.second.headers(numbers)
        return await super().headers(numbers)

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,
    ) -> Span:
        if again and self.second:
            return await self.second.span(above, last, tokens=tokens, ours=ours)
        return await super().span(above, last, tokens=tokens, ours=ours)


class Polygon(FakeChain):
    """A chain whose native coin moves in logs; its first endpoint hides some of them."""

    async def blocks(self, first: BlockNumber, last: BlockNumber, **asked: Any) -> list[Block]:
        read = await super().blocks(first, last, **asked)
        return [
            replace(block, calls=(), moves=tuple(m.move for m in self._moves(block)))
            for block in read
        ]

    async def span(
        self,
        above: BlockNumber,
        last: BlockNumber,
        *,
        tokens: Collection[RawAddress],
        again: bool = False,
        ours: Ours | None = None,
    ) -> Span:
        span = await super().span(above, last, tokens=tokens, again=again, ours=ours)
        read = await super().blocks(BlockNumber(above + 1), last, tokens=tokens)
        moves = tuple(m for block in read for m in self._moves(block, again=again))
        return replace(span, moves=moves)

    def _moves(self, block: Block, *, again: bool = False) -> list[PlacedMove]:
        mined = self._blocks[block.header.number]
        return [
            PlacedMove(
                move=replace(inner, log_index=index),
                block_number=block.header.number,
                block_hash=block.header.hash,
            )
            for tx in mined.txs
            for index, inner in enumerate(tx.inner)
            if again or tx.hash not in self.hidden
        ]
