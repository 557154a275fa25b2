"""What the OP stack charges beside gas, read from its oracle on a real node."""

from collections.abc import AsyncIterator

import pytest
from eth_utils.crypto import keccak

from ctrip.chain import data_fee
from ctrip.chain.client import ChainOutage
from ctrip.chain.transactor import Transactor
from ctrip.core.fees import Price, cost
from ctrip.core.ids import NATIVE, Amount
from ctrip.core.outgoing import Outgoing, Verdict
from tests.chain.paying import ETHER, SENDER, SHOP, a_signed, an_outgoing, signed
from tests.chain.transacting import taken, transactor_of
from tests.support.anvil import Anvil, running_anvil
from tests.support.clock import FakeClock
from tests.support.rollup import BYTE_GAS, L1_BASE_FEE, ORACLE, deploy_oracle, rollup
from tests.support.rpc_proxy import proxy
from tests.support.token_contracts import deploy, place_at

BYTE_WEI = BYTE_GAS * L1_BASE_FEE


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    async with running_anvil() as anvil:
        yield anvil


@pytest.fixture
async def transactor(anvil: Anvil) -> AsyncIterator[Transactor]:
    async with transactor_of(anvil.url) as transactor:
        yield transactor


@pytest.mark.parametrize(
    ("selector", "signature"),
    [
        (data_fee.L1_FEE, "getL1Fee(bytes)"),
        (data_fee.OPERATOR_FEE, "getOperatorFee(uint256)"),
    ],
)
def test_a_selector_is_the_beginning_of_a_hash(selector: str, signature: str) -> None:
    assert selector == keccak(text=signature)[:4].hex()


async def test_a_chain_without_an_oracle_charges_nothing_and_is_asked_once(anvil: Anvil) -> None:
    async with proxy(anvil.url) as endpoint, transactor_of(endpoint.url) as transactor:
        assert await transactor.data_fee(an_outgoing()) == 0
        asked = endpoint.requests
        assert await transactor.data_fee(an_outgoing()) == 0
        assert endpoint.requests == asked


@pytest.mark.parametrize(
    "outgoing",
    [
        an_outgoing(value=Amount(ETHER)),
        an_outgoing(data="0x" + "ab" * 300, gas=100_000),
        an_outgoing(priority_fee=None),
    ],
    ids=["transfer", "long", "legacy"],
)
async def test_the_fee_is_that_of_the_bytes_as_they_will_be_sent_and_half_as_much(
    anvil: Anvil, transactor: Transactor, outgoing: Outgoing
) -> None:
    await deploy_oracle(anvil)
    fee = await transactor.data_fee(outgoing)
    sent_bytes = len(signed(outgoing).raw) // 2 - 1
    assert fee >= sent_bytes * BYTE_WEI * 1.5
    assert fee <= (sent_bytes + 20) * BYTE_WEI * 1.5  # room for what is not known: a few too many


async def test_the_fee_is_known_before_nonce_and_price_are(
    anvil: Anvil, transactor: Transactor
) -> None:
    await deploy_oracle(anvil)
    bare = an_outgoing(nonce=0, max_fee=0, priority_fee=None)
    dear = an_outgoing(nonce=2**24 - 1, max_fee=2**48 - 1, priority_fee=2**48 - 1)
    assert await transactor.data_fee(bare) == await transactor.data_fee(dear)


async def test_the_operators_part_is_that_of_the_gas(anvil: Anvil, transactor: Transactor) -> None:
    oracle = await deploy_oracle(anvil)
    without = await transactor.data_fee(an_outgoing())
    await oracle.send("setOperatorFee(uint256,uint256)", 2_000_000, 7)
    await anvil.mine()
    assert await transactor.data_fee(an_outgoing()) == without + 2 * 21_000 + 7


async def test_an_oracle_from_before_operators_took_a_part_is_understood(
    anvil: Anvil, transactor: Transactor
) -> None:
    await deploy_oracle(anvil, "OldGasPriceOracle")
    assert await transactor.data_fee(an_outgoing()) > 0


async def test_an_oracle_that_fails_is_no_free_chain(anvil: Anvil, transactor: Transactor) -> None:
    await place_at(anvil, ORACLE, await deploy(anvil, "NoOracle"))
    with pytest.raises(ChainOutage):
        await transactor.data_fee(an_outgoing())


async def test_one_endpoint_without_an_oracle_does_not_make_a_chain_free(anvil: Anvil) -> None:
    await deploy_oracle(anvil)
    async with running_anvil() as bare, transactor_of(bare.url, anvil.url) as transactor:
        for _ in range(2):
            assert await transactor.data_fee(an_outgoing()) > 0


async def test_while_an_endpoint_is_down_nothing_is_remembered_of_the_others(anvil: Anvil) -> None:
    await deploy_oracle(anvil)
    clock = FakeClock()
    async with (
        proxy(anvil.url) as endpoint,
        running_anvil() as bare,
        transactor_of(bare.url, endpoint.url, clock=clock) as transactor,
    ):
        await endpoint.plays("503")
        assert await transactor.data_fee(an_outgoing()) == 0
        asked = endpoint.requests
        assert await transactor.data_fee(an_outgoing()) == 0
        assert endpoint.requests == asked  # it sits out
        endpoint.calms()
        clock.move(minutes=1)
        assert await transactor.data_fee(an_outgoing()) > 0


async def test_all_of_a_balance_leaves_a_rollup_when_the_bytes_are_counted(anvil: Anvil) -> None:
    await anvil.set_balance(SENDER, ETHER)
    whole = ETHER - cost(Price(an_outgoing().max_fee, 1), an_outgoing().gas)
    async with rollup(anvil) as node, transactor_of(node.url) as transactor:
        said = await transactor.send(a_signed(value=Amount(whole)))
        assert said.verdict is Verdict.POOR
        fee = await transactor.data_fee(an_outgoing(value=Amount(whole)))
        await taken(transactor, a_signed(value=Amount(whole - fee)))
        await anvil.mine()
        assert await transactor.balance(SHOP, NATIVE) == whole - fee
