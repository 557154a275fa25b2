"""Why isn't this paid, asked of two real nodes: what payers do wrong is done, and told."""

from collections.abc import AsyncIterator
from itertools import count
from typing import Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from ctrip.chain.client import ChainClient
from ctrip.chain.rpc import RpcChain
from ctrip.core.case import About
from ctrip.core.explain import Explanation
from ctrip.core.ids import ChainName, KeyId, RawAddress, TxHash
from ctrip.core.payment import Payment
from ctrip.flows.explain import Explainer
from ctrip.settings import Secret
from ctrip.store import wallets
from ctrip.store.pool import Pool
from tests.flows.world import WALLET
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.native_contracts import deploy_payers
from tests.support.token_contracts import Contract, deploy
from tests.traps.world import CHAIN_ID, World, a_usd, a_world, address

MOON: Final = ChainName("moon")
MOON_ID: Final = 31338
STRANGER: Final = RawAddress("0x" + "57" * 20)
OWNER: Final = KeyId(UUID(int=7))
ADDRESSES: Final = count(1_000, 100)  # no address of one test is another's, on the same node
NOTHING: Final = TxHash("0x" + "77" * 32)


@pytest.fixture(scope="module")
async def node() -> AsyncIterator[Anvil]:
    async with running_anvil() as chain:
        yield chain


@pytest.fixture(scope="module")
async def moon() -> AsyncIterator[Anvil]:
    """Another chain, on which the same payer has the same address."""
    async with running_anvil() as chain:
        await chain.rpc("anvil_setChainId", MOON_ID)
        yield chain


@pytest.fixture(scope="module")
async def usd(node: Anvil) -> Contract:
    return await a_usd(node)


@pytest.fixture
async def world(node: Anvil, usd: Contract, pool: Pool) -> AsyncIterator[World]:
    async with pool.acquire() as conn:
        await wallets.reserve(conn, WALLET.fingerprint, next(ADDRESSES))
    async with a_world(node, usd, pool, 12) as world:
        yield world


@pytest.fixture
async def explainer(world: World, moon: Anvil) -> AsyncIterator[Explainer]:
    there = replace(world.served, name=MOON, chain_id=MOON_ID, tokens=(), coin="MOON")
    client = RpcChain(there, [Secret(moon.url)], world.clock)
    clients: dict[ChainName, ChainClient] = {world.name: world.client, MOON: client}
    yield Explainer([world.served, there], clients, world.pool, world.clock, world.health)
    await client.close()


async def why(
    explainer: Explainer,
    payment: Payment,
    tx_hash: TxHash | None = None,
    owner: KeyId | None = None,
) -> Explanation:
    about = About(payment_id=payment.id)
    told = await explainer.explain(about, owner=owner, tx_hash=tx_hash)
    assert told is not None
    return told


async def why_not(explainer: Explainer, tx_hash: TxHash) -> Explanation:
    """Ask about a transaction alone."""
    told = await explainer.explain(About(tx_hash=tx_hash), owner=None)
    assert told is not None
    return told


