"""The audit weighs addresses: what the logs of odd tokens told is on its scales as well."""

import pytest

from ctrip.core.ids import NATIVE
from tests.traps.world import World, address, others

TRANSFER = "transfer(address,uint256)"
BALANCE = "balanceOf(address)"

MISCHIEF = {
    "reverts": 0,
    "takes all gas": 1,
    "returns nothing": 2,
    "returns 31 bytes": 3,
    "returns a megabyte": 4,
    "reverts with a megabyte": 5,
    "never ends": 6,
}


async def test_what_a_log_told_is_not_found_again(lone_world: World) -> None:
    payment = await lone_world.create(lone_world.usd)
    await lone_world.usd.send(TRANSFER, payment.address, 60)
    await lone_world.mine()
    await lone_world.audit()
    await lone_world.shows(payment, 60, "underpaid", flags="underpaid")


async def test_coin_for_a_payment_in_tokens_is_noted_once(lone_world: World) -> None:
    payment = await lone_world.create(lone_world.usd)
    await lone_world.node.send(address(payment), 100)
    await lone_world.mine()
    await lone_world.audit()
    now = await lone_world.shows(payment, 0, "unexpected_transfer", flags="wrong_token")
    assert others(now) == {NATIVE: 100}
    assert len(now.transfers) == 1


async def test_a_counterfeit_is_not_weighed(lone_world: World) -> None:
    payment = await lone_world.create(lone_world.usd)
    fake = await lone_world.node.deploy_token(symbol="USD", decimals=6)
    await lone_world.node.mint(fake, address(payment), 100)
    await lone_world.mine()
    await lone_world.audit()
    await lone_world.shows_nothing(payment)


async def test_a_log_without_a_balance_is_not_taken_back(lone_world: World) -> None:
    token = await lone_world.deploy("PhantomToken")
    payment = await lone_world.create(token)
    await token.send(TRANSFER, payment.address, 60)
    await lone_world.mine()
    await lone_world.audit()
    await lone_world.shows(payment, 60, "underpaid", flags="underpaid")


async def test_interest_is_taken_for_money_so_such_a_token_should_not_be_listed(
    lone_world: World,
) -> None:
    token = await lone_world.deploy_minted("RebasingToken")
    payment = await lone_world.create(token)
    await token.send(TRANSFER, payment.address, 60)
    await token.send("rebase(address,uint256)", payment.address, 1)
    await lone_world.mine()
    await lone_world.audit()
    now = await lone_world.shows(payment, 61, "underpaid", "underpaid", flags="underpaid")
    assert [t.amount for t in now.transfers] == [60, 1]


@pytest.mark.parametrize("mischief", MISCHIEF)
async def test_the_scales_bear_a_listed_token_whose_balance(
    lone_world: World, mischief: str
) -> None:
    await lone_world.deploy("Scales(uint256)", MISCHIEF[mischief])
    payment = await lone_world.create(lone_world.usd)
    await lone_world.node.send(address(payment), 100)
    await lone_world.mine()
    await lone_world.audit()
    now = await lone_world.shows(payment, 0, "unexpected_transfer", flags="wrong_token")
    assert others(now) == {NATIVE: 100}
