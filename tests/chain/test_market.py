"""What gas costs, from histories, blocks and proposals as nodes give them."""

from typing import Any

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.chain.rpc import RpcChain
from ctrip.core.fees import Market
from tests.chain.asking import a_chain, client_of
from tests.chain.lying_node import Json, LyingNode, says
from tests.support.clock import FakeClock

HISTORY = "eth_feeHistory"
BLOCK = "eth_getBlockByNumber"
TIP = "eth_maxPriorityFeePerGas"
GAS_PRICE = "eth_gasPrice"
ABSENT = object()


def a_history(
    tips: list[tuple[int, int]], *, base_fees: list[int] | None = None, ratios: Any = None
) -> Json:
    """Return what tipped least and what half of the gas tipped, of blocks that are half full."""
    return {
        "oldestBlock": "0x1",
        "baseFeePerGas": [hex(fee) for fee in base_fees or [90] * len(tips) + [100]],
        "gasUsedRatio": ratios or [0.5] * len(tips),
        "reward": [[hex(tip) for tip in pair] for pair in tips],
    }


def shows(
    node: LyingNode,
    *,
    history: Json = ABSENT,
    base_fee: int | None = 90,
    tip: Json = ABSENT,
    gas_price: Json = ABSENT,
) -> None:
    """Let a node show these; what is absent it does not know as a method."""
    for method, result in ((HISTORY, history), (TIP, tip), (GAS_PRICE, gas_price)):
        if result is ABSENT:
            node.refuse(method, -32601, f"the method {method} does not exist/is not available")
        else:
            node.alter(method, says(hex(result) if isinstance(result, int) else result))
    fields = {} if base_fee is None else {"baseFeePerGas": hex(base_fee)}
    node.alter(BLOCK, lambda _, reply: {**reply, "result": {**reply["result"], **fields}})


async def market_of(chain: RpcChain) -> Market:
    return await chain.transactor().market()


async def test_the_base_fee_is_that_of_the_next_block(node: LyingNode, chain: RpcChain) -> None:
    shows(node, history=a_history([(3, 5)]), tip=3, gas_price=103)
    assert await market_of(chain) == Market(base_fee=100, tip=3, gas_price=103)


@pytest.mark.parametrize(
    ("tips", "proposed", "tip"),
    [
        ([(3, 9), (1, 9), (2, 9)], 1, 2),  # in the middle of what tipped least
        ([(3, 9)], 5, 5),  # a node that insists on more, which others paid
        ([(3, 9)], 1500, 9),  # a node that proposes what a hurry would cost
        ([(30, 30)], 2, 30),  # a floor that a node does not name, which everybody paid
        ([(0, 0)], 7, 0),
        ([(0, 0)], ABSENT, 0),
    ],
)
async def test_the_tip_is_what_blocks_were_content_with(
    node: LyingNode, chain: RpcChain, tips: list[tuple[int, int]], proposed: Json, tip: int
) -> None:
    shows(node, history=a_history(tips), tip=proposed, gas_price=103)
    assert (await market_of(chain)).tip == tip


async def test_what_gas_usually_costs_is_in_the_middle_of_an_hour(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node, history=a_history([(0, 0)] * 4, base_fees=[90, 10, 70, 50, 30]))
    assert await chain.transactor().usual_base_fee() == 50


@pytest.mark.parametrize("history", [ABSENT, {"oldestBlock": "0x1"}])
async def test_where_there_is_no_history_nothing_is_usual(
    node: LyingNode, chain: RpcChain, history: Json
) -> None:
    shows(node, history=history)
    assert await chain.transactor().usual_base_fee() is None


async def test_an_endpoint_that_tells_of_fewer_blocks_is_not_blamed(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node)
    node.refuse(HISTORY, -32000, "block count is too large")
    assert await chain.transactor().usual_base_fee() is None
    [endpoint] = chain.endpoints()
    assert (endpoint.ok, endpoint.why) == (True, "")