async def test_nothing_came(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    told = await why(explainer, payment)
    assert told.code == "waiting_for_money"
    assert payment.address in told.answer
    codes = [fact.code for fact in told.facts]
    assert codes == ["created", "watched", "chain_read", "nothing_came", "announced", "no_receiver"]


async def test_a_payment_is_found_by_its_address(world: World, explainer: Explainer) -> None:
    payment = await world.create(None, owner=OWNER)
    about = About(address=address(payment))
    for owner in (None, OWNER):
        told = await explainer.explain(about, owner=owner)
        assert told is not None
        assert told.payment_id == payment.id
    for unknown in (about, About(payment_id=payment.id)):
        assert await explainer.explain(unknown, owner=KeyId(UUID(int=8))) is None
    assert await explainer.explain(About(address=STRANGER), owner=None) is None


async def test_a_transaction_that_failed(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    failed = await world.node.send_failing(address(payment), 100)
    await world.watch()
    told = await why(explainer, payment, failed)
    assert told.code == "failed_transaction"
    assert "0.0000000000000001 ETH" in told.answer
    alone = await why_not(explainer, failed)
    assert (alone.code, alone.payment_id) == ("failed_transaction", payment.id)


async def test_tokens_that_the_payer_did_not_have(world: World, explainer: Explainer) -> None:
    payment = await world.create(world.usd)
    transfer = "transfer(address,uint256)"
    failed = await world.usd.send(transfer, payment.address, 10**20)
    await world.mine()
    told = await why_not(explainer, failed)
    assert (told.code, told.payment_id) == ("failed_transaction", payment.id)
    assert "100000000000000 USD" in told.answer


async def test_another_token(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    fake = await deploy(world.node, "PlainToken")
    unlisted = await fake.send("mint(address,uint256)", payment.address, 100)
    listed = await world.usd.send("transfer(address,uint256)", payment.address, 100)
    await world.mine()
    told = await why(explainer, payment, unlisted)
    assert told.code == "wrong_token"
    assert f"100 base units of a token that is not listed, {fake.address}" in told.answer
    told = await why_not(explainer, listed)
    assert (told.code, told.payment_id) == ("wrong_token", payment.id)
    assert "0.0001 USD" in told.answer
    assert (await why(explainer, payment)).code == "wrong_token"


async def test_another_address(world: World, explainer: Explainer) -> None:
    payment = await world.create(world.usd)
    coin = await world.node.send(STRANGER, 100)
    token = await world.usd.send("transfer(address,uint256)", STRANGER, 100)
    await world.mine()
    for paid in (coin, token):
        told = await why(explainer, payment, paid)
        assert told.code == "wrong_address"
        assert f"to {STRANGER}, which is not {payment.address}" in told.answer
        assert (await why_not(explainer, paid)).payment_id is None


async def test_a_contract_that_sent_nothing_on(world: World, explainer: Explainer) -> None:
    payment = await world.create(world.usd)
    called = await world.usd.send("approve(address,uint256)", payment.address, 100)
    await world.mine()
    told = await why(explainer, payment, called)
    assert told.code == "no_transfer"
    assert f"it called the contract {world.usd.address}" in told.answer


async def test_coin_through_a_contract_until_it_is_found(
    world: World, explainer: Explainer
) -> None:
    payment = await world.create(None)
    payers = await deploy_payers(world.node)
    paid = await payers.batch([(address(payment), 100)])
    await world.mine()
    told = await why(explainer, payment, paid)
    assert told.code == "no_transfer"
    assert "Coin that a contract passes on shows in no receipt" in told.answer


async def test_a_transaction_in_the_pool(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    paid = await world.node.send(address(payment), 100)
    told = await why_not(explainer, paid)
    assert (told.code, told.payment_id) == ("not_mined", payment.id)
    nonce = int(await world.node.rpc("eth_getTransactionCount", FUNDER, "latest"), 16)
    call = {"from": FUNDER, "to": payment.address, "value": "0x1", "nonce": hex(nonce + 9)}
    early = TxHash(await world.node.rpc("eth_sendTransaction", call))
    told = await why(explainer, payment, early)
    assert "an earlier transaction of the same sender" in told.answer
    await world.node.rpc("anvil_dropTransaction", early)
    await world.mine()


async def test_money_that_is_not_deep_enough(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    paid = await world.node.send(address(payment), 100)
    await world.node.mine()
    assert (await why(explainer, payment, paid)).code == "not_read_yet"
    await world.watch()
    for told in (await why(explainer, payment), await why_not(explainer, paid)):
        assert told.code == "waiting_for_confirmations"
        assert "1 of 2 confirmations are there, 1 block to go" in told.answer
    await world.mine(3)
    told = await why_not(explainer, paid)
    assert (told.code, told.status) == ("settled", "settled")
    assert next(f.text for f in told.facts if f.code == "transfer_counted").endswith("counts.")


async def test_money_that_is_late(world: World, explainer: Explainer) -> None:
    payment = await world.create(None, expires_in_seconds=60)
    for _ in range(2):
        await world.pass_a_minute()
    paid = await world.node.send(address(payment), 100)
    await world.mine()
    assert (await why(explainer, payment, paid)).code == "late"
    assert (await why(explainer, payment)).code == "late"


async def test_money_on_another_chain(world: World, explainer: Explainer, moon: Anvil) -> None:
    payment = await world.create(None)
    await moon.rpc("anvil_setChainId", CHAIN_ID)  # anvil signs for the chain it was started with
    paid = await moon.send(address(payment), 100)
    await moon.mine()
    await moon.rpc("anvil_setChainId", MOON_ID)
    told = await why(explainer, payment, paid)
    assert told.code == "wrong_chain"
    assert f"0.0000000000000001 MOON to the right address, but on moon instead of {world.name}" in (
        told.answer
    )
    assert (await why_not(explainer, paid)).payment_id == payment.id


async def test_money_for_another_payment(world: World, explainer: Explainer) -> None:
    payment = await world.create(None, owner=OWNER)
    other = await world.create(None, owner=OWNER)
    strange = await world.create(None, owner=KeyId(UUID(int=8)))
    paid = await world.node.send(address(other), 100)
    elsewhere = await world.node.send(address(strange), 100)
    await world.mine()
    told = await why(explainer, payment, paid, OWNER)
    assert told.code == "other_payment"
    assert str(other.id) in told.answer
    told = await why(explainer, payment, elsewhere, OWNER)
    assert told.code == "wrong_address"
    assert str(strange.id) not in repr(told), "another's payment does not exist"
    alone = await explainer.explain(About(tx_hash=elsewhere), owner=OWNER)
    assert alone is not None
    assert (alone.code, alone.payment_id) == ("wrong_address", None)


async def test_money_that_a_reorg_took(world: World, explainer: Explainer) -> None:
    payment = await world.create(None)
    paid = await world.node.send(address(payment), 100)
    await world.mine()
    await world.node.reorg(1)
    await world.mine()
    assert (await why(explainer, payment)).code == "reorged"
    told = await why_not(explainer, paid)
    assert (told.code, told.payment_id) == ("reorged", payment.id)


async def test_what_nobody_knows(world: World, explainer: Explainer) -> None:
    told = await why_not(explainer, NOTHING)
    assert (told.code, told.payment_id) == ("not_found", None)
    assert f"({world.name}, moon)" in told.answer
