"""Before sending on a real node: what gas costs, how much is needed, what an address has."""

from collections.abc import AsyncIterator

import pytest
from eth_account import Account
from msgspec.structs import replace

from ctrip.chain.transactor import Transactor
from ctrip.core.abi import erc20_transfer
from ctrip.core.chains import GAS_PRICE_MAX
from ctrip.core.fees import price
from ctrip.core.ids import NATIVE, Amount, Asset
from ctrip.core.outgoing import Reverts, TooPoor
from tests.chain.paying import (
    ETHER,
    GWEI,
    SENDER,
    SHOP,
    a_signed,
    an_authorization,
    an_outgoing,
    signed,
)
from tests.chain.transacting import (
    a_strict_anvil,
    a_tether,
    a_token_transfer,
    receipt_of,
    taken,
    transactor_of,
    undone,
)
from tests.support.anvil import Anvil
from tests.support.token_contracts import deploy

HEADERS_ONLY = (False,)


@pytest.fixture(scope="module")
async def anvil() -> AsyncIterator[Anvil]:
    async with a_strict_anvil() as anvil:
        yield anvil


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Anvil]:
    async with undone(anvil):
        yield anvil


@pytest.fixture
async def transactor(chain: Anvil) -> AsyncIterator[Transactor]:
    async with transactor_of(chain.url) as transactor:
        yield transactor


# What it costs


async def test_what_is_offered_at_the_market_is_mined(chain: Anvil, transactor: Transactor) -> None:
    market = await transactor.market()
    offered = price(market, max_fee_ceiling=GAS_PRICE_MAX)
    assert offered is not None
    priced = a_signed(max_fee=offered.max_fee, priority_fee=offered.priority_fee)
    tx_hash = await taken(transactor, priced)
    await chain.mine()
    block = await chain.rpc("eth_getBlockByNumber", "latest", *HEADERS_ONLY)
    assert int(block["baseFeePerGas"], 16) == market.base_fee
    assert tx_hash in block["transactions"]


async def test_a_node_names_the_tip_that_blocks_were_content_with(
    chain: Anvil, transactor: Transactor
) -> None:
    for nonce in range(3):
        await taken(transactor, a_signed(nonce=nonce, priority_fee=GWEI // 7))
        await chain.mine()
    assert (await transactor.market()).tip == GWEI // 7


# How much gas


async def test_gas_for_a_transfer_is_what_the_node_says_and_a_tenth(transactor: Transactor) -> None:
    assert await transactor.gas_for(an_outgoing()) == 23_100


async def test_gas_for_all_that_an_address_holds_is_estimated(transactor: Transactor) -> None:
    assert await transactor.gas_for(an_outgoing(value=Amount(ETHER))) == 23_100


async def test_who_has_less_than_he_sends_is_too_poor(transactor: Transactor) -> None:
    assert await transactor.gas_for(an_outgoing(value=Amount(ETHER + 1))) == TooPoor()


async def test_a_token_that_returns_nothing_can_be_estimated_without_coin(
    chain: Anvil, transactor: Transactor
) -> None:
    tether = await a_tether(chain)
    await chain.set_balance(SENDER, 0)
    gas = await transactor.gas_for(a_token_transfer(tether, 7))
    assert isinstance(gas, int)
    await chain.set_balance(SENDER, ETHER)
    sent = a_signed(
        to=tether.address, value=Amount(0), data=erc20_transfer(SHOP, Amount(7)), gas=gas
    )
    await taken(transactor, sent)
    await chain.mine()
    assert await transactor.balance(SHOP, Asset(tether.address)) == 7
    used = int((await receipt_of(chain, sent.tx_hash))["gasUsed"], 16)
    assert used <= gas <= used * 1.3  # refunds aside, it is what was used and a tenth


async def test_a_token_that_blocks_the_sender_reverts(chain: Anvil, transactor: Transactor) -> None:
    tether = await a_tether(chain)
    await tether.send("addBlackList(address)", SENDER)
    await chain.mine()
    said = await transactor.gas_for(a_token_transfer(tether, 7))
    assert said == Reverts("it gives no reason")


async def test_a_contract_is_quoted_when_it_reverts(chain: Anvil, transactor: Transactor) -> None:
    angry = await deploy(chain, "NoOracle")
    called = an_outgoing(to=angry.address, value=Amount(0))
    assert await transactor.gas_for(called) == Reverts("no oracle")
    tether = await a_tether(chain)
    said = await transactor.gas_for(a_token_transfer(tether, 101))
    assert said == Reverts("panic 0x11: a number overflowed")


async def test_authorizations_are_part_of_what_is_estimated(
    chain: Anvil, transactor: Transactor
) -> None:
    delegate = await deploy(chain, "PlainToken")
    keys = [Account.from_key(f"0x{number:064x}") for number in (1, 2, 3)]
    allowed = tuple(an_authorization(key, delegate.address) for key in keys)
    outgoing = an_outgoing(value=Amount(0), authorizations=allowed)
    gas = await transactor.gas_for(outgoing)
    assert isinstance(gas, int)
    assert gas >= 21_000 + 25_000 * len(keys)  # what EIP-7702 takes at first for each
    tx_hash = await taken(transactor, signed(replace(outgoing, gas=gas)))
    await chain.mine()
    [outcome] = await transactor.outcomes([tx_hash])
    assert outcome.mined is not None
    assert outcome.mined.succeeded
    for key in keys:
        code = await chain.rpc("eth_getCode", key.address, "latest")
        assert code == f"0xef0100{delegate.address[2:]}"


# What an address has


async def test_nonce_and_balance_are_those_of_the_newest_block(
    chain: Anvil, transactor: Transactor
) -> None:
    await taken(transactor, a_signed(value=Amount(ETHER // 2)))
    assert await transactor.next_nonce(SENDER) == 0
    await chain.mine()
    assert await transactor.next_nonce(SENDER) == 1
    assert await transactor.next_nonces([SHOP, SENDER]) == {SENDER: 1, SHOP: 0}
    assert await transactor.balance(SHOP, NATIVE) == ETHER // 2


async def test_what_is_no_token_holds_nothing(chain: Anvil, transactor: Transactor) -> None:
    assert await transactor.balance(SENDER, Asset(SHOP)) == 0
    angry = await deploy(chain, "NoOracle")
    assert await transactor.balance(SENDER, Asset(angry.address)) == 0
