"""Faults about what is final: tags that a node does not know, and tags that stand or go back."""

from typing import Final

from ctrip.core.finality import Tag
from tests.support.rpc_exchange import (
    Exchange,
    Fault,
    Json,
    Outcome,
    Play,
    Sent,
    with_error,
    with_result,
)
from tests.support.rpc_views import asks_tag, invented

# How nodes say that they have no block of this name.
UNNAMED: Final = {
    "geth": (-32000, "{tag} block not found"),
    "besu and erigon": (-39001, "Unknown block"),
    "an old node": (-32602, 'invalid argument 0: hex string without 0x prefix: "{tag}"'),
}


async def final_frozen(x: Exchange) -> Sent:
    return await named(x, "finalized", x.since - x.node.finality_lag)


async def final_back_and_forth(x: Exchange) -> Sent:
    lag = x.node.finality_lag + x.turn % 2 * 5
    return await named(x, "finalized", await x.node.height() - lag)


async def final_above_head(x: Exchange) -> Sent:
    height = await x.node.height()
    fields = {"number": hex(height + 5), "hash": invented(height + 5)}
    return [
        with_result(reply, {**reply["result"], **fields}) if asks_tag(call, "finalized") else reply
        for call, reply in await x.pairs()
    ]


async def final_is_latest(x: Exchange) -> Sent:
    return await named(x, "finalized", await x.node.height())


async def named(x: Exchange, tag: str, height: int) -> list[Json]:
    """Let a tag mean the block of this height."""
    block = await x.node.block(hex(height))
    return [
        with_result(reply, block) if asks_tag(call, tag) else reply
        for call, reply in await x.pairs()
    ]


def unnamed(tag: Tag, dialect: str, code: int, words: str) -> Fault:
    async def play(x: Exchange) -> Sent:
        return [
            with_error(reply, code, words.format(tag=tag)) if asks_tag(call, tag) else reply
            for call, reply in await x.pairs()
        ]

    return lacking(tag, dialect, f"is refused, error {code}", play)


def unnamed_null(tag: Tag) -> Fault:
    async def play(x: Exchange) -> Sent:
        return [
            with_result(reply, None) if asks_tag(call, tag) else reply
            for call, reply in await x.pairs()
        ]

    return lacking(tag, "nethermind and reth", "is null", play)


def lacking(tag: Tag, dialect: str, how: str, play: Play) -> Fault:
    return Fault(
        name=f"no {tag} tag: {dialect}",
        happens=f"The block called `{tag}` {how}.",
        answered="Said aloud at start; `finality_depth` below the head stands in for the tag.",
        play=play,
        alone=Outcome.CREDITED,
        tag=tag,
        greets=True,
    )


FINAL_FAULTS: Final = (
    *(
        fault
        for tag in Tag
        for fault in (
            unnamed_null(tag),
            *(unnamed(tag, dialect, *said) for dialect, said in UNNAMED.items()),
        )
    ),
    Fault(
        name="finalized frozen",
        happens="The final block stays what it was, while the chain goes on.",
        answered="Payments are confirmed by their depth, and settled when the tag moves again.",
        play=final_frozen,
        alone=Outcome.UNHURT,
        beside=Outcome.UNHURT,
    ),
    Fault(
        name="finalized going backwards",
        happens="Two backends take turns, and differ in what is final.",
        answered="The highest number that was seen is kept.",
        play=final_back_and_forth,
        alone=Outcome.UNHURT,
        beside=Outcome.UNHURT,
    ),
    Fault(
        name="finalized is the head",
        happens="The endpoint takes `finalized` for `latest`.",
        answered="What most endpoints call final is, of two the lower; an only one is believed.",
        play=final_is_latest,
        alone=Outcome.UNHURT,
        beside=Outcome.UNHURT,
    ),
    Fault(
        name="finalized above the head",
        happens="The final block is one that nobody has mined.",
        answered="Nothing above the head is final, nor above what most endpoints call so.",
        play=final_above_head,
        alone=Outcome.EITHER,
    ),
)
