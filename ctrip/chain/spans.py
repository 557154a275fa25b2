"""The logs of a range of blocks, from one endpoint, in one batch where it takes the range.

By number a node that lags shows the logs it has and says nothing of those it has not. So
the same batch asks for the first and the last block: if the last is there, so are those
below it, and its hash ties the logs to a branch. Where one batch is not enough, the last
block is asked for once more at the end: it is still the same, or nothing is believed.

Of blocks that were read without their logs the last is known by its hash. A log of that very
block shows that the endpoint has it, and nothing else needs to be asked. Only where none is
to be expected, as its bloom filter tells, or none came, the block is asked for beside the logs.

A range that is too wide is cut, and the width remembered with the endpoint; so is the
number of contracts.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.json import Decoder

from ctrip.chain import decode, transfers
from ctrip.chain.blocks import BY_NUMBER, headers, present
from ctrip.chain.blooms import Blooms, announces
from ctrip.chain.client import Ours
from ctrip.chain.decode import Contradiction, Garbled, NotYet, WireHeader, WireLog
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of, cure_of_refusal
from ctrip.chain.lanes import cut
from ctrip.chain.transfers import Placed, Sought
from ctrip.chain.wire import Answer, Call, Refusal, Reply, WireFault
from ctrip.core.blocks import Header, PlacedMove, Span, TokenLog
from ctrip.core.ids import BlockHash, BlockNumber, RawAddress

RANGES_PER_BATCH_MAX: Final = 3  # each may be as large as the endpoint gives at once

Mixed = Reply[WireHeader | list[WireLog]]
ANSWERS: Final[Decoder[Answer[WireHeader | list[WireLog]]]] = Decoder(list[Mixed] | Mixed)


class Piece(NamedTuple):
    """One eth_getLogs: blocks first..last, and some of the contracts."""

    first: int
    last: int
    contracts: Sequence[RawAddress]

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


class Gathered(NamedTuple):
    """What was sent, in so many requests."""

    blocks: Sequence[WireHeader]
    logs: Sequence[WireLog]
    requests: int


class Ends(NamedTuple):
    """The blocks around a range."""

    anchor: Header
    last: Header
    bloom: str


async def read(
    provider: Provider, above: BlockNumber, last: BlockNumber, asked: Sought, blooms: Blooms
) -> Span:
    """Return the logs of the blocks above..last, `above` excluded."""
    got = await _gather(provider, above, last, asked, [above, last])
    ends = ends_of(above, last, got.blocks)
    if got.requests > 1:
        await _check_still(provider, last, ends.last.hash)
    return await _checked(provider, ends, got.logs, asked, blooms)


async def check_ours(
    provider: Provider,
    logs: Sequence[TokenLog],
    moves: Sequence[PlacedMove],
    ours: Ours,
    *,
    served: BlockNumber,
) -> None:
    """Check that what went to addresses of ours is in the blocks that are there."""
    offered = {log.recipient for log in logs} | {one.move.recipient for one in moves}
    known = await ours(offered)
    places = {(log.block_number, log.block_hash) for log in logs if log.recipient in known}
    places |= {(one.block_number, one.block_hash) for one in moves if one.move.recipient in known}
    there = await headers(provider, sorted({number for number, _ in places}), served=served)
    if places != {(header.number, header.hash) for header in there}:
        raise Contradiction("a log is of another block than the one that is there")


async def read_owed(
    provider: Provider,
    above: BlockNumber,
    last: BlockNumber,
    block: BlockHash,
    asked: Sought,
    blooms: Blooms,
) -> list[TokenLog]:
    """Return the logs of the blocks above..last, where `last` is this block."""
    seen = blooms.owed(block, above)
    is_promised = bool(seen) and announces(seen[0].bloom, asked)
    got = await _gather(provider, above, last, asked, [] if is_promised else [last])
    if not got.blocks and not any(log.block_hash.lower() == block for log in got.logs):
        got = await _gather(provider, above, last, asked, [last])
    if got.blocks:
        check_is(got.blocks[0], block)
    if got.requests > 1:
        await _check_still(provider, last, block)
    found = transfers.placed(got.logs, above + 1, last)
    check_branch([one for one in found if one.block == last], block)
    for glanced in seen:
        at_it = [one for one in found if one.block == glanced.header.number]
        check_branch(at_it, glanced.header.hash)
        if not at_it:
            await blooms.check_empty(provider, glanced.header, glanced.bloom, asked)
    return transfers.read(found, asked).logs


async def _gather(
    provider: Provider, above: int, last: int, asked: Sought, numbers: Sequence[int]
) -> Gathered:
    """Ask for the logs of the blocks above..last and, with the first of them, for some blocks."""
    left = [Piece(above + 1, last, asked.contracts)] if asked.contracts and last > above else []
    wires: list[WireHeader] | None = None
    logs: list[WireLog] = []
    requests = 0
    while left or wires is None:
        pieces = [small for piece in left for small in cut_to(provider, piece)]
        now, later = pieces[:RANGES_PER_BATCH_MAX], pieces[RANGES_PER_BATCH_MAX:]
        calls = [by_number(number) for number in numbers] if wires is None else []
        answered = await _ask(provider, calls, now, asked)
        if answered is None:  # refused as a whole; the width was learnt
            continue
        requests += 1
        if wires is None:
            wires = [block_of(provider, reply) for reply in answered[: len(calls)]]
        refused = []
        for piece, reply in zip(now, answered[len(calls) :], strict=True):
            if (found := logs_of(provider, piece, reply)) is None:
                refused.append(piece)
            else:
                logs += found
        left = [*refused, *later]
    return Gathered(wires, logs, requests)


async def _ask(
    provider: Provider, calls: Sequence[Call], pieces: Sequence[Piece], asked: Sought
) -> list[Mixed] | None:
    """Ask in one batch; None if it was refused as a whole and a narrower range may do."""
    ranges = [asked.in_range(piece.first, piece.last, piece.contracts) for piece in pieces]
    try:
        return await provider.ask([*calls, *ranges], ANSWERS)
    except WireFault as fault:
        widest = max(pieces, key=lambda piece: piece.blocks, default=None)
        if widest and fault.is_late:
            provider.narrow(Refusal(), widest.blocks)  # for the next time
        if cure_of(fault, "eth_getLogs") is not Cure.NARROWER or widest is None:
            raise
        if widest.blocks == 1:
            raise
        provider.narrow(fault.refusal, widest.blocks)
        return None


async def _check_still(provider: Provider, last: BlockNumber, block: BlockHash) -> None:
    [reply] = await provider.ask([by_number(last)], decode.HEADERS)
    if decode.header(present(provider, reply)).hash != block:
        raise Contradiction("the chain changed while its logs were read")


async def _checked(
    provider: Provider, ends: Ends, logs: Sequence[WireLog], asked: Sought, blooms: Blooms
) -> Span:
    found = transfers.placed(logs, ends.anchor.number + 1, ends.last.number)
    at_last = [one for one in found if one.block == ends.last.number]
    check_branch(at_last, ends.last.hash)
    if asked.contracts and not at_last and ends.last.number > ends.anchor.number:
        await blooms.check_empty(provider, ends.last, ends.bloom, asked)
    got = transfers.read(found, asked)
    return Span(anchor=ends.anchor, last=ends.last, logs=tuple(got.logs), moves=tuple(got.moves))


def block_of(provider: Provider, reply: Mixed) -> WireHeader:
    """Return a block that must be there."""
    wire = present(provider, reply)
    if isinstance(wire, list):
        raise Garbled("a block is a list")
    return wire


def ends_of(above: BlockNumber, last: BlockNumber, wires: Sequence[WireHeader]) -> Ends:
    """Return the blocks around the range."""
    anchor, top = (decode.header(wire) for wire in wires)
    if (anchor.number, top.number) != (above, last):
        raise Contradiction("a block is of another height than the one asked for")
    if top.number == anchor.number + 1 and top.parent_hash != anchor.hash:
        raise Contradiction("a block is not the child of the one below it")
    return Ends(anchor, top, wires[1].logs_bloom)


def logs_of(provider: Provider, piece: Piece, reply: Mixed) -> list[WireLog] | None:
    """Return the logs, or None if they have to be asked for in smaller pieces."""
    if reply.error is None:
        if not isinstance(reply.result, list):
            raise NotYet("the logs are null")
        provider.widen(piece.blocks)
        return reply.result
    cure = cure_of_refusal(reply.error, "eth_getLogs")
    if cure is Cure.WAIT:
        raise NotYet("it does not have the newest blocks")
    if cure is Cure.NARROWER and piece.blocks > 1:
        provider.narrow(reply.error, piece.blocks)
    elif cure is Cure.FEWER_ADDRESSES and len(piece.contracts) > 1:
        provider.fewer_addresses(len(piece.contracts))
    else:
        raise provider.refused("eth_getLogs", reply.error)
    return None


def cut_to(provider: Provider, piece: Piece) -> list[Piece]:
    """Return a piece in the sizes that an endpoint takes."""
    width = provider.logs_width
    return [
        Piece(first, min(first + width - 1, piece.last), contracts)
        for first in range(piece.first, piece.last + 1, width)
        for contracts in cut(piece.contracts, provider.addresses_max)
    ]


def check_is(wire: WireHeader, block: BlockHash) -> None:
    """Check that a block is the one that was read."""
    if decode.header(wire).hash != block:
        raise NotYet("it has another block in the place of one that was read")


def check_branch(found: Sequence[Placed], block: BlockHash) -> None:
    """Check that logs are of this very block."""
    if any(one.log.block_hash != block for one in found):
        raise Contradiction("a log is of another block than the one asked for")


def by_number(number: int) -> Call:
    """Return the call for a header."""
    return Call(BY_NUMBER, (hex(number), False))
