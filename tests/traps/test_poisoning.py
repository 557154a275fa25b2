"""Logs that name our addresses and bring them nothing: dust, look-alikes, circles, promises."""

import pytest

from ctrip.core.ids import NATIVE, RawAddress
from ctrip.core.payment import Payment
from tests.traps.world import SECONDS_BLOCK_BY_BLOCK, World, address, others

STRANGER = RawAddress("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")  # unlocked, owns no tokens
NOBODY = RawAddress("0x" + "00" * 20)
MINT = "mint(address,uint256)"
TRANSFER = "transfer(address,uint256)"
TRANSFER_FROM = "transferFrom(address,address,uint256)"
APPROVE = "approve(address,uint256)"

# In ranges only logs are read: there the audit finds such coin (test_audited.py).
IN_BLOCKS = pytest.mark.parametrize(
    "world", [SECONDS_BLOCK_BY_BLOCK], indirect=True, ids=["blocks"]
)


def look_alike(payment: Payment) -> RawAddress:
    """Return an address with the ends of the payment's: what people compare is the same."""
    own = address(payment)
    return RawAddress(own[:6] + "ab" * 16 + own[-4:])


async def test_a_stranger_moves_nothing_from_the_payer_to_the_payment(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER_FROM, world.payer, payment.address, 0, sender=STRANGER)
    await world.mine(3)
    await world.shows_nothing(payment)


async def test_a_stranger_moves_nothing_from_the_payment_to_a_look_alike(world: World) -> None:
    payment = await world.create(world.usd)
    poison = (payment.address, look_alike(payment), 0)
    await world.usd.send(TRANSFER_FROM, *poison, sender=STRANGER)
    await world.mine()
    await world.shows_nothing(payment)


async def test_nothing_is_moved_twenty_times_around_the_one_real_transfer(world: World) -> None:
    payment = await world.create(world.usd)
    for _ in range(10):
        await world.usd.send(TRANSFER, payment.address, 0)
    await world.usd.send(TRANSFER, payment.address, 100)
    for _ in range(10):
        await world.usd.send(TRANSFER, payment.address, 0)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert [(t.key.ordinal, t.log_index) for t in now.transfers] == [(0, 10)]


async def test_native_coin_of_no_value(world: World) -> None:
    payment = await world.create(None)
    await world.node.send(address(payment), 0)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_payer_falls_for_a_look_alike_address(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, look_alike(payment), 100)
    await world.node.send(look_alike(payment), 100)
    await world.mine()
    await world.shows_nothing(payment)


@pytest.mark.parametrize("to", ["the token itself", "address zero"])
async def test_tokens_that_are_sent_to_where_they_are_lost(world: World, to: str) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, world.usd.address if "token" in to else NOBODY, 100)
    await world.usd.send("burn(uint256)", 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_burning_what_lies_at_a_payments_address_takes_nothing_back(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine()
    burn = world.usd.call("burn(uint256)", 100)
    await world.send_as(address(payment), world.usd.address, data=burn)
    await world.mine()
    assert await world.usd.ask("balanceOf(address)", payment.address) == 0
    await world.shows(payment, 100, "detected", "confirmed", "paid")


async def test_tokens_that_an_address_sends_to_itself_are_not_more_money(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 60)
    await world.mine()
    circle = world.usd.call(TRANSFER, payment.address, 60)
    await world.send_as(address(payment), world.usd.address, data=circle)
    await world.mine()
    assert await world.usd.ask("balanceOf(address)", payment.address) == 60
    await world.shows(payment, 60, "underpaid", flags="underpaid")


async def test_coin_that_an_address_sends_to_itself_is_not_more_money(world: World) -> None:
    payment = await world.create(None)
    await world.node.send(address(payment), 60)
    await world.mine()
    await world.send_as(address(payment), address(payment), value=60)
    await world.mine()
    await world.shows(payment, 60, "underpaid", flags="underpaid")


async def test_money_moved_by_hand_between_two_payments_arrives_like_any_other(
    world: World,
) -> None:
    paid, unpaid = await world.create(world.usd), await world.create(world.usd)
    await world.usd.send(TRANSFER, paid.address, 100)
    await world.mine()
    onwards = world.usd.call(TRANSFER, unpaid.address, 100)
    await world.send_as(address(paid), world.usd.address, data=onwards)
    await world.mine()
    await world.shows(paid, 100, "detected", "confirmed", "paid")
    now = await world.shows(unpaid, 100, "detected")
    assert now.transfers[0].sender == address(paid)


async def test_an_approval_is_a_promise(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(APPROVE, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_permit_is_a_promise(world: World) -> None:
    payment = await world.create(world.usd)
    permit = "permit(address,address,uint256)"
    await world.usd.send(permit, world.payer, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_money_that_another_was_allowed_to_move_comes_from_its_owner(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(APPROVE, STRANGER, 100)
    await world.mine()
    take = (world.payer, payment.address, 100)
    await world.usd.send(TRANSFER_FROM, *take, sender=STRANGER)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert now.transfers[0].sender == world.payer


async def test_the_same_amount_in_another_listed_token(world: World) -> None:
    other = await world.deploy_minted("PlainToken")
    payment = await world.create(world.usd)
    await other.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 0, "unexpected_transfer", flags="wrong_token")
    assert others(now) == {other.address: 100}


async def test_every_transfer_that_nobody_asked_for_is_told_of(world: World) -> None:
    other = await world.deploy_minted("PlainToken")
    payment = await world.create(world.usd)
    for amount in (1, 2):
        await other.send(TRANSFER, payment.address, amount)
        await world.mine()
    news = ("unexpected_transfer", "unexpected_transfer")
    await world.shows(payment, 0, *news, flags="wrong_token")


@IN_BLOCKS
async def test_coin_for_a_payment_in_tokens(world: World) -> None:
    payment = await world.create(world.usd)
    await world.node.send(address(payment), 100)
    await world.mine()
    now = await world.shows(payment, 0, "unexpected_transfer", flags="wrong_token")
    assert others(now) == {NATIVE: 100}


async def test_tokens_for_a_payment_in_coin(world: World) -> None:
    payment = await world.create(None)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 0, "unexpected_transfer", flags="wrong_token")
    assert others(now) == {world.usd.address: 100}


@IN_BLOCKS
async def test_half_in_coin_and_half_in_tokens_is_half(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 50)
    await world.node.send(address(payment), 50)
    await world.mine()
    now = await world.now(payment)
    assert (now.amount_received, others(now)) == (50, {NATIVE: 50})
    assert {str(flag) for flag in now.flags} == {"underpaid", "wrong_token"}
    assert sorted(await world.told(payment)) == ["created", "underpaid", "unexpected_transfer"]
