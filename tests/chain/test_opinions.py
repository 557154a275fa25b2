"""A second endpoint's word on a transfer."""

import pytest

from ctrip.chain.rpc import RpcChain
from ctrip.core.ids import NATIVE, Amount, Asset, RawAddress, TxHash
from ctrip.core.payment import Source, Transfer, TransferKey
from tests.chain.asking import numbers, read
from tests.chain.lies import down
from tests.chain.lying_node import (
    PAYER,
    RECEIPTS,
    SHOP,
    TOKEN,
    Change,
    LyingNode,
    a_log,
    block_hash,
    says,
    word,
)
from tests.support.builders import CHAIN, IN_TIME


def a_transfer(source: Source = Source.LOG, **changes: object) -> Transfer:
    asset = Asset(TOKEN) if source is Source.LOG else NATIVE
    amount = 7 if source is Source.LOG else 4
    fields = {"amount": Amount(amount), "block_hash": block_hash(4), **changes}
    return Transfer(
        key=TransferKey(CHAIN, TxHash(word(0x7004)), asset, RawAddress(SHOP), 0),
        sender=RawAddress(PAYER),
        block_number=numbers(4)[0],
        block_time=IN_TIME,
        source=source,
        **fields,  # type: ignore[arg-type]
    )


def refuses(code: int, message: str) -> Change:
    """Let each call of a method be refused."""
    return lambda _, reply: {"id": reply["id"], "error": {"code": code, "message": message}}


@pytest.mark.parametrize("source", Source)
async def test_a_second_opinion_is_another_endpoints(pair: RpcChain, source: Source) -> None:
    opinion = await pair.opinion(a_transfer(source))
    assert opinion.agrees, opinion.why
    assert (opinion.first, opinion.second) == (
        "testnet, endpoint 1 of 2",
        "testnet, endpoint 2 of 2",
    )


@pytest.mark.parametrize("source", Source)
async def test_a_second_opinion_on_an_invented_block_differs(
    pair: RpcChain, source: Source
) -> None:
    opinion = await pair.opinion(a_transfer(source, block_hash=word(0xBAD)))
    assert not opinion.agrees
    assert opinion.why == "it shows another block 4, or none"


@pytest.mark.parametrize(
    ("source", "changes", "why"),
    [
        (Source.LOG, {"amount": Amount(8)}, "it shows no such transfer"),
        (Source.TRANSACTION, {"amount": Amount(5)}, "it shows another amount"),
    ],
)
async def test_a_second_opinion_on_another_amount_differs(
    pair: RpcChain, source: Source, changes: dict[str, object], why: str
) -> None:
    opinion = await pair.opinion(a_transfer(source, **changes))
    assert (opinion.agrees, opinion.why) == (False, why)


async def test_a_second_opinion_on_a_failed_transaction_differs(
    pair: RpcChain, other: LyingNode
) -> None:
    other.alter(RECEIPTS, lambda _, r: {**r, "result": {**r["result"], "status": "0x0"}})
    opinion = await pair.opinion(a_transfer(Source.TRANSACTION))
    assert (opinion.agrees, opinion.why) == (False, "it shows that the transaction failed")


@pytest.mark.parametrize("source", [Source.TRACE, Source.BALANCE])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says("0x00" + word(4)[2:]), ""),
        (says("0x00" + word(3)[2:]), "it shows that the address holds 3 of 4"),
        (refuses(-32000, "missing trie node 0 (path ) state is not available"), ""),
        (refuses(-32000, "header not found"), ""),
        (refuses(-32005, "rate limit"), "no second endpoint answers"),
    ],
    ids=["as much", "less", "pruned", "pruned, in other words", "busy"],
)
async def test_who_has_the_state_of_a_block_tells_whether_its_money_came(
    pair: RpcChain, other: LyingNode, source: Source, answer: Change, why: str
) -> None:
    other.alter("eth_call", answer)
    opinion = await pair.opinion(a_transfer(source))
    assert opinion.agrees is not bool(why)
    assert opinion.why.startswith(why)


async def test_who_invented_a_transfer_never_vouches_for_it(
    pair: RpcChain, node: LyingNode, other: LyingNode
) -> None:
    """The chain is read from the liar, and then from the other one again."""
    other.logs[block_hash(4)] = [a_log(4, amount=10**9)]
    invented = a_transfer(amount=Amount(10**9))
    for reader, away in ((other, node), (node, other)):
        down(away)
        await read(pair)
        away.tell_the_truth()
        opinion = await pair.opinion(invented)
        assert (opinion.agrees, opinion.why) == (False, "it shows no such transfer"), reader.url
        assert "endpoint 2 of 2" in opinion.first
        assert "endpoint 1 of 2" in opinion.second


async def test_one_of_three_that_shows_no_such_transfer_is_outvoted_and_named(
    three: RpcChain, other: LyingNode
) -> None:
    other.alter(RECEIPTS, lambda _, r: {**r, "result": {**r["result"], "status": "0x0"}})
    opinion = await three.opinion(a_transfer())
    assert (opinion.agrees, opinion.outvoted) == (True, "testnet, endpoint 2 of 3")
    assert (opinion.first, opinion.second) == (
        "testnet, endpoint 1 of 3",
        "testnet, endpoint 3 of 3",
    )


async def test_a_transfer_that_nobody_shows_any_more_is_not_vouched_for(pair: RpcChain) -> None:
    opinion = await pair.opinion(a_transfer(amount=Amount(8)))
    assert (opinion.agrees, opinion.first) == (False, "")
    both = "testnet, endpoint 1 of 2 and testnet, endpoint 2 of 2"
    assert opinion.doubt == f"its money is not shown by {both}: it shows no such transfer"


async def test_one_endpoint_has_no_second_opinion(chain: RpcChain) -> None:
    opinion = await chain.opinion(a_transfer())
    assert (opinion.agrees, opinion.second) == (False, "")


async def test_no_second_opinion_when_the_second_is_down(pair: RpcChain, other: LyingNode) -> None:
    down(other)
    opinion = await pair.opinion(a_transfer())
    assert (opinion.agrees, opinion.second) == (False, "")
    assert opinion.doubt.startswith("testnet, endpoint 1 of 2 shows its money, a second endpoint")
    assert "endpoint 2 of 2" in opinion.why
