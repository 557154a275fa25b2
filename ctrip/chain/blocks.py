"""Blocks with their logs, from one endpoint: two calls for each, some batches at a time.

Logs are read by block hash: a node that lacks the block then says so, where by number it
would answer with an empty list, and money would be missed. Where the chain logs its native
coin the transactions are of no interest, and only headers are asked for.

At a glance, only those blocks are read with their logs in which the data of some transaction
names an address of ours. Those of the others are owed: spans.py reads them later.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeVar

from msgspec.json import Decoder

from ctrip.chain import decode, glance
from ctrip.chain.blooms import Blooms, Glanced
from ctrip.chain.client import Ours
from ctrip.chain.decode import (
    AnyHeader,
    Contradiction,
    NotYet,
    WireBlock,
    WireCallBlock,
    WireLog,
)
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.lanes import cut, few_at_once
from ctrip.chain.mentions import mentioned
from ctrip.chain.transfers import Sought
from ctrip.chain.whole import Whole, built, kept
from ctrip.chain.wire import Answer, Call, Reply
from ctrip.core.blocks import Block, Header
from ctrip.core.ids import BlockNumber

# Full blocks are large: at 2 MB each, ten stay below the 25 MB that geth answers at once.
BLOCKS_PER_BATCH_MAX: Final = 10
HEADERS_PER_BATCH_MAX: Final = 50

BY_NUMBER: Final = "eth_getBlockByNumber"
AnyBlock = TypeVar("AnyBlock", bound=WireBlock)

GONE: Final = "the node lost a block while its logs were read"


async def headers(
    provider: Provider, numbers: Sequence[BlockNumber], *, served: BlockNumber
) -> list[Header]:
    """Return the canonical headers of these heights, without those above the head.

    Below `served`, the newest block that was ever named, none may be missing.
    """
    calls = [Call(BY_NUMBER, (hex(number), False)) for number in numbers]
    replies = await provider.ask(calls, decode.HEADERS, calls_max=HEADERS_PER_BATCH_MAX)
    found = [found_in(provider, reply) for reply in replies]
    present = [n for n, wire in zip(numbers, found, strict=True) if wire]
    missing = [n for n, wire in zip(numbers, found, strict=True) if not wire]
    if missing and present and min(missing) < max(present):
        raise Contradiction("a block is missing below one that is there")
    if missing and min(missing) <= served:
        raise NotYet("it does not have a block that should be there")
    whole = [decode.header(wire) for wire in found if wire]
    check_chained(whole, present)
    return whole


async def read(
    provider: Provider,
    numbers: Sequence[BlockNumber],
    asked: Sought,
    blooms: Blooms,
    ours: Ours | None = None,
    *,
    at_a_glance: bool = False,
) -> list[Block]:
    """Return these blocks, all of them, each with what it offers to our addresses."""
    size = HEADERS_PER_BATCH_MAX if asked.coin else BLOCKS_PER_BATCH_MAX
    glanced = ours if at_a_glance and not asked.coin else None

    async def one(piece: Sequence[BlockNumber]) -> list[Block]:
        if glanced:
            return await _glanced(provider, piece, asked, blooms, glanced)
        return await _piece(provider, piece, asked, blooms, ours)

    pieces = await few_at_once(one, cut(numbers, size))
    read = [block for piece in pieces for block in piece]
    check_chained([block.header for block in read], numbers)
    return read


async def _piece(
    provider: Provider,
    numbers: Sequence[BlockNumber],
    asked: Sought,
    blooms: Blooms,
    ours: Ours | None,
) -> list[Block]:
    """Return as many blocks as go into one batch.

    Most of what was sent is dropped before the next batch is read: money between strangers,
    of which no more was looked at than who is offered something.
    """
    if asked.coin:
        wholes = await _headers_only(provider, numbers)
    else:
        wholes = await _full(provider, numbers)
    check_chained([whole.header for whole in wholes], numbers)
    if asked.contracts:
        wholes = await _with_logs(provider, wholes, asked, blooms)
    if ours is None:
        return [built(whole, asked) for whole in wholes]
    whose = await ours(glance.offered(wholes, asked))
    if not whose:
        return [Block(header=whole.header) for whole in wholes]
    return [built(whole, asked, whose) for whole in wholes]


async def _glanced(
    provider: Provider, numbers: Sequence[BlockNumber], asked: Sought, blooms: Blooms, ours: Ours
) -> list[Block]:
    """Return blocks, with their logs only where something names an address of ours."""
    wires = await _wires(provider, numbers, decode.CALL_BLOCKS)
    wholes = [kept(wire, mentioned(tx.input for tx in wire.transactions)) for wire in wires]
    check_chained([whole.header for whole in wholes], numbers)
    named = {name for whole in wholes for name in whole.named}
    whose = set(await ours({*glance.paid(wholes), *named}))
    wholes = [one._replace(names_ours=not whose.isdisjoint(one.named)) for one in wholes]
    if not asked.contracts:
        return [built(whole, asked, whose) for whole in wholes]
    naming = await _with_logs(provider, [w for w in wholes if w.names_ours], asked, blooms)
    if naming:
        whose.update(await ours(glance.offered(naming, asked)))
    read = {whole.header.hash: whole for whole in naming}
    wholes = [read.get(w.header.hash) or w._replace(owes_logs=True) for w in wholes]
    blooms.owe(Glanced(whole.header, whole.bloom) for whole in wholes if whole.owes_logs)
    return [built(whole, asked, whose) for whole in wholes]


async def _full(provider: Provider, numbers: Sequence[BlockNumber]) -> list[Whole]:
    return [kept(wire) for wire in await _wires(provider, numbers, decode.BLOCKS)]


async def _wires(
    provider: Provider, numbers: Sequence[BlockNumber], decoder: Decoder[Answer[AnyBlock]]
) -> list[AnyBlock | WireCallBlock]:
    """Return blocks with their transactions; the newest may have come with the head."""
    at_hand = tip_at_hand(provider, numbers[-1])
    calls = [Call(BY_NUMBER, (hex(number), True)) for number in numbers]
    if at_hand:
        calls.pop()
    replies = await provider.ask(calls, decoder, calls_max=max(1, len(calls)))
    wires = [present(provider, reply) for reply in replies]
    return [*wires, at_hand] if at_hand else [*wires]


def tip_at_hand(provider: Provider, number: BlockNumber) -> WireCallBlock | None:
    """Return the endpoint's newest block, if it is asked for and came whole; but only once.

    Whoever asks again has found that it does not fit.
    """
    if provider.head is None or number != provider.head.number:
        return None
    provider.is_read_whole = True
    at_hand, provider.tip = provider.tip, None
    return at_hand


async def _headers_only(provider: Provider, numbers: Sequence[BlockNumber]) -> list[Whole]:
    calls = [Call(BY_NUMBER, (hex(number), False)) for number in numbers]
    replies = await provider.ask(calls, decode.HEADERS)
    wires = [present(provider, reply) for reply in replies]
    return [Whole(decode.header(wire), wire.logs_bloom, None) for wire in wires]


async def _with_logs(
    provider: Provider, wholes: Sequence[Whole], asked: Sought, blooms: Blooms
) -> list[Whole]:
    logs = await _logs_of(provider, [whole.header for whole in wholes], asked)
    for whole in wholes:
        if not logs[whole.header.number]:
            await blooms.check_empty(provider, whole.header, whole.bloom, asked)
    return [whole._replace(logs=logs[whole.header.number]) for whole in wholes]


async def _logs_of(
    provider: Provider, headers: Sequence[Header], asked: Sought
) -> Mapping[BlockNumber, list[WireLog]]:
    """Return the logs of each block, by hash; in several calls where contracts are many."""
    logs: dict[BlockNumber, list[WireLog]] = {header.number: [] for header in headers}
    left = [(header, asked.contracts) for header in headers]
    while left:
        size = provider.addresses_max
        parts = [(header, part) for header, contracts in left for part in cut(contracts, size)]
        calls = [asked.in_block(header.hash, part) for header, part in parts]
        left = []
        for (header, part), reply in zip(
            parts, await provider.ask(calls, decode.LOGS), strict=True
        ):
            if reply.error is None and reply.result is not None:
                logs[header.number] += reply.result
                continue
            cure = cure_of_refusal(reply.error, "eth_getLogs") if reply.error else Cure.WAIT
            if cure is Cure.WAIT:
                raise NotYet(GONE)
            assert reply.error is not None  # noqa: S101  else it would be to wait
            if cure is not Cure.FEWER_ADDRESSES or len(part) == 1:
                raise provider.refused("eth_getLogs", reply.error)
            provider.fewer_addresses(len(part))
            left.append((header, list(part)))
    return logs


def found_in(provider: Provider, reply: Reply[AnyHeader]) -> AnyHeader | None:
    """Return the block, or None where the node says that there is none."""
    if reply.error and cure_of_refusal(reply.error) is not Cure.WAIT:
        raise provider.refused(BY_NUMBER, reply.error)
    return reply.result


def present(provider: Provider, reply: Reply[AnyHeader]) -> AnyHeader:
    """Return a block that must be there."""
    if (wire := found_in(provider, reply)) is None:
        raise NotYet("a block that should be there is not")
    return wire


def check_chained(headers: Sequence[Header], numbers: Sequence[BlockNumber]) -> None:
    """Check that these are the blocks of these heights, each the child of the one below."""
    if [header.number for header in headers] != list(numbers):
        raise Contradiction("a block is of another height than the one asked for")
    for below, above in pairwise(headers):
        if above.number == below.number + 1 and above.parent_hash != below.hash:
            raise Contradiction("a block is not the child of the one below it")
