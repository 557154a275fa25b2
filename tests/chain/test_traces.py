"""Traces of a real node in both dialects: what contracts moved, and what only looks like it.

The balance of the recipient is the judge. What anvil cannot show is in
test_traces_recorded.py.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import NamedTuple

import pytest

from ctrip.chain import traces
from ctrip.chain.wire import Call, Endpoint
from ctrip.core.blocks import NativeMove
from ctrip.core.ids import BlockHash, RawAddress, TxHash
from ctrip.settings import Secret
from tests.support.anvil import FUNDER, INVALID, Anvil, running_anvil
from tests.support.native_contracts import BENEFICIARY, FEE, Payers, deploy_payers

NUMBERS = count(1)


class Scene(NamedTuple):
    """A chain with contracts that pay."""

    chain: Anvil
    node: Endpoint
    payers: Payers


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    async with running_anvil() as chain:
        node = Endpoint("anvil", Secret(chain.url))
        yield Scene(chain, node, await deploy_payers(chain))
        await node.close()


class Way(NamedTuple):
    """A way to pay 100 to an address, and the contract the money comes from."""

    pay: Callable[[Payers, RawAddress], Awaitable[TxHash]]
    sender: str | None = None  # None: a contract that is gone, or a call in between


PAYING = {
    "a Safe-like wallet": Way(lambda payers, to: payers.wallet(to, 100), "WalletProxy"),
    "a wallet, with call data": Way(lambda payers, to: payers.wallet(to, 100, b"x"), "WalletProxy"),
    "a batch payout": Way(lambda payers, to: payers.batch([(FUNDER, 1), (to, 100)]), "Disperse"),
    "a selfdestruct": Way(lambda payers, to: payers.selfdestruct(to, 100)),
    "a selfdestruct made by CREATE2": Way(lambda payers, to: payers.created_selfdestruct(to, 100)),
    "the half that did not fail": Way(lambda payers, to: payers.half_failed_inner(to, 200)),
    "an ERC-4337 account": Way(lambda payers, to: payers.account(to, 100), "Account"),
    "twelve calls deep": Way(lambda payers, to: payers.deep(to, 100), "Deep"),
}
NOT_PAYING = {
    "an inner call that failed": Way(lambda payers, to: payers.failed_inner(to, 100)),
    "delegatecall and callcode": Way(lambda payers, to: payers.borrow(to, 100)),
}


@pytest.mark.parametrize("name", PAYING)
async def test_money_through_contracts_is_seen_once(scene: Scene, name: str) -> None:
    to, way = an_address(), PAYING[name]
    tx_hash = await way.pay(scene.payers, to)
    await scene.chain.mine()
    assert await balance(scene, to) == 100
    [move] = [move for move in await moves(scene) if move.recipient == to]
    assert (move.tx_hash, move.ordinal, move.amount) == (tx_hash, 1, 100)
    assert move.log_index is None
    if way.sender:
        assert move.sender == scene.payers.at[way.sender]


@pytest.mark.parametrize("name", NOT_PAYING)
async def test_what_moves_no_money_is_not_seen(scene: Scene, name: str) -> None:
    to = an_address()
    await NOT_PAYING[name].pay(scene.payers, to)
    await scene.chain.mine()
    assert await balance(scene, to) == 0
    assert not [move for move in await moves(scene) if move.recipient == to]


async def test_the_value_of_the_transaction_itself_is_not_among_the_moves(scene: Scene) -> None:
    await scene.chain.send(an_address(), 5)
    await scene.payers.found(6)
    await scene.chain.mine()
    assert [move.amount for move in await moves(scene)] == [6]


async def test_a_failed_transaction_moved_nothing(scene: Scene) -> None:
    paid, broken = an_address(), an_address()
    await scene.chain.rpc("anvil_setCode", broken, INVALID)
    await scene.payers.batch([(paid, 1), (broken, 2)])
    await scene.chain.mine()
    assert await balance(scene, paid) == 0
    assert await moves(scene) == []


async def test_a_new_contract_is_the_recipient_of_what_it_is_born_with(scene: Scene) -> None:
    await scene.payers.found(7)
    await scene.chain.mine()
    [move] = await moves(scene)
    assert await balance(scene, move.recipient) == move.amount == 7
    assert move.sender == scene.payers.at["Founder"]


async def test_moves_to_one_recipient_are_counted_from_one(scene: Scene) -> None:
    often, once = an_address(), an_address()
    await scene.payers.batch([(often, 1), (once, 2), (often, 3), (often, 0), (often, 4)])
    await scene.chain.mine()
    found = [(move.recipient, move.ordinal, move.amount) for move in await moves(scene)]
    assert found == [(often, 1, 1), (once, 1, 2), (often, 2, 3), (often, 3, 4)]


async def test_the_transactions_of_a_block_are_told_apart(scene: Scene) -> None:
    to = an_address()
    sent = [
        await scene.payers.wallet(to, 1),
        await scene.payers.failed_inner(to, 2),
        await scene.payers.deep(to, 3),
        await scene.chain.send(to, 4),
        await scene.payers.batch([(to, 5), (to, 6)]),
    ]
    await scene.chain.mine()
    found = {(move.tx_hash, move.ordinal): move.amount for move in await moves(scene)}
    assert found == {(sent[0], 1): 1, (sent[2], 1): 3, (sent[4], 1): 5, (sent[4], 2): 6}
    assert await balance(scene, to) == 4 + sum(found.values())


async def test_an_account_s_fee_goes_to_the_beneficiary(scene: Scene) -> None:
    await scene.payers.account(an_address(), 1)
    await scene.chain.mine()
    assert [m.amount for m in await moves(scene) if m.recipient == BENEFICIARY] == [FEE]


async def test_an_empty_block_moved_nothing(scene: Scene) -> None:
    await scene.chain.mine()
    assert await moves(scene) == []


async def moves(scene: Scene) -> list[NativeMove]:
    """Return what the newest block moved, which both dialects agree on."""
    block = await scene.chain.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003  JSON-RPC
    by_hash = Call("debug_traceBlockByHash", (block["hash"], {"tracer": "callTracer"}))
    [nested] = await scene.node.batch([by_hash], traces.CALL_TRACER)
    [listed] = await scene.node.batch([Call("trace_block", (block["number"],))], traces.TRACE_BLOCK)
    assert nested.result is not None
    assert listed.result is not None
    found = traces.from_call_tracer(nested.result)
    assert traces.from_trace_block(listed.result, BlockHash(block["hash"])) == found
    return found


async def balance(scene: Scene, owner: RawAddress) -> int:
    return int(await scene.chain.rpc("eth_getBalance", owner, "latest"), 16)


def an_address() -> RawAddress:
    return RawAddress(f"0x{0x7A << 152 | next(NUMBERS):040x}")
