"""How much: numbers at the edge of an EVM word, odd decimals, many transfers at once."""

import pytest

from ctrip.core.ids import AMOUNT_MAX
from ctrip.core.payment import Status
from ctrip.core.scan import UNNAMED_BLOCKS_MAX
from ctrip.core.view import show
from tests.support.token_contracts import deploy
from tests.traps.world import SECONDS_IN_RANGES, WHOLE_WAY, World, others

MINT = "mint(address,uint256)"
TRANSFER = "transfer(address,uint256)"
BALANCE = "balanceOf(address)"
BATCH = 50  # payouts in one transaction


async def test_the_largest_amount_there_is(world: World) -> None:
    payment = await world.create(world.usd, AMOUNT_MAX)
    await world.usd.send(MINT, payment.address, AMOUNT_MAX)
    await world.mine(3)
    await world.shows(payment, AMOUNT_MAX, *WHOLE_WAY)


async def test_the_largest_amount_for_a_small_payment(world: World) -> None:
    payment = await world.create(world.usd, 1)
    await world.usd.send(MINT, payment.address, AMOUNT_MAX)
    await world.mine()
    await world.shows(payment, AMOUNT_MAX, "detected", "overpaid", flags="overpaid")


async def test_two_transfers_whose_sum_is_more_than_a_word(world: World) -> None:
    payment = await world.create(world.usd, AMOUNT_MAX)
    for _ in range(2):
        await world.usd.send(MINT, payment.address, AMOUNT_MAX)
    await world.mine()
    assert await world.usd.ask(BALANCE, payment.address) == AMOUNT_MAX - 1  # it wrapped round
    news = ("detected", "overpaid")
    await world.shows(payment, 2 * AMOUNT_MAX, *news, flags="overpaid")


async def test_transfers_whose_sum_is_more_than_any_column_holds(world: World) -> None:
    payment, other = await world.create(world.usd), await world.create(world.usd)
    for _ in range(12):
        await world.usd.send(MINT, payment.address, AMOUNT_MAX)
    await world.usd.send(TRANSFER, other.address, 100)
    await world.mine()
    await world.shows(other, 100, "detected")
    news = ("detected", *["overpaid"] * 12)
    await world.shows(payment, 12 * AMOUNT_MAX, *news, flags="overpaid")


async def test_one_base_unit_too_little(world: World) -> None:
    payment = await world.create(world.usd, AMOUNT_MAX)
    await world.usd.send(MINT, payment.address, AMOUNT_MAX - 1)
    await world.mine(3)
    await world.shows(payment, AMOUNT_MAX - 1, "underpaid", flags="underpaid")


@pytest.mark.parametrize(
    ("decimals", "shown"),
    [(0, "150"), (2, "1.5"), (18, "0.00000000000000015"), (30, "0.00000000000000000000000000015")],
)
async def test_base_units_are_what_counts_however_many_make_a_coin(
    world: World, decimals: int, shown: str
) -> None:
    contract = await world.node.deploy_token(symbol="ODD", decimals=decimals)
    world.lists(contract, decimals=decimals)
    payment = await world.create(world.usd.at(contract), 150)
    await world.usd.at(contract).send(MINT, payment.address, 150)
    await world.mine()
    now = await world.shows(payment, 150, "detected")
    assert show(now).amount_decimal == shown


async def test_a_token_that_changes_its_decimals(world: World) -> None:
    token = await world.deploy("DecimalsToken")
    payment = await world.create(token, 1_500_000)
    for decimals in (18, 0, 255):
        await token.send("setDecimals(uint8)", decimals)
        await token.send(MINT, payment.address, 500_000)
        await world.mine()
    now = await world.now(payment)
    assert (now.amount_received, now.decimals, now.status) == (1_500_000, 6, Status.DETECTED)
    assert show(now).amount_decimal == "1.5"


async def test_a_symbol_that_is_a_word(world: World) -> None:
    token = await world.deploy_minted("WordToken")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    assert await token.ask("symbol()") == int.from_bytes(b"MKR".ljust(32, b"\0"))
    now = await world.shows(payment, 100, "detected")
    assert now.currency == "USD"  # as it is listed


async def test_fifty_payments_in_one_transaction(world: World) -> None:
    waiting = [await world.create(world.usd) for _ in range(BATCH)]
    payer = await deploy(world.node, "Disperser")
    await world.usd.send(MINT, payer.address, 100 * BATCH)
    to = [payment.address for payment in waiting]
    await payer.send("disperse(address,address[],uint256)", world.usd.address, to, 100)
    await world.mine()
    for payment in waiting:
        await world.shows(payment, 100, "detected")


async def test_one_payment_in_fifty_parts_of_one_transaction(world: World) -> None:
    payment = await world.create(world.usd)
    payer = await deploy(world.node, "Disperser")
    await world.usd.send(MINT, payer.address, 2 * BATCH)
    to = [payment.address] * BATCH
    await payer.send("disperse(address,address[],uint256)", world.usd.address, to, 2)
    await world.mine()
    now = await world.now(payment)
    assert (now.amount_received, now.status, now.flags) == (100, Status.DETECTED, frozenset())
    assert sorted(t.key.ordinal for t in now.transfers) == list(range(BATCH))


async def test_two_tokens_in_one_transaction_are_not_added_up(world: World) -> None:
    other = await world.deploy("PlainToken")
    payment = await world.create(world.usd)
    payer = await deploy(world.node, "Disperser")
    for token in (other, world.usd):
        await token.send(MINT, payer.address, 50)
    both = (other.address, world.usd.address, payment.address, 50)
    await payer.send("disperseTwo(address,address,address,uint256)", *both)
    await world.mine()
    now = await world.now(payment)
    assert (now.amount_received, now.status) == (50, Status.PENDING)
    assert others(now) == {other.address: 50}
    assert now.flags == {"underpaid", "wrong_token"}
    assert sorted(await world.told(payment)) == ["created", "underpaid", "unexpected_transfer"]


async def test_a_transfer_to_a_recipient_that_only_its_contract_knows(world: World) -> None:
    """No transaction that pays names the address, so the logs of all blocks are looked at."""
    payment = await world.create(world.usd)
    payer = await deploy(world.node, "Employer")
    await world.usd.send(MINT, payer.address, 100)
    await payer.send("hire(address,address)", world.usd.address, payment.address)
    await world.mine(2)
    await payer.send("pay(uint256)", 100)
    await world.mine()
    in_ranges = world.served.block_seconds == SECONDS_IN_RANGES
    assert (await world.now(payment)).amount_received == (100 if in_ranges else 0)
    await world.mine(UNNAMED_BLOCKS_MAX)
    await world.shows(payment, 100, *WHOLE_WAY)
    assert len((await world.now(payment)).transfers) == 1
