"""The test token: its artifact is of its source, and it does on a chain what an ERC-20 does."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ctrip.chain.wire import Endpoint
from ctrip.core.ids import AMOUNT_MAX, Amount, RawAddress, raw
from ctrip.dev import token
from ctrip.dev.anvil import FUNDER
from ctrip.dev.child import CannotStart
from ctrip.dev.token import NotMined
from ctrip.settings import Secret
from tests.support.anvil import running_anvil

SHOP = RawAddress("0x" + "5a" * 20)


@pytest.fixture
async def node() -> AsyncIterator[Endpoint]:
    async with running_anvil() as chain:
        endpoint = Endpoint("anvil", Secret(chain.url))
        yield endpoint
        await endpoint.close()


def test_the_artifact_was_made_from_the_source_beside_it() -> None:
    source = token.ARTIFACT.with_suffix(".sol").read_bytes()
    assert token.artifact().source_sha256 == hashlib.sha256(source).hexdigest()


def test_the_artifact_names_no_place() -> None:
    text = token.ARTIFACT.read_text()
    assert "/home" not in text
    assert str(Path.cwd()) not in text


def test_the_selectors_are_those_of_the_standard() -> None:
    for signature, start in token.artifact().selectors.items():
        assert keccak(text=signature)[:4].hex() == start


@pytest.mark.parametrize("name", ["", "T", "x" * 31, "x" * 32, "x" * 33, "Ünïcode ☃" * 9])
def test_constructor_arguments_are_encoded_as_the_abi_wants(name: str) -> None:
    ours = token.constructor(name, "SYM" + name, 18)
    assert ours == encode(["string", "string", "uint8"], [name, "SYM" + name, 18]).hex()


async def test_every_fresh_dev_chain_has_the_token_at_one_address(node: Endpoint) -> None:
    assert str(to_checksum_address(token.ADDRESS)) == token.ADDRESS
    assert await token.ensure(node) == token.ADDRESS
    height = await node.call("eth_blockNumber")
    assert await token.ensure(node) == token.ADDRESS
    assert await node.call("eth_blockNumber") == height  # the second time there is nothing to do


async def test_a_deployer_that_was_used_before_is_said_so(node: Endpoint) -> None:
    used = {"from": token.DEPLOYER, "to": SHOP}
    await token.mined(node, used)
    with pytest.raises(CannotStart, match="has been used on this dev chain: delete"):
        await token.ensure(node)


async def test_it_says_what_it_was_told_to_be(node: Endpoint) -> None:
    contract = await token.deploy(node, token.DEPLOYER, name="A", symbol="B", decimals=30)
    for question, answer in {
        "name()": encode(["string"], ["A"]),
        "symbol()": encode(["string"], ["B"]),
        "decimals()": encode(["uint8"], [30]),
        "totalSupply()": encode(["uint256"], [0]),
    }.items():
        call = {"to": contract, "data": token.selector(question)}
        assert await node.call("eth_call", call, "latest") == "0x" + answer.hex()


async def test_minted_tokens_can_be_passed_on(node: Endpoint) -> None:
    contract = raw(await token.ensure(node))
    await token.mint(node, contract, raw(FUNDER), Amount(AMOUNT_MAX))
    transfer = {"from": FUNDER, "to": contract, "data": token.transfer_call(SHOP, Amount(2**255))}
    await token.mined(node, transfer)
    assert await token.balance(node, contract, SHOP) == 2**255
    assert await token.balance(node, contract, raw(FUNDER)) == 2**255 - 1


async def test_nobody_passes_on_what_they_do_not_have(node: Endpoint) -> None:
    contract = raw(await token.ensure(node))
    call = {"from": FUNDER, "to": contract, "data": token.transfer_call(SHOP, Amount(1))}
    with pytest.raises(NotMined, match="did not carry out"):
        await token.mined(node, {**call, "gas": hex(100_000)})
    assert await token.balance(node, contract, SHOP) == 0


async def test_one_may_spend_what_another_allowed(node: Endpoint) -> None:
    contract = raw(await token.ensure(node))
    await token.mint(node, contract, raw(FUNDER), Amount(5))
    artifact = token.artifact()
    approve = artifact.selectors["approve(address,uint256)"]
    spend = artifact.selectors["transferFrom(address,address,uint256)"]
    allowed = token.word(token.DEPLOYER) + token.word(3)
    await token.mined(node, {"from": FUNDER, "to": contract, "data": f"0x{approve}{allowed}"})
    take = {"from": token.DEPLOYER, "to": contract, "gas": hex(100_000)}
    from_to = token.word(FUNDER) + token.word(SHOP)
    await token.mined(node, {**take, "data": f"0x{spend}{from_to}{token.word(3)}"})
    with pytest.raises(NotMined):
        await token.mined(node, {**take, "data": f"0x{spend}{from_to}{token.word(1)}"})
    assert await token.balance(node, contract, SHOP) == 3
