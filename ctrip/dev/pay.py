"""`ctrip dev pay`: be the payer, with the unlocked account of the dev chain."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from msgspec import json

from ctrip.chain.wire import Endpoint
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Amount, RawAddress, raw
from ctrip.core.money import parse_amount
from ctrip.dev.card import Card, card_of
from ctrip.dev.purse import mined, send
from ctrip.settings import Secret


async def pay(folder: Path, payment_id: str, *, amount: str = "", token: str = "") -> str:
    """Pay what is missing, or `amount`, and return a sentence about it."""
    card = card_of(folder)
    payment = fetch(card, payment_id)
    missing = payment["amount"] - payment["amount_received"]
    wanted = parse_amount(amount) if amount else Amount(missing)
    if wanted <= 0:
        raise ConfigError("this payment has received all it asked for; say how much with --amount")
    contract = token or (card.token_address if payment["token_id"] else "")
    node = Endpoint(card.chain, Secret(card.rpc_url))
    try:
        funder, to = raw(card.funder), RawAddress(payment["address"].lower())
        tx_hash = await send(node, funder, to, wanted, contract.lower())
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
