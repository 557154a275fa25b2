"""Faults about where the chain is: its head, its id, its branch."""

from typing import Final

from aiohttp import web

from tests.support.rpc_exchange import (
    LOGS,
    RECEIPT_METHODS,
    Exchange,
    Fault,
    Json,
    Outcome,
    Play,
    Sent,
    with_error,
    with_result,
)
from tests.support.rpc_views import (
    asks_height,
    asks_latest,
    invented,
    lower,
    on_twin,
    with_latest_at,
)

LAG: Final = 3  # blocks
TOO_FAR: Final = 10_500  # blocks; no chain's endpoints are so far apart
OTHER_CHAIN: Final = 56
NOT_YET: Final = "upstream does not have the requested block yet"


async def no_latest(x: Exchange) -> Sent:
    return [
        with_result(reply, None) if asks_latest(call) else reply for call, reply in await x.pairs()
    ]


async def stale(x: Exchange) -> Sent:
    return await lower(x, await x.node.height() - LAG)


async def frozen(x: Exchange) -> Sent:
    return await lower(x, x.since)


async def back_and_forth(x: Exchange) -> Sent:
    return await lower(x, await x.node.height() - LAG) if x.turn % 2 else None


async def ahead(x: Exchange) -> Sent:
    return await with_latest_at(x, await x.node.height() + 2)


async def far_ahead(x: Exchange) -> Sent:
    return await with_latest_at(x, await x.node.height() + TOO_FAR)


async def far_back(x: Exchange) -> Sent:
    return await with_latest_at(x, await x.node.height() - TOO_FAR)


async def head_elsewhere(x: Exchange) -> Sent:
    """Say the true head, and leave everything else to a node that lacks the newest blocks."""
    heads = await x.truth()
    rest = await lower(x, await x.node.height() - 2)
    pairs = zip(x.calls, heads, rest, strict=True)
    return [head if asks_latest(call) else other for call, head, other in pairs]


async def not_yet(x: Exchange) -> Sent:
    """As above, with words for a block that is not there yet."""
    height = await x.node.height()
    return [
        with_error(reply, -32603, NOT_YET) if (asks_height(call) or 0) > height - 2 else reply
        for call, reply in await x.pairs()
    ]


async def preconfirmed(x: Exchange) -> Sent:
    """Name as newest a block that is still being built; it has receipts, and no number yet."""
    height = await x.node.height() + 1
    built = await x.node.block("pending", full=True)
    place = {"blockHash": invented(height), "blockNumber": hex(height)}
    hashes = {tx["hash"] for tx in built["transactions"]}

    def answer(call: Json, reply: Json) -> Json:
        if call["method"] == "eth_blockNumber":
            return with_result(reply, hex(height))
        if asks_latest(call):
            full = [{**tx, **place} for tx in built["transactions"]]
            listed = full if call["params"][1] else sorted(hashes)
            fields = {"hash": invented(height), "logsBloom": "0x" + "00" * 256}
            return with_result(reply, {**built, **fields, "transactions": listed})
        if call["method"] in RECEIPT_METHODS and call["params"][0] in hashes:
            known = {"transactionHash": call["params"][0], "status": "0x1", "logs": []}
            return with_result(reply, {**known, **place})
        return reply

    return [answer(c, r) for c, r in await x.pairs()]


async def other_chain(x: Exchange) -> Sent:
    return [
        with_result(reply, hex(OTHER_CHAIN)) if call["method"] == "eth_chainId" else reply
        for call, reply in await x.pairs()
    ]


async def other_chain_later(x: Exchange) -> Sent:
    """Fail once, so that the endpoint is left, and come back as another chain's."""
    return web.Response(status=503) if x.turn == 1 else await other_chain(x)


async def other_branch(x: Exchange) -> Sent:
    """Answer from the twin, where nothing of its branch is final yet."""
    final = await x.node.block(hex(x.since - x.node.finality_lag))
    return [
        with_result(reply, final) if call["params"][:1] in (["safe"], ["finalized"]) else reply
        for call, reply in zip(x.calls, await on_twin(x), strict=True)
    ]


async def logs_of_other_branch(x: Exchange) -> Sent:
    pairs = zip(x.calls, await x.truth(), await on_twin(x), strict=True)
    return [other if call["method"] == LOGS else true for call, true, other in pairs]


ASIDE: Final = (
    "Health names the endpoint and what it says; the others are asked. Alone, nothing is read "
    "until it answers for its chain again."
)
BEHIND: Final = (
    "What is read never goes back; the block that is missing is waited for, or asked elsewhere."
)


def tip(
    name: str,
    happens: str,
    play: Play,
    answered: str = BEHIND,
    *,
    alone: Outcome = Outcome.EITHER,
    greets: bool = False,
    forks: bool = False,
) -> Fault:
    return Fault(
        name=name,
        happens=happens,
        answered=answered,
        play=play,
        alone=alone,
        greets=greets,
        forks=forks,
    )


TIP_FAULTS: Final = (
    tip("no latest block", "The newest block is null.", no_latest, ASIDE, alone=Outcome.HELD),
    tip(
        "stale head",
        "The endpoint is some blocks behind, and stays so.",
        stale,
        alone=Outcome.CREDITED,
    ),
    tip("head back and forth", "Two backends, one of them behind, take turns.", back_and_forth),
    tip("head beyond what is served", "The newest block that is named does not exist.", ahead),
    tip(
        "head of another backend",
        "The newest block is true, and the backend that serves the rest has not got it.",
        head_elsewhere,
    ),
    tip(
        "head of another backend, said so",
        f"As before, with words: `{NOT_YET}`.",
        not_yet,
    ),
    tip("head far ahead", "The head is ten thousand blocks too high.", far_ahead, ASIDE),
    tip("head far back", "The head is more than ten thousand blocks back.", far_back, ASIDE),
    tip(
        "frozen tip",
        "The endpoint stands still without a fault, while the chain goes on.",
        frozen,
        "A tip that gets too old turns the chain red; an endpoint whose tip goes on is preferred.",
        alone=Outcome.HELD,
    ),
    tip(
        "preconfirmed block",
        "The newest block is one that is still being built; its receipts are given already.",
        preconfirmed,
        "A receipt is no block: money counts when a block of the chain has it.",
    ),
    tip(
        "wrong chain id",
        "The endpoint serves another chain.",
        other_chain,
        ASIDE,
        alone=Outcome.HELD,
        greets=True,
    ),
    tip(
        "wrong chain id after a while",
        "The endpoint fails, and comes back as one of another chain.",
        other_chain_later,
        "The chain id is asked again whenever an endpoint is turned to. " + ASIDE,
        alone=Outcome.HELD,
    ),
    Fault(
        name="two endpoints on two forks",
        happens="The endpoint follows another branch than the rest of the world.",
        answered=(
            "Two endpoints that show different blocks at one height are named in health; alone, it "
            "is a reorg when the endpoint returns to the chain."
        ),
        play=other_branch,
        alone=Outcome.LATER,
        beside=Outcome.EITHER,
        forks=True,
    ),
    tip(
        "old fork for one method only",
        "Logs come from a backend on another branch.",
        logs_of_other_branch,
        "Logs are asked for by the hash of their block, and must name it. " + BEHIND,
        alone=Outcome.HELD,
        forks=True,
    ),
)
