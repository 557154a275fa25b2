"""The payer on the dev chain: an unlocked account that never runs out of money."""

import asyncio
from typing import Final

from ctrip.chain.wire import Endpoint
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Amount, RawAddress
from ctrip.dev import token as tokens

GAS_MONEY: Final = 10**18  # wei kept beside what is paid
RECEIPT_SECONDS_MAX: Final = 15.0  # blocks come every second
LOOK_SECONDS: Final = 0.1


async def send(
    node: Endpoint, funder: RawAddress, to: RawAddress, amount: Amount, contract: str
) -> str:
    """Send from the funder, who is given more if that is not enough."""
    if contract:
        have = await tokens.balance(node, RawAddress(contract), funder)
        if have < amount:
            await tokens.mint(node, RawAddress(contract), funder, Amount(amount - have))
        call = tokens.transfer_call(to, amount)
        transaction = {"from": funder, "to": contract, "data": call}
    else:
        have = Amount(int(await node.call("eth_getBalance", funder, "latest"), 16))
        if have < amount + GAS_MONEY:
            await node.call("anvil_setBalance", funder, hex(amount + GAS_MONEY))
        transaction = {"from": funder, "to": to, "value": hex(amount)}
    tx_hash: str = await node.call("eth_sendTransaction", transaction)
    return tx_hash


async def mined(node: Endpoint, tx_hash: str) -> int:
    """Wait for the block of a transaction, not for ever, and return its number."""
    try:
        async with asyncio.timeout(RECEIPT_SECONDS_MAX):
            receipt = await node.call("eth_getTransactionReceipt", tx_hash)
            while receipt is None:
                await asyncio.sleep(LOOK_SECONDS)
                receipt = await node.call("eth_getTransactionReceipt", tx_hash)
    except TimeoutError:
        raise ConfigError(f"{tx_hash} was not mined: does the chain make blocks?") from None
    if receipt["status"] != "0x1":
        raise ConfigError(f"{tx_hash} failed")
    return int(receipt["blockNumber"], 16)
