"""Whether a second endpoint shows what one said became of a transaction."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ctrip.chain.rpc import RpcChain
from ctrip.core.batch import SWEPT
from ctrip.core.blocks import Opinion
from ctrip.core.outgoing import Outcome
from tests.chain.lying_node import HEIGHT, LyingNode, word
from tests.chain.test_outcomes import RECEIPT, changed, mined, outcome

BLOCK = "eth_getBlockByNumber"


async def said_by(pair: RpcChain, node: LyingNode, other: LyingNode) -> Outcome:
    """Return what the first endpoint says, and forget what was asked until then."""
    mined(node)
    mined(other)
    said = await outcome(pair)
    node.calls.clear()
    other.calls.clear()
    return said


async def look(pair: RpcChain, said: Outcome) -> Opinion:
    [opinion] = await pair.transactor().second_look([said])
    return opinion


async def test_two_that_show_the_same_agree(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    said = await said_by(pair, node, other)
    opinion = await look(pair, said)
    assert (opinion.agrees, opinion.why) == (True, "")
    assert opinion.first != opinion.second
    for one in (node, other):
        assert sorted(call["method"] for call in one.calls if call["method"] != "eth_chainId") == [
            BLOCK,
            RECEIPT,
        ]


LOG = {"address": "0x" + "cc" * 20, "topics": [SWEPT, word(1)]}
DENIALS: dict[str, tuple[Callable[[LyingNode], None], str]] = {
    "another block": (
        lambda node: changed(node, BLOCK, {"hash": word(0xDEAD)}),
        "it has another block",
    ),
    "no receipt": (
        lambda node: node.alter(RECEIPT, lambda _, reply: {**reply, "result": None}),
        "it shows no receipt of the transaction",
    ),
    "a receipt of another block": (
        lambda node: mined(node, blockHash=word(0xDEAD)),
        "it shows the transaction in another block",
    ),
    "a failure": (lambda node: mined(node, status="0x0"), "the transaction failed"),
    "another log": (lambda node: mined(node, logs=[LOG]), "it shows other logs"),
}


@pytest.mark.parametrize(("denies", "why"), DENIALS.values(), ids=DENIALS)
async def test_one_that_shows_something_else_is_named(
    node: LyingNode,
    other: LyingNode,
    pair: RpcChain,
    denies: Callable[[LyingNode], None],
    why: str,
) -> None:
    said = await said_by(pair, node, other)
    denies(other)
    opinion = await look(pair, said)
    assert not opinion.agrees
    assert opinion.first.endswith("endpoint 1 of 2")
    assert opinion.second.endswith("endpoint 2 of 2")
    assert why in opinion.why


async def test_one_of_three_that_denies_is_outvoted_and_named(
    node: LyingNode, other: LyingNode, third: LyingNode, three: RpcChain
) -> None:
    mined(third)
    said = await said_by(three, node, other)
    mined(other, status="0x0")
    opinion = await look(three, said)
    assert opinion.agrees
    assert [one[-6:] for one in (opinion.first, opinion.second, opinion.outvoted)] == [
        "1 of 3",
        "3 of 3",
        "2 of 3",
    ]
    assert opinion.why == "it shows that the transaction failed"


async def test_one_of_three_that_alone_shows_it_is_not_believed(
    node: LyingNode, other: LyingNode, third: LyingNode, three: RpcChain
) -> None:
    said = await said_by(three, node, other)
    for one in (other, third):
        mined(one, status="0x0")
    opinion = await look(three, said)
    assert (opinion.agrees, opinion.outvoted) == (False, "")
    assert opinion.second.endswith("endpoint 2 of 3 and testnet, endpoint 3 of 3")


async def test_a_third_that_does_not_answer_decides_nothing(
    node: LyingNode, other: LyingNode, third: LyingNode, three: RpcChain
) -> None:
    mined(third)
    said = await said_by(three, node, other)
    mined(other, status="0x0")
    third.lie_about(RECEIPT, lambda _: "hang up")
    opinion = await look(three, said)
    assert (opinion.agrees, opinion.second[-6:]) == (False, "2 of 3")


async def test_a_third_is_not_asked_where_two_agree(
    node: LyingNode, other: LyingNode, third: LyingNode, three: RpcChain
) -> None:
    said = await said_by(three, node, other)
    third.calls.clear()
    assert (await look(three, said)).agrees
    assert third.calls == []


async def test_of_several_a_third_is_asked_about_those_alone_that_one_denies(
    node: LyingNode, other: LyingNode, third: LyingNode, three: RpcChain
) -> None:
    mined(third)
    said = await said_by(three, node, other)
    assert said.mined is not None
    strange = replace(said, mined=replace(said.mined, succeeded=False))
    third.calls.clear()
    opinions = await three.transactor().second_look([said, strange])
    assert [opinion.agrees for opinion in opinions] == [True, False]
    assert [call["method"] for call in third.calls].count(RECEIPT) == 1


async def test_what_was_taken_as_a_fee_is_no_disagreement(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    said = await said_by(pair, node, other)
    mined(other, l1Fee="0x64")
    assert (await look(pair, said)).agrees


SILENT: dict[str, Callable[[LyingNode], None]] = {
    "it lags": lambda node: node.alter(BLOCK, lambda _, reply: {**reply, "result": None}),
    "it is down": lambda node: node.lie_about(RECEIPT, lambda _: "hang up"),
}


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT)
async def test_one_that_cannot_say_denies_nothing(
    node: LyingNode, other: LyingNode, pair: RpcChain, silent: Callable[[LyingNode], None]
) -> None:
    said = await said_by(pair, node, other)
    silent(other)
    opinion = await look(pair, said)
    assert (opinion.agrees, opinion.second) == (False, "")


async def test_one_that_sits_out_is_not_waited_for(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    said = await said_by(pair, node, other)
    other.lie_about(RECEIPT, lambda _: "hang up")
    await look(pair, said)
    node.calls.clear()
    assert (await look(pair, said)).second == ""
    assert node.calls == []


async def test_one_endpoint_alone_is_not_asked_twice(node: LyingNode, chain: RpcChain) -> None:
    mined(node)
    said = await outcome(chain)
    node.calls.clear()
    assert (await look(chain, said)).second == ""
    assert node.calls == []
    assert said.mined is not None
    assert said.mined.block_number <= HEIGHT