async def test_empty_blocks_say_nothing_of_tips(node: LyingNode, chain: RpcChain) -> None:
    history = a_history([(0, 0), (4, 4), (0, 0)], ratios=[0, 0.1, 0.0])
    shows(node, history=history, tip=4, gas_price=103)
    assert (await market_of(chain)).tip == 4


@pytest.mark.parametrize("reward", [None, [], [["0x0", "0x0"]]], ids=["null", "none", "empty"])
async def test_without_any_tips_the_node_is_believed(
    node: LyingNode, chain: RpcChain, reward: Json
) -> None:
    history = {**a_history([(0, 0)], ratios=[0.0]), "reward": reward}
    shows(node, history=history, tip=25, gas_price=125)
    assert (await market_of(chain)).tip == 25


async def test_a_chain_without_base_fees_has_a_gas_price(node: LyingNode, chain: RpcChain) -> None:
    history = a_history([(5, 5)], base_fees=[0, 0])  # as geth says before London
    shows(node, history=history, base_fee=None, gas_price=5)
    assert await market_of(chain) == Market(base_fee=None, tip=5, gas_price=5)


async def test_a_base_fee_of_nothing_stays_one(node: LyingNode, chain: RpcChain) -> None:
    shows(node, history=a_history([(5, 5)], base_fees=[0, 0]), base_fee=0, tip=5, gas_price=5)
    assert await market_of(chain) == Market(base_fee=0, tip=5, gas_price=5)


async def test_without_a_history_the_newest_block_has_the_base_fee(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node, tip=2, gas_price=93)
    assert await market_of(chain) == Market(base_fee=90, tip=2, gas_price=93)


async def test_without_a_proposal_the_gas_price_has_the_tip(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node, gas_price=93)
    assert await market_of(chain) == Market(base_fee=90, tip=3, gas_price=93)


async def test_a_gas_price_that_is_not_named_is_what_is_known(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node, tip=2)
    assert await market_of(chain) == Market(base_fee=90, tip=2, gas_price=92)


LIES: dict[str, dict[str, Json]] = {
    "nothing at all": {"base_fee": None},
    "a history that is text": {"history": "0x5", "gas_price": 5},
    "a price that is a block": {"gas_price": a_history([(1, 1)])},
    "a price that is no number": {"gas_price": "cheap"},
    "a reward too few": {
        "history": {**a_history([(1, 1)]), "reward": [["0x1"]]},
        "gas_price": 5,
    },
    "a base fee that is no number": {
        "history": {**a_history([(1, 1)]), "baseFeePerGas": ["0x5", "low"]},
        "gas_price": 5,
    },
    "a history that is a block": {
        "history": {**a_history([(1, 1)]), "baseFeePerGas": "0x5"},
        "gas_price": 5,
    },
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_prices_that_cannot_be_read_are_asked_of_another(
    node: LyingNode, other: LyingNode, pair: RpcChain, lie: dict[str, Json]
) -> None:
    shows(node, **lie)
    shows(other, tip=2, gas_price=93)
    assert await market_of(pair) == Market(base_fee=90, tip=2, gas_price=93)


async def test_a_fault_of_one_price_is_no_chain_without_it(
    node: LyingNode, chain: RpcChain
) -> None:
    shows(node, tip=2, gas_price=93)
    node.refuse(HISTORY, -32603, "internal error")
    with pytest.raises(ChainOutage):
        await market_of(chain)


async def test_prices_are_asked_for_once_a_block(node: LyingNode, clock: FakeClock) -> None:
    chain = client_of(node, clock=clock, chain=a_chain(block_seconds=2))
    shows(node, tip=2, gas_price=93)
    await market_of(chain)
    shows(node, tip=4, gas_price=95)
    clock.move(seconds=1.9)
    assert (await market_of(chain)).tip == 2
    clock.move(seconds=0.1)
    assert (await market_of(chain)).tip == 4
    await chain.close()
