"""Sending over endpoints of which some are down, lag, lie, or say no: whose word counts."""

from collections.abc import Callable

import pytest
from aiohttp import web

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from ctrip.chain.verdicts import SEND
from ctrip.core.ids import NATIVE, RawAddress
from ctrip.core.outgoing import Sent, Verdict
from tests.chain.asking import HANG_SECONDS, client_of
from tests.chain.lying_node import PATH, Json, LyingNode, says
from tests.chain.paying import ETHER, SENDER, a_signed, an_outgoing
from tests.chain.transacting import a_strict_anvil, taken, transactor_of
from tests.support.rpc_proxy import proxy

SIGNED = a_signed()
ESTIMATE = "eth_estimateGas"
BALANCE = "eth_getBalance"
COUNT = "eth_getTransactionCount"


def takes(node: LyingNode) -> None:
    """Let a node take what it is handed."""
    node.alter(SEND, says(SIGNED.tx_hash))


def asked(node: LyingNode, method: str) -> int:
    return sum(method in methods for methods in node.asked)


# Who is handed a transaction


async def test_a_transaction_is_handed_to_all_and_one_that_is_down_does_not_matter() -> None:
    async with (
        a_strict_anvil() as anvil,
        proxy(anvil.url) as first,
        proxy(anvil.url) as second,
        transactor_of(first.url, second.url) as transactor,
    ):
        await first.plays("503")
        await taken(transactor, SIGNED)
        assert first.played
        assert second.methods[SEND] == 1
        first.calms()
        await second.plays("503")
        tried = first.methods[SEND]
        await taken(transactor, SIGNED)  # one that sits out is handed it when the others fail
        assert first.methods[SEND] == tried + 1


