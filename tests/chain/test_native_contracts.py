"""The contracts that play a chain with native logs are true to what they play."""

from typing import Any

from eth_utils.crypto import keccak

from ctrip.core.ids import RawAddress
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.native_contracts import (
    ETHER_LOGGER,
    POLYGON_LOGGER,
    play_eip7708,
    play_polygon,
)

SHOP = RawAddress("0x" + "5a" * 20)
# What bor and EIP-7708 call their logs.
POLYGON_TOPIC = "0xe6497e3ee548a3372136af2fcb0696db31fc6cf20260707645068bd3fe97f3c4"
TRANSFER_TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


async def test_a_chain_can_play_polygon_s_native_logs() -> None:
    async with running_anvil() as chain:
        polygon = await play_polygon(chain)
        await polygon.pay(SHOP, 5)
        await polygon.tell(SHOP, FUNDER, 6)
        await chain.mine()
        paid, told = await logs_of(chain, POLYGON_LOGGER)
        assert paid["topics"] == [POLYGON_TOPIC, *map(padded, (POLYGON_LOGGER, FUNDER, SHOP))]
        assert told["topics"] == [POLYGON_TOPIC, *map(padded, (POLYGON_LOGGER, SHOP, FUNDER))]
        amount, payer_had, shop_had, payer_has, shop_has = words(paid)
        assert (amount, shop_had, shop_has) == (5, 0, 5)
        assert payer_had - payer_has == 5
        assert int(await chain.rpc("eth_getBalance", SHOP, "latest"), 16) == 5


async def test_a_chain_can_play_the_logs_of_eip_7708() -> None:
    async with running_anvil() as chain:
        ether = await play_eip7708(chain)
        await ether.pay(SHOP, 5)
        await ether.tell(SHOP, FUNDER, 6)
        await chain.mine()
        paid, told = await logs_of(chain, ETHER_LOGGER)
        assert paid["topics"] == [TRANSFER_TOPIC, padded(FUNDER), padded(SHOP)]
        assert told["topics"] == [TRANSFER_TOPIC, padded(SHOP), padded(FUNDER)]
        assert [words(paid), words(told)] == [[5], [6]]
        assert int(await chain.rpc("eth_getBalance", SHOP, "latest"), 16) == 5


async def logs_of(chain: Anvil, contract: RawAddress) -> list[dict[str, Any]]:
    logs: list[dict[str, Any]] = await chain.rpc("eth_getLogs", {"address": contract})
    return logs


def words(log: dict[str, Any]) -> list[int]:
    data = bytes.fromhex(log["data"][2:])
    return [int.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


def padded(address: RawAddress) -> str:
    return f"0x{address[2:]:0>64}"
