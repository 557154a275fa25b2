"""Who speaks: only the log of a contract on the list is money, whatever else looks like one."""

import pytest

from ctrip.core.ids import Asset, RawAddress
from ctrip.core.payment import Status
from ctrip.flows.create import TokenNotFound
from tests.support.token_contracts import deploy, place_at
from tests.traps.world import WHOLE_WAY, World, address, others

MINT = "mint(address,uint256)"
TRANSFER = "transfer(address,uint256)"
USDT_OF_ETHEREUM = RawAddress("0xdac17f958d2ee523a2206206994597c13d831ec7")
NATIVE_LOG = RawAddress("0xfffffffffffffffffffffffffffffffffffffffe")  # EIP-7708


@pytest.mark.parametrize("symbol", ["USD", "USDТ", "ՍSD", "USD\u200b"])  # noqa: RUF001  look-alikes
async def test_a_counterfeit_with_the_symbol_and_decimals_of_a_listed_token(
    world: World, symbol: str
) -> None:
    payment = await world.create(world.usd)
    fake = await world.node.deploy_token(symbol=symbol, decimals=6)
    await world.node.mint(fake, address(payment), 100)
    await world.mine(3)
    await world.shows_nothing(payment)


async def test_a_counterfeit_that_calls_itself_by_the_coins_symbol(world: World) -> None:
    payment = await world.create(None)
    fake = await world.node.deploy_token(symbol="ETH", decimals=18)
    await world.node.mint(fake, address(payment), 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_counterfeit_whose_address_begins_and_ends_like_the_real_one(
    world: World,
) -> None:
    payment = await world.create(world.usd)
    real = world.usd.address
    fake = await place_at(world.node, RawAddress(real[:10] + "0" * 24 + real[-8:]), world.usd)
    await fake.send(MINT, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_contract_that_has_the_address_of_a_real_token_of_another_chain(
    world: World,
) -> None:
    payment = await world.create(world.usd)
    foreign = await place_at(world.node, USDT_OF_ETHEREUM, world.usd)
    with pytest.raises(TokenNotFound):
        await world.create(foreign)
    await foreign.send(MINT, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_counterfeit_and_the_real_token_in_one_transaction(world: World) -> None:
    payment = await world.create(world.usd)
    fake = await deploy(world.node, "PlainToken")
    payer = await deploy(world.node, "Disperser")
    for token in (fake, world.usd):
        await token.send(MINT, payer.address, 100)
    both = (fake.address, world.usd.address, payment.address, 100)
    await payer.send("disperseTwo(address,address,address,uint256)", *both)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert others(now) == {}


async def test_a_proxy_logs_under_its_own_address(world: World) -> None:
    body = await deploy(world.node, "PlainToken")
    proxy = await deploy(world.node, "Proxy(address)", body.address)
    token = body.at(proxy.address)
    world.lists(token)
    payment = await world.create(token)
    await token.send(MINT, payment.address, 100)
    await world.mine(3)
    now = await world.shows(payment, 100, *WHOLE_WAY)
    assert now.transfers[0].key.asset == Asset(proxy.address)


async def test_the_implementation_beneath_a_proxy_logs_for_nobody(world: World) -> None:
    body = await deploy(world.node, "PlainToken")
    world.lists((await deploy(world.node, "Proxy(address)", body.address)).address)
    payment = await world.create(world.usd)
    await body.send(MINT, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_proxy_that_gets_another_implementation_halfway(world: World) -> None:
    body = await deploy(world.node, "PlainToken")
    proxy = await deploy(world.node, "Proxy(address)", body.address)
    token = body.at(proxy.address)
    world.lists(token)
    payment = await world.create(token)
    await token.send(MINT, payment.address, 40)
    await world.mine()
    taxed = await deploy(world.node, "BurningToken")
    await proxy.send("upgradeTo(address)", taxed.address)
    await token.send(MINT, world.payer, 60)
    await token.send(TRANSFER, payment.address, 60)
    await world.mine()
    await world.shows(payment, 94, "underpaid", "underpaid", flags="underpaid")


async def test_one_ledger_listed_under_two_addresses_is_not_added_up(world: World) -> None:
    token = await world.deploy("DoubleToken")
    legacy = RawAddress(f"0x{await token.ask('legacy()'):040x}")
    world.lists(legacy)
    await token.send(MINT, world.payer, 60)
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 60)
    await world.mine()
    news = ("underpaid", "unexpected_transfer")
    now = await world.shows(payment, 60, *news, flags="underpaid wrong_token")
    assert others(now) == {legacy: 60}


async def test_the_second_address_of_a_ledger_says_nothing_unless_it_is_listed(
    world: World,
) -> None:
    token = await world.deploy("DoubleToken")
    await token.send(MINT, world.payer, 100)
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert others(now) == {}


async def test_a_token_that_has_left_the_list(world: World) -> None:
    token = await world.deploy_minted("PlainToken")
    payment, other = await world.create(token), await world.create(world.usd)
    world.lists(token, enabled=False)
    for waiting in (payment, other):
        await token.send(TRANSFER, waiting.address, 100)
    await world.mine()
    await world.shows_nothing(payment, other)
    with pytest.raises(TokenNotFound):
        await world.create(token)


async def test_a_log_of_native_coin_on_a_chain_that_is_not_known_to_have_them(
    world: World,
) -> None:
    payment, unpaid = await world.create(None), await world.create(None)
    system = await place_at(world.node, NATIVE_LOG, world.usd)
    await world.node.send(address(payment), 100)
    await system.send(MINT, payment.address, 100)
    await system.send(MINT, unpaid.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert (len(now.transfers), now.status) == (1, Status.DETECTED)
    await world.shows_nothing(unpaid)
