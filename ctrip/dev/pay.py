"""`ctrip dev pay`: be the payer, with the unlocked account of the dev chain."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from msgspec import json

from ctrip.chain.wire import Endpoint
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Amount, RawAddress
from ctrip.core.money import parse_amount
from ctrip.dev import token as tokens
from ctrip.dev.run import Card, read_card
from ctrip.settings import Secret

GAS_MONEY: Final = 10**18  # wei kept beside what is paid
RECEIPT_SECONDS_MAX: Final = 15.0  # blocks come every second
LOOK_SECONDS: Final = 0.1


async def pay(folder: Path, payment_id: str, *, amount: str = "", token: str = "") -> str:
    """Pay what is missing, or `amount`, and return a sentence about it."""
    card = read_card(folder)
    if card is None:
        raise ConfigError(f"{folder}/dev.json is not there: start the gateway with `make run`")
    payment = fetch(card, payment_id)
    missing = payment["amount"] - payment["amount_received"]
    wanted = parse_amount(amount) if amount else Amount(missing)
    if wanted <= 0:
        raise ConfigError("this payment has received all it asked for; say how much with --amount")
    contract = token or (card.token_address if payment["token_id"] else "")
    node = Endpoint(card.chain, Secret(card.rpc_url))
    try:
        tx_hash = await send(node, card, payment["address"], wanted, contract.lower())
        block = await mined(node, tx_hash)
    finally:
        await node.close()
    return f"paid {wanted} to {payment['address']} in {tx_hash}, block {block}"


def fetch(card: Card, payment_id: str) -> dict[str, Any]:
    """Read a payment over the API."""
    request = urllib.request.Request(  # noqa: S310  the URL is that of our own gateway
        f"{card.url}/api/v1/payments/{payment_id}",
        headers={"authorization": f"Bearer {card.api_key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found: dict[str, Any] = json.decode(answer.read())
            return found
    except urllib.error.HTTPError as error:
        raise ConfigError(f"payment {payment_id}: the gateway says {error.code}") from None
    except OSError:
        raise ConfigError(f"no gateway answers at {card.url}: start it with `make run`") from None


async def send(node: Endpoint, card: Card, to: str, amount: Amount, contract: str) -> str:
    """Send from the funder, who is given more if that is not enough."""
    funder = RawAddress(card.funder.lower())
    if contract:
        have = await tokens.balance(node, RawAddress(contract), funder)
        if have < amount:
            await tokens.mint(node, RawAddress(contract), funder, Amount(amount - have))
        call = tokens.transfer_call(RawAddress(to.lower()), amount)
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
