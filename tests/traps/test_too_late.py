"""Tokens for payments that are over: never lost from sight, never taken for what was asked."""

from ctrip.core.changes import Cancelled
from ctrip.core.payment import Status
from ctrip.flows.apply import apply
from ctrip.store.pool import transaction
from tests.traps.world import WHOLE_WAY, World, address

TRANSFER = "transfer(address,uint256)"


async def test_a_transfer_to_an_expired_payment(world: World) -> None:
    payment = await world.create(world.usd, expires_in_seconds=60)
    await world.pass_a_minute()
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    now = await world.shows(payment, 100, "expired", "late", flags="late")
    assert now.status is Status.EXPIRED


async def test_a_counterfeit_for_an_expired_payment(world: World) -> None:
    payment = await world.create(world.usd, expires_in_seconds=60)
    await world.pass_a_minute()
    fake = await world.node.deploy_token(symbol="USD", decimals=6)
    await world.node.mint(fake, address(payment), 100)
    await world.mine()
    now = await world.shows(payment, 0, "expired")
    assert now.transfers == ()


async def test_a_transfer_to_a_cancelled_payment(world: World) -> None:
    payment = await world.create(world.usd)
    async with transaction(world.pool) as conn:
        changes = {payment.id: [Cancelled()]}
        await apply(conn, changes, now=world.clock.now())
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    news = ("expired", "cancelled", "late")
    now = await world.shows(payment, 100, *news, flags="cancelled late")
    assert now.status is Status.EXPIRED


async def test_a_second_transfer_to_a_settled_payment(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    now = await world.shows(payment, 200, *WHOLE_WAY, "overpaid", flags="overpaid")
    assert now.status is Status.SETTLED


async def test_nothing_sent_to_a_settled_payment(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    await world.usd.send(TRANSFER, payment.address, 0)
    await world.mine(3)
    await world.shows(payment, 100, *WHOLE_WAY)


async def test_another_token_for_a_settled_payment(world: World) -> None:
    other = await world.deploy_minted("PlainToken")
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine(3)
    await other.send(TRANSFER, payment.address, 100)
    await world.mine()
    news = (*WHOLE_WAY, "unexpected_transfer")
    await world.shows(payment, 100, *news, flags="wrong_token")
