"""Hexadecimal has two cases: an address is the same in both, wherever it is written."""

from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest
from eth_utils.address import to_checksum_address

from ctrip.core.ids import RawAddress
from ctrip.networks import read_chains
from ctrip.web.wire import parse_create
from tests.support.builders import OWNER
from tests.traps.retelling import in_upper_case, retelling
from tests.traps.world import WHOLE_WAY, World, client_of

TRANSFER = "transfer(address,uint256)"

CHAINS = """
chains:
  {name}:
    chain_id: 31337
    rpc_url: http://127.0.0.1:8545
    confirmations: 2
    finality_depth: 8
    poll_interval_seconds: 1
    coin: {{symbol: ETH}}
    tokens:
      - {{symbol: USD, address: "{address}", decimals: 6}}
"""


def chains_of(world: World, address: str) -> str:
    return CHAINS.format(name=world.name, address=address)


def small(address: str) -> str:
    return address.lower()


def capital(address: str) -> str:
    return "0x" + address[2:].upper()


def mixed(address: str) -> str:
    return str(to_checksum_address(address))


@pytest.mark.parametrize("spell", [small, capital, mixed])
async def test_a_token_is_seen_however_chains_yaml_spells_it(
    world: World, spell: Callable[[str], str]
) -> None:
    faults: list[str] = []
    listed = read_chains(chains_of(world, spell(world.usd.address)), "chains.yaml", faults)
    entry = listed[world.name]
    assert (faults, entry is None) == ([], False)
    assert entry is not None
    world.served = entry.chain
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert now.contract == mixed(world.usd.address)


async def test_a_token_whose_mixed_case_has_a_wrong_checksum_is_not_listed(
    world: World,
) -> None:
    faults: list[str] = []
    spelt = mixed(world.usd.address).swapcase().replace("0X", "0x")
    listed = read_chains(chains_of(world, spelt), "chains.yaml", faults)
    assert listed == {world.name: None}
    assert "has a wrong checksum (EIP-55)" in faults[0]


async def test_a_node_that_answers_in_capitals(world: World) -> None:
    payment, native = await world.create(world.usd), await world.create(None)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.node.send(RawAddress(native.address.lower()), 100)
    await world.node.mine(3)
    async with retelling(world.node.url) as retold:
        retold.change = in_upper_case
        client = client_of(world.served, retold.url, world.clock)
        await world.watch(client)
        await client.close()
    for paid in (payment, native):
        now = await world.shows(paid, 100, *WHOLE_WAY)
        assert now.transfers[0].sender == world.payer
        assert now.transfers[0].key.tx_hash.islower()


async def test_a_node_that_changes_its_case_is_not_taken_for_a_reorg(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.mine()
    async with retelling(world.node.url) as retold:
        retold.change = in_upper_case
        client = client_of(world.served, retold.url, world.clock)
        await world.node.mine(2)
        await world.watch(client)
        await client.close()
    await world.mine()
    await world.shows(payment, 100, *WHOLE_WAY)


@pytest.mark.parametrize("spell", [str.lower, str.upper])
async def test_a_token_is_known_however_a_request_spells_its_id(
    world: World, spell: Callable[[str], str]
) -> None:
    token_id = world.served.tokens[0].id
    body = {"chain": "anvil", "amount": 100, "token_id": spell(str(token_id))}
    order = parse_create(msgspec.json.encode(body), owner=OWNER, key=None)
    assert order.token_id == UUID(str(token_id))
    payment = await world.create(world.usd)
    assert payment.token_id == order.token_id


@pytest.mark.parametrize("spell", [small, capital, mixed])
async def test_a_payer_may_spell_the_payments_address_as_they_like(
    world: World, spell: Callable[[str], str]
) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, spell(payment.address), 100)
    await world.mine()
    await world.shows(payment, 100, "detected")