async def test_one_that_takes_it_is_enough(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    node.refuse(SEND, -32000, "nonce too low")
    takes(other)
    assert await pair.transactor().send(SIGNED) == Sent(Verdict.TAKEN)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("insufficient funds for transfer", "nonce too low", Verdict.NONCE_SPENT),
        ("intrinsic gas too low", "transaction underpriced", Verdict.UNDERPRICED),
        ("insufficient funds for transfer", "transaction underpriced", Verdict.UNDERPRICED),
        ("invalid sender", "insufficient funds for transfer", Verdict.POOR),
        ("already known", "nonce too low", Verdict.TAKEN),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
async def test_the_word_of_who_knows_more_counts(
    node: LyingNode,
    other: LyingNode,
    pair: RpcChain,
    first: str,
    second: str,
    verdict: Verdict,
    order: int,
) -> None:
    for which, words in zip((node, other), (first, second)[::order], strict=True):
        which.refuse(SEND, -32000, words)
    assert (await pair.transactor().send(SIGNED)).verdict is verdict


async def test_an_endpoint_on_another_chain_is_handed_nothing(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    node.chain_id = 1
    takes(node)
    takes(other)
    assert await pair.transactor().send(SIGNED) == Sent(Verdict.TAKEN)
    assert asked(node, SEND) == 0


READ_ONLY: dict[str, Callable[[LyingNode], None]] = {
    "no method": lambda node: node.refuse(SEND, -32601, "the method does not exist"),
    "a list": lambda node: node.refuse(SEND, -32000, "eth_sendRawTransaction is not whitelisted"),
    "a status": lambda node: node.lie_about(
        SEND, lambda _: web.Response(status=403, text="method not allowed")
    ),
}


@pytest.mark.parametrize("refuses", READ_ONLY.values(), ids=READ_ONLY)
async def test_an_endpoint_for_reading_only_is_not_blamed_and_not_handed_the_next_one(
    node: LyingNode, other: LyingNode, pair: RpcChain, refuses: Callable[[LyingNode], None]
) -> None:
    refuses(node)
    takes(other)
    for _ in range(2):
        await taken(pair.transactor(), SIGNED)
    assert asked(node, SEND) == 1
    reader, _ = pair.endpoints()
    assert reader.ok
    assert reader.why == "it does not answer for eth_sendRawTransaction"
    refuses(other)
    with pytest.raises(ChainOutage, match="endpoint 2 of 2: it takes no transactions"):
        await pair.transactor().send(SIGNED)


async def test_an_endpoint_that_sits_out_is_left_alone_unless_all_do(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    node.lie_about(SEND, lambda _: web.Response(status=503))
    takes(other)
    for _ in range(2):
        await taken(pair.transactor(), SIGNED)
    assert asked(node, SEND) == asked(other, SEND) == 2  # a 503 is tried again at once
    other.lie_about(SEND, lambda _: web.Response(status=503))
    with pytest.raises(ChainOutage):
        await pair.transactor().send(SIGNED)
    assert asked(node, SEND) == 4
    node.tell_the_truth()
    takes(node)
    await taken(pair.transactor(), SIGNED)


async def test_those_that_sit_out_are_asked_where_nobody_else_is_left(
    node: LyingNode, chain: RpcChain
) -> None:
    node.lie_about(ESTIMATE, lambda _: web.Response(status=503))
    with pytest.raises(ChainOutage):
        await chain.transactor().gas_for(an_outgoing())
    node.tell_the_truth()
    node.alter(BALANCE, says(hex(ETHER)))
    node.alter(ESTIMATE, says("0x5208"))
    assert await chain.transactor().gas_for(an_outgoing()) == 23_100


# What an endpoint may say


LIES = {
    "null": lambda replies: [{**r, "result": None} for r in replies],
    "another hash": lambda replies: [{**r, "result": "0x" + "ee" * 32} for r in replies],
    "no hash": lambda replies: [{**r, "result": "ok"} for r in replies],
    "a number": lambda replies: [{**r, "result": 7} for r in replies],
    "no reply": lambda _: [],
    "HTML": lambda _: web.Response(text="<html>busy</html>", content_type="text/html"),
    "half a body": lambda _: "hang up",
    "nothing in time": lambda _: "hang",
    "503": lambda _: web.Response(status=503),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_is_no_answer_is_no_success(
    node: LyingNode, lie: Callable[[list[Json]], Json]
) -> None:
    chain = client_of(node, timeout_seconds=HANG_SECONDS)
    takes(node)
    node.lie_about(SEND, lie)
    with pytest.raises(ChainOutage) as outage:
        await chain.transactor().send(SIGNED)
    assert "the transaction may be out all the same" in str(outage.value)
    assert PATH not in str(outage.value)
    assert "127.0.0.1" not in str(outage.value)
    await chain.close()


@pytest.mark.parametrize("status", [400, 500])
async def test_a_no_in_an_http_status_is_the_nodes_no(
    node: LyingNode, chain: RpcChain, status: int
) -> None:
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "nonce too low"}}
    node.lie_about(SEND, lambda _: web.json_response(error, status=status))
    assert await chain.transactor().send(SIGNED) == Sent(Verdict.NONCE_SPENT, "nonce too low")
    assert asked(node, SEND) == 1


async def test_a_limit_of_the_endpoint_says_nothing_of_the_transaction(
    node: LyingNode, chain: RpcChain
) -> None:
    node.refuse(SEND, -32005, "limit exceeded")
    with pytest.raises(ChainOutage):
        await chain.transactor().send(SIGNED)


async def test_an_endpoint_cannot_show_its_key_in_what_it_says(
    node: LyingNode, chain: RpcChain
) -> None:
    node.refuse(SEND, -32000, f"rejected by {node.url}")
    assert await chain.transactor().send(SIGNED) == Sent(Verdict.REFUSED, "rejected by ***")


# What is read


@pytest.mark.parametrize("lie", [None, "0x", "five", "-0x1", "0x" + "f" * 65])
async def test_a_nonce_or_a_balance_that_is_no_number_is_none(
    node: LyingNode, chain: RpcChain, lie: object
) -> None:
    node.alter(COUNT, says(lie))
    node.alter(BALANCE, says(lie))
    with pytest.raises((ChainOutage, InconsistentChain)):
        await chain.transactor().next_nonce(SENDER)
    with pytest.raises((ChainOutage, InconsistentChain)):
        await chain.transactor().balance(SENDER, NATIVE)


async def test_the_next_endpoint_is_asked_for_a_nonce(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    node.alter(COUNT, says(None))
    other.alter(COUNT, says("0x7"))
    assert await pair.transactor().next_nonce(RawAddress(SENDER)) == 7
