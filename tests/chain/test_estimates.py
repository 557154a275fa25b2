"""How much gas is needed, or why a transaction would fail, in the words of nodes."""

import pytest

from ctrip.chain.client import ChainOutage
from ctrip.chain.rpc import RpcChain
from ctrip.core.outgoing import Reverts, TooPoor
from tests.chain.lying_node import LyingNode, says
from tests.chain.paying import ETHER, an_outgoing

ESTIMATE = "eth_estimateGas"
BALANCE = "eth_getBalance"


async def test_one_that_lags_does_not_make_a_transaction_fail(
    node: LyingNode, other: LyingNode, pair: RpcChain
) -> None:
    for which, balance in ((node, 0), (other, ETHER)):
        which.alter(BALANCE, says(hex(balance)))
        which.alter(ESTIMATE, says("0x5208"))
    assert await pair.transactor().gas_for(an_outgoing()) == 23_100
    node.alter(BALANCE, says(hex(ETHER)))
    node.refuse(ESTIMATE, 3, "execution reverted: too early")
    assert await pair.transactor().gas_for(an_outgoing()) == 23_100


async def test_what_all_say_is_believed(node: LyingNode, other: LyingNode, pair: RpcChain) -> None:
    for which in (node, other):
        which.alter(BALANCE, says(hex(ETHER)))
        which.refuse(ESTIMATE, 3, "execution reverted: paused")
    assert await pair.transactor().gas_for(an_outgoing()) == Reverts("paused")


POOR = "insufficient funds for gas * price + value: address 0xab have 3 want 5"


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (3, "execution reverted", Reverts("it gives no reason")),
        (3, "execution reverted: paused", Reverts("paused")),
        (3, "execution reverted: daily limit exceeded", Reverts("daily limit exceeded")),
        (3, "execution reverted: insufficient balance", Reverts("insufficient balance")),
        (-32000, "execution reverted: BLOCKED", Reverts("BLOCKED")),
        (-32015, "VM execution error.", Reverts("VM execution error.")),
        (-32000, "Execution reverted", Reverts("it gives no reason")),
        (
            -32000,
            "gas required exceeds allowance (30000000)",
            Reverts("gas required exceeds allowance (30000000)"),
        ),
        (-32000, "out of gas", Reverts("out of gas")),
        (-32000, "intrinsic gas too low", Reverts("intrinsic gas too low")),
        (-32000, "insufficient funds for transfer", TooPoor()),
        (-32000, POOR, TooPoor()),
        (-32004, "Upfront cost exceeds account balance", TooPoor()),
        (-32003, "Insufficient funds for gas * price + value", TooPoor()),
    ],
)
async def test_a_call_that_fails_is_told_from_a_sender_who_is_poor(
    node: LyingNode, chain: RpcChain, code: int, words: str, said: object
) -> None:
    node.alter(BALANCE, says(hex(ETHER)))
    node.refuse(ESTIMATE, code, words)
    assert await chain.transactor().gas_for(an_outgoing()) == said


@pytest.mark.parametrize(
    "data",
    [
        "0x08c379a0" + f"{32:064x}{6:064x}" + b"paused".hex().ljust(64, "0"),
        "Reverted 0x08c379a0" + f"{32:064x}{6:064x}" + b"paused".hex().ljust(64, "0"),
        {"data": "0x08c379a0" + f"{32:064x}{6:064x}" + b"paused".hex().ljust(64, "0")},
    ],
    ids=["geth", "nethermind", "in an object"],
)
async def test_the_contracts_own_reason_comes_before_the_nodes_words(
    node: LyingNode, chain: RpcChain, data: object
) -> None:
    error = {"code": 3, "message": "execution reverted: something", "data": data}
    node.alter(BALANCE, says(hex(ETHER)))
    node.alter(ESTIMATE, lambda _, reply: {"jsonrpc": "2.0", "id": reply["id"], "error": error})
    assert await chain.transactor().gas_for(an_outgoing()) == Reverts("paused")


@pytest.mark.parametrize("words", ["request timed out", "internal error"])
async def test_an_endpoint_that_fails_is_no_transaction_that_does(
    node: LyingNode, chain: RpcChain, words: str
) -> None:
    node.alter(BALANCE, says(hex(ETHER)))
    node.refuse(ESTIMATE, -32603, words)
    with pytest.raises(ChainOutage):
        await chain.transactor().gas_for(an_outgoing())
