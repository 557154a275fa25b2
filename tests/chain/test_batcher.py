"""The contract that sweeps in batches, where a node carries it out."""

import hashlib
from collections.abc import AsyncIterator
from typing import Final

import pytest
from eth_utils.crypto import keccak

from ctrip.chain.batcher import ARTIFACT, artifact
from ctrip.chain.estimates import tried
from ctrip.core.abi import erc20_transfer
from ctrip.core.batch import KEPT, SWEEP, Order, batch_sweep, delegate_in
from ctrip.core.ids import Amount, Asset, RawAddress
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.batching import GAS_EACH, TREASURY, Deposit, a_batch, kept
from tests.support.token_contracts import deploy

FAILED: Final = "0x0"
MINED: Final = "0x1"
EXACTLY: Final = 21_000  # gas, as exchanges like to offer
STRANGER: Final = RawAddress("0x" + "5a" * 20)


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        yield anvil


async def coin(anvil: Anvil, owner: RawAddress) -> int:
    return int(await anvil.rpc("eth_getBalance", owner, "latest"), 16)


async def code(anvil: Anvil, owner: RawAddress) -> str:
    return str(await anvil.rpc("eth_getCode", owner, "latest"))


def test_it_was_compiled_from_the_source_beside_it() -> None:
    source = ARTIFACT.with_suffix(".sol").read_bytes()
    assert artifact().source_sha256 == hashlib.sha256(source).hexdigest()
    for signature, start in artifact().selectors.items():
        assert keccak(text=signature)[:4].hex() == start
    assert artifact().selectors["sweep(uint256,uint256[])"] == SWEEP
    assert "0x" + keccak(text="Kept(address,address)").hex() == KEPT


async def test_it_is_where_it_was_computed_to_be_with_its_treasury_and_its_gas_wallet(
    anvil: Anvil,
) -> None:
    batch = await a_batch(anvil)
    for name, expected in {"treasury": TREASURY, "operator": batch.signer.gas_address}.items():
        asked = {"to": batch.address, "data": "0x" + artifact().selectors[f"{name}()"]}
        assert (await anvil.rpc("eth_call", asked, "latest"))[-40:] == expected[2:]


async def test_tokens_of_many_addresses_go_in_one_transaction_of_the_gas_wallet(
    anvil: Anvil,
) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    deposits = await batch.holding(token, 12, amount=70)
    receipt = await batch.sweep(token.address, deposits)
    assert receipt["status"] == MINED
    assert kept(receipt) == []
    assert await token.ask("balanceOf(address)", TREASURY) == 12 * 70
    assert await token.ask("balanceOf(address)", deposits[-1].address) == 0
    assert await coin(anvil, deposits[-1].address) == 0, "nobody was topped up"
    assert delegate_in(await code(anvil, deposits[0].address)) == batch.address


async def test_an_address_that_was_swept_before_needs_no_authorization(anvil: Anvil) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    deposits = await batch.holding(token, 3, amount=70)
    first = await batch.sweep(token.address, deposits)
    for one in deposits:
        await token.send("mint(address,uint256)", one.address, 70)
    await anvil.mine()
    again = await batch.sweep(token.address, deposits, authorized=())
    assert await token.ask("balanceOf(address)", TREASURY) == 2 * 3 * 70
    assert int(again["gasUsed"], 16) < int(first["gasUsed"], 16) - 3 * 20_000


async def test_one_that_its_token_blacklists_is_kept_and_the_others_go(anvil: Anvil) -> None:
    batch, tether = await a_batch(anvil), await deploy(anvil, "TetherToken")
    deposits = await batch.holding(tether, 3, amount=70)
    await tether.send("addBlackList(address)", deposits[1].address)
    await anvil.mine()
    receipt = await batch.sweep(tether.address, deposits)
    assert receipt["status"] == MINED
    assert kept(receipt) == [deposits[1].address]
    assert await tether.ask("balanceOf(address)", TREASURY) == 2 * 70
    assert await tether.ask("balanceOf(address)", deposits[1].address) == 70


async def test_a_token_that_says_false_moved_nothing_and_is_believed(anvil: Anvil) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "FalseToken")
    [poor, rich] = await batch.holding(token, 2, amount=70)
    poor = Deposit(poor.index, poor.address, Amount(71))
    assert kept(await batch.sweep(token.address, [poor, rich])) == [poor.address]
    assert await token.ask("balanceOf(address)", TREASURY) == 70


async def test_a_token_that_burns_all_gas_burns_what_it_was_given_and_the_others_go(
    anvil: Anvil,
) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "BurningGasToken")
    [poor, *others] = await batch.holding(token, 3, amount=70)
    poor = Deposit(poor.index, poor.address, Amount(71))
    receipt = await batch.sweep(token.address, [poor, *others])
    assert kept(receipt) == [poor.address]
    assert int(receipt["gasUsed"], 16) < GAS_EACH + 3 * 60_000
    assert await token.ask("balanceOf(address)", TREASURY) == 2 * 70


