"""Read the logs of every block once more when it is final, from another endpoint.

An endpoint that leaves out a log says nothing wrong that could be caught: a second one is
asked. What the first did not show is credited now. What the second does not show stays as
it is, for nobody takes back what is final: all are asked, and unless most of them show it
the chain's health says that its endpoints disagree, until they do not.

It costs one batch of calls a pass, whatever the number of blocks, and nothing while there
is nothing to pay and nothing was paid. Settling does not wait for it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from ctrip import logs
from ctrip.chain.client import InconsistentChain, Ours
from ctrip.core.blocks import Span
from ctrip.core.chains import NativeSource
from ctrip.core.ids import NATIVE, Asset, BlockHash, BlockNumber, RawAddress, TxHash
from ctrip.core.matching import Found
from ctrip.core.scan import BLOCKS_KNOWN_MAX, SPAN_BLOCKS_MAX
from ctrip.flows.find import find, lookup, only_ours, tokens_of
from ctrip.flows.on_chain import EndpointsDisagree, OnChain
from ctrip.flows.rescan import credit, hold_head, unrecorded
from ctrip.store import blocks, payment_sets, rescans
from ctrip.store.pool import connection, transaction
from ctrip.store.rescans import Recorded

# Between passes: 240 blocks of the fastest chain are one batch, and 60 batches an hour are few.
REREAD_SECONDS: Final = 60.0
# On slow chains these are few blocks. So many are waited for, as they become final at once on
# Ethereum; but not for longer than this.
REREAD_BLOCKS_MIN: Final = 32
REREAD_SECONDS_MAX: Final = 600.0

NAMED_MAX: Final = 3  # transfers that health speaks of

# Something that a transaction did, in a block: it moved an asset to a recipient.
Deed = tuple[BlockHash, TxHash, Asset, RawAddress]

log = logs.get("ctrip.reread")


class Rereader(OnChain):
    """The second look at one chain."""

    def begin(self) -> None:
        """Set up what is remembered between passes."""
        self.missed = 0  # transfers that the first read did not show, since we started
        self._read_at: datetime | None = None
        self._tokens = tokens_of(self.chain)
        shown = self.chain.native is not NativeSource.TRANSACTIONS
        self._assets = {*self._tokens, *([NATIVE] if shown else [])}

    async def run_once(self) -> bool:
        """Read what has become final; return True if there is more to read at once."""
        name = self.chain.name
        async with connection(self._pool) as conn:
            cursor = await blocks.cursor(conn, name)
            if cursor is None:
                return False
            above = await blocks.reread(conn, name)
            gap = await rescans.lowest_gap(conn, name)
            end = cursor.finalized if gap is None else min(cursor.finalized, gap - 1)
            if end <= above or self._is_early(end - above):
                return False
            to = BlockNumber(min(end, above + SPAN_BLOCKS_MAX))
            first = BlockNumber(above + 1)
            if not await payment_sets.any_open(conn, name) and not (
                await rescans.count_on_record(conn, name, first, BlockNumber(end))
            ):
                await blocks.note_reread(conn, name, BlockNumber(end))
                return False
        try:
            await self._read(above, to)
        except InconsistentChain:  # whose logs are not of its blocks is not asked again
            await self._read(above, to, ours=lookup(self._pool))
        self._read_at = self._clock.now()
        return to < end

    def _is_early(self, blocks: int) -> bool:
        """Tell whether more blocks should become final before these few are read."""
        if self._read_at is None or blocks >= REREAD_BLOCKS_MIN:
            return False
        seconds = min(REREAD_SECONDS_MAX, REREAD_BLOCKS_MIN * self.chain.block_seconds)
        return abs(self._clock.now() - self._read_at) < timedelta(seconds=seconds)

    async def _read(self, above: BlockNumber, to: BlockNumber, *, ours: Ours | None = None) -> None:
        """Read a range, credit what is new in it, and compare the rest."""
        name, first = self.chain.name, BlockNumber(above + 1)
        span = await self._client.span(above, to, tokens=self._tokens, again=True, ours=ours)
        async with connection(self._pool) as conn:
            known = await blocks.known(conn, name, count_max=BLOCKS_KNOWN_MAX)
            recorded = await rescans.on_record(conn, name, first, to)
        for header in (span.anchor, span.last):
            if known.get(header.number, header.hash) != header.hash:
                raise EndpointsDisagree(
                    f"{name}: two endpoints have different blocks {header.number}, which is final"
                )
        logged = [one for one in recorded if one.log_index is not None and self._is_read(one)]
        missed = await self._missed(span, logged)
        doubted = await self._doubted(unseen(span, logged))
        await self._write(first, to, missed, noted=not doubted)
        if doubted:
            raise EndpointsDisagree(
                f"{name}: a second endpoint does not show what is on record: {doubted}. It is "
                f"final and stays credited; compare the endpoints with another source"
            )

    async def _doubted(self, gone: Sequence[Recorded]) -> str:
        """Return of what the second endpoint does not show that which most do not show either."""
        if not gone:
            return ""
        keys = {one.key for one in gone}
        async with connection(self._pool) as conn:
            known = await payment_sets.transfers_of(
                conn, self.chain.name, {key.tx_hash for key in keys}
            )
        doubted = []
        for one in known:
            if one.key not in keys:
                continue
            opinion = await self.opinion(one)
            if not opinion.agrees:
                place = f"{one.key.tx_hash} in block {one.block_number}"
                doubted.append(f"{place}: {opinion.doubt}")
            if len(doubted) == NAMED_MAX:
                break
        return ", ".join(doubted)

    async def _write(
        self, first: BlockNumber, to: BlockNumber, missed: Sequence[Found], *, noted: bool
    ) -> None:
        """Credit what the first read did not show, and note that the range was read again."""
        name, now = self.chain.name, self._clock.now()
        async with transaction(self._pool) as conn:
            new: Sequence[Found] = ()
            if missed:
                moved = await hold_head(conn, name)
                new = unrecorded(missed, await rescans.on_record(conn, name, first, to))
                await credit(conn, moved, new, now=now)
            if noted:
                await blocks.note_reread(conn, name, to)
        for one in new:
            log.warning(
                "transfer missed by the first read",
                chain=name,
                block=one.transfer.block_number,
                tx=one.transfer.key.tx_hash,
            )
        self.missed += len(new)
        if new:
            self._news.set()

    def _is_read(self, one: Recorded) -> bool:
        return one.key.asset in self._assets  # a token may have left the list since

    async def _missed(self, span: Span, logged: Sequence[Recorded]) -> list[Found]:
        """Return the money in a span that is not on record.

        Only its blocks are asked for, which are seldom any; and of its transactions all logs
        are matched: a transfer's rank among its twins must be what it would have been.
        """
        more = without(span, logged)
        if not more.logs and not more.moves:
            return []
        whole = await only_ours(self.chain, self._client, self._pool, more.logs, more.moves)
        return await find(self.chain, self._client, self._pool, whole)


def deeds(span: Span) -> Counter[Deed]:
    """Count a span's transfers by transaction, asset and recipient.

    Not by log index: nodes have been seen to number the logs of a block differently.
    """
    by_logs: list[Deed] = [
        (log.block_hash, log.tx_hash, Asset(log.contract), log.recipient) for log in span.logs
    ]
    by_moves: list[Deed] = [
        (one.block_hash, one.move.tx_hash, NATIVE, one.move.recipient) for one in span.moves
    ]
    return Counter(by_logs + by_moves)


def recorded_deeds(recorded: Sequence[Recorded]) -> Counter[Deed]:
    """Count what is on record in the same way."""
    return Counter(
        (one.block_hash, one.key.tx_hash, one.key.asset, one.key.recipient) for one in recorded
    )


def without(span: Span, recorded: Sequence[Recorded]) -> Span:
    """Return a span without the transactions of which all that it shows is on record."""
    more = deeds(span) - recorded_deeds(recorded)
    return of_transactions(span, {tx_hash for _, tx_hash, _, _ in more})


def of_transactions(span: Span, hashes: Collection[TxHash]) -> Span:
    """Return only what these transactions did in a span."""
    return replace(
        span,
        logs=tuple(one for one in span.logs if one.tx_hash in hashes),
        moves=tuple(one for one in span.moves if one.move.tx_hash in hashes),
    )


def unseen(span: Span, recorded: Sequence[Recorded]) -> list[Recorded]:
    """Return what is on record for a span and not in it."""
    less = recorded_deeds(recorded) - deeds(span)
    return [
        one
        for one in recorded
        if (one.block_hash, one.key.tx_hash, one.key.asset, one.key.recipient) in less
    ]
