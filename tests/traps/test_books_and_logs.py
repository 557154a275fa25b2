"""Tokens whose books and logs differ, whose calls fail in odd ways, or that keep a part.

A listed token is believed: what its log says arrived is credited, no more and no less.
"""

import secrets

import pytest

from ctrip.core.ids import RawAddress
from ctrip.core.payment import Status
from tests.support.token_contracts import deploy, first_contract_of
from tests.traps.world import WHOLE_WAY, World, address

MINT = "mint(address,uint256)"
TRANSFER = "transfer(address,uint256)"
BALANCE = "balanceOf(address)"
STRANGER = RawAddress("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")  # unlocked, owns no tokens


async def test_a_transfer_that_returns_false_and_succeeds(world: World) -> None:
    token = await world.deploy("FalseToken")
    payment = await world.create(token)
    tx_hash = await token.send(TRANSFER, payment.address, 100)  # the payer has none
    await world.mine()
    assert (await world.receipt(tx_hash))["status"] == "0x1"
    await world.shows_nothing(payment)


async def test_a_transfer_that_returns_nothing(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    await world.shows(payment, 100, *WHOLE_WAY)


async def test_a_transfer_that_reverts(world: World) -> None:
    payment = await world.create(world.usd)
    tx_hash = await world.usd.send(TRANSFER, payment.address, 100, sender=STRANGER)
    await world.mine()
    assert (await world.receipt(tx_hash))["status"] == "0x0"
    await world.shows_nothing(payment)


async def test_coin_in_a_transaction_that_fails(world: World) -> None:
    payment = await world.create(None)
    await world.node.send_failing(address(payment), 100)
    await world.watch()
    await world.shows_nothing(payment)


async def test_an_inner_call_that_is_taken_back_while_the_transaction_succeeds(
    world: World,
) -> None:
    payment = await world.create(world.usd)
    payer = await deploy(world.node, "Waverer")
    await world.usd.send(MINT, payer.address, 100)
    call = (world.usd.address, payment.address, 100)
    tx_hash = await payer.send("waver(address,address,uint256)", *call)
    await world.mine()
    assert (await world.receipt(tx_hash))["status"] == "0x1"
    await world.shows_nothing(payment)


async def test_an_inner_call_that_is_taken_back_and_made_again(world: World) -> None:
    payment = await world.create(world.usd)
    payer = await deploy(world.node, "Waverer")
    await world.usd.send(MINT, payer.address, 100)
    call = (world.usd.address, payment.address, 100)
    await payer.send("waverAndPay(address,address,uint256)", *call)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert len(now.transfers) == 1


async def test_a_paused_token_pays_once_it_runs_again(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    payment = await world.create(token)
    await token.send("pause()")
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)
    await token.send("unpause()")
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows(payment, 100, "detected")


async def test_a_payer_on_the_tokens_black_list(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    payment = await world.create(token)
    await token.send("addBlackList(address)", world.payer)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_money_that_its_issuer_destroys_after_it_came_was_paid(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await token.send("destroyBlackFunds(address)", payment.address)
    await world.mine(2)
    assert await token.ask(BALANCE, payment.address) == 0
    await world.shows(payment, 100, *WHOLE_WAY)


async def test_a_fee_that_goes_to_the_issuer_in_a_second_log(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    await token.send("setParams(uint256)", 20)  # 0.2 %
    payment = await world.create(token, 10_000)
    await token.send(TRANSFER, payment.address, 10_000)
    await world.mine()
    now = await world.shows(payment, 9_980, "underpaid", flags="underpaid")
    assert [t.amount for t in now.transfers] == [9_980]


async def test_a_payer_who_adds_the_fee_has_paid_exactly(world: World) -> None:
    token = await world.deploy_minted("TetherToken")
    await token.send("setParams(uint256)", 20)
    payment = await world.create(token, 9_980)
    await token.send(TRANSFER, payment.address, 10_000)
    await world.mine()
    await world.shows(payment, 9_980, "detected")


async def test_a_tax_whose_log_comes_before_the_payments(world: World) -> None:
    token = await world.deploy_minted("TaxToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 90, "underpaid", flags="underpaid")
    assert [(t.amount, t.key.ordinal, t.log_index) for t in now.transfers] == [(90, 0, 1)]


async def test_a_token_that_burns_a_part_of_what_moves(world: World) -> None:
    token = await world.deploy_minted("BurningToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows(payment, 90, "underpaid", flags="underpaid")


async def test_a_fee_that_the_log_keeps_quiet_about_is_the_risk_of_listing_it(
    world: World,
) -> None:
    token = await world.deploy_minted("GrossToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    assert await token.ask(BALANCE, payment.address) == 90
    await world.shows(payment, 100, "detected")


async def test_a_log_without_a_balance_is_the_risk_of_listing_its_token(world: World) -> None:
    token = await world.deploy("PhantomToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    assert await token.ask(BALANCE, payment.address) == 0
    await world.shows(payment, 100, "detected")


async def test_a_balance_that_grows_without_a_log(world: World) -> None:
    token = await world.deploy("RebasingToken")
    payment = await world.create(token)
    await token.send("rebase(address,uint256)", payment.address, 100)
    await world.mine()
    assert await token.ask(BALANCE, payment.address) == 100
    await world.shows_nothing(payment)


async def test_interest_on_a_part_does_not_complete_a_payment(world: World) -> None:
    token = await world.deploy_minted("RebasingToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 99)
    await token.send("rebase(address,uint256)", payment.address, 1)
    await world.mine(3)
    await world.shows(payment, 99, "underpaid", flags="underpaid")


async def test_tokens_that_are_lent_to_an_address_for_one_call_came_as_the_log_says(
    world: World,
) -> None:
    payment = await world.create(world.usd)
    await world.usd.send("flash(address,uint256)", payment.address, 100)
    await world.mine()
    assert await world.usd.ask(BALANCE, payment.address) == 0
    await world.shows(payment, 100, "detected")


@pytest.mark.parametrize("dies", [False, True], ids=["stays", "is gone when it is read"])
async def test_a_token_that_transfers_in_its_constructor_and(world: World, dies: bool) -> None:  # noqa: FBT001  a parameter of the test
    deployer = await newcomer(world)
    contract = first_contract_of(deployer)
    world.lists(contract)
    payment = await world.create(world.usd.at(contract))
    made = "BornToken(address,uint256,bool)"
    token = await deploy(world.node, made, payment.address, 100, dies, sender=deployer)
    await world.watch()
    assert token.address == contract
    assert (await world.node.rpc("eth_getCode", contract, "latest") == "0x") == dies
    await world.shows(payment, 100, "detected")


async def newcomer(world: World) -> RawAddress:
    """Return an account that never sent anything and may."""
    account = RawAddress("0x" + secrets.token_hex(20))
    await world.node.rpc("anvil_impersonateAccount", account)
    await world.node.set_balance(account, 10**18)
    return account


async def test_a_payer_that_is_gone_when_its_payment_is_read(world: World) -> None:
    payment = await world.create(world.usd)
    made = "Mayfly(address,address,uint256)"
    payer = await deploy(world.node, made, world.usd.address, payment.address, 100)
    await world.mine(2)
    assert await world.node.rpc("eth_getCode", payer.address, "latest") == "0x"
    now = await world.shows(payment, 100, *WHOLE_WAY)
    assert (now.transfers[0].sender, now.status) == (payer.address, Status.SETTLED)