async def test_a_token_that_gives_orders_while_it_is_called_is_refused(anvil: Anvil) -> None:
    batch, other = await a_batch(anvil), await deploy(anvil, "PlainToken")
    meddling = await deploy(anvil, "MeddlingToken")
    await meddling.send("aim(address,address)", batch.address, other.address)
    deposits = await batch.holding(meddling, 2, amount=70)
    for one in deposits:
        await other.send("mint(address,uint256)", one.address, 70)
    await anvil.mine()
    receipt = await batch.sweep(meddling.address, deposits, gas_each=300_000)
    assert kept(receipt) == []
    assert await meddling.ask("refused()") == 2 * len(deposits)
    assert await other.ask("balanceOf(address)", TREASURY) == 0
    assert await meddling.ask("balanceOf(address)", TREASURY) == 2 * 70


async def test_too_little_gas_fails_all_and_blames_nobody(anvil: Anvil) -> None:
    """A search for the least gas that does not fail must not find one that moves less."""
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    deposits = await batch.holding(token, 3, amount=70)
    promised = 1_000_000
    orders = [Order(one.address, one.amount) for one in deposits]
    data = batch_sweep(Asset(token.address), promised, orders)
    outgoing = await batch.outgoing(batch.address, data, authorized=batch.authorized(deposits))
    least = int(await anvil.rpc("eth_estimateGas", tried(outgoing), "latest"), 16)
    assert least > promised, "what the last move was promised is there, needed or not"
    receipt = await batch.sweep(token.address, deposits, gas_each=promised, gas=least - 2_000)
    assert receipt["status"] == FAILED
    assert await token.ask("balanceOf(address)", TREASURY) == 0
    again = await batch.sweep(token.address, deposits, authorized=(), gas_each=promised, gas=least)
    assert again["status"] == MINED
    assert await token.ask("balanceOf(address)", TREASURY) == 3 * 70


async def test_a_token_without_code_is_no_token(anvil: Anvil) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    deposits = await batch.holding(token, 1, amount=70)
    assert (await batch.sweep(STRANGER, deposits))["status"] == FAILED


async def test_only_the_gas_wallet_orders_and_only_where_the_contract_is(anvil: Anvil) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    [swept, other] = await batch.holding(token, 2, amount=70)
    await batch.sweep(token.address, [swept])
    await token.send("mint(address,uint256)", swept.address, 70)
    await anvil.mine()
    orders = [Order(one.address, one.amount) for one in (swept, other)]
    order = batch_sweep(Asset(token.address), GAS_EACH, orders)
    move = "0x" + artifact().selectors["move(address,uint256)"]
    move += erc20_transfer(RawAddress(token.address), Amount(70))[10:]
    assert (await batch.call_as(FUNDER, batch.address, order))["status"] == FAILED
    assert (await batch.call(swept.address, order))["status"] == FAILED
    assert (await batch.call(swept.address, move))["status"] == FAILED
    assert (await batch.call_as(STRANGER, swept.address, move))["status"] == FAILED
    assert (await batch.call_as(swept.address, swept.address, move))["status"] == FAILED
    assert await token.ask("balanceOf(address)", TREASURY) == 70


async def test_an_authorization_that_a_stranger_hands_in_first_changes_nothing(
    anvil: Anvil,
) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    deposits = await batch.holding(token, 2, amount=70)
    lent = batch.authorized(deposits)
    await batch.call(STRANGER, "0x", authorized=lent[:1])  # whose transaction does not matter
    assert delegate_in(await code(anvil, deposits[0].address)) == batch.address
    assert kept(await batch.sweep(token.address, deposits, authorized=lent)) == []
    assert await token.ask("balanceOf(address)", TREASURY) == 2 * 70


async def test_an_authorization_that_has_lapsed_keeps_its_address_and_no_other(
    anvil: Anvil,
) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    [late, other] = await batch.holding(token, 2, amount=70)
    lent = (*batch.authorized([late], nonce=1), *batch.authorized([other]))
    assert kept(await batch.sweep(token.address, [late, other], authorized=lent)) == [late.address]
    assert await token.ask("balanceOf(address)", TREASURY) == 70


async def test_a_swept_address_takes_coin_from_all_but_those_who_offer_exactly_21000_gas(
    anvil: Anvil,
) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    [deposit] = await batch.holding(token, 1, amount=70)
    await batch.sweep(token.address, [deposit])
    sent = {"to": deposit.address, "data": "0x"}
    least = int(await anvil.rpc("eth_estimateGas", {"from": FUNDER, **sent}), 16)
    assert EXACTLY < least < EXACTLY + 100
    receipt = await batch.call(deposit.address, "0x", value=5, gas=EXACTLY)
    assert receipt["status"] == FAILED
    assert (await batch.call(deposit.address, "0x", value=5, gas=EXACTLY + 200))["status"] == MINED
    assert await coin(anvil, deposit.address) == 5


async def test_the_contract_itself_takes_no_coin(anvil: Anvil) -> None:
    batch = await a_batch(anvil)
    assert (await batch.call(batch.address, "0x", value=5))["status"] == FAILED


async def test_tokens_on_the_contract_itself_can_be_ordered_to_the_treasury(anvil: Anvil) -> None:
    batch, token = await a_batch(anvil), await deploy(anvil, "PlainToken")
    await token.send("mint(address,uint256)", batch.address, 70)
    await anvil.mine()
    mistaken = Deposit(0, batch.address, Amount(70))
    assert kept(await batch.sweep(token.address, [mistaken], authorized=())) == []
    assert await token.ask("balanceOf(address)", TREASURY) == 70
