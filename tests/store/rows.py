"""Rows to start a test of the store with."""

from itertools import count
from uuid import uuid4

from ctrip.core.events import created
from ctrip.core.ids import Address, PaymentId
from ctrip.core.payment import Payment
from ctrip.store import endpoints, outbox, payments
from ctrip.store.pool import Conn
from tests.support.builders import CREATED, a_payment, a_token_payment

WALLET = "wallet"
NUMBERS = count(1)


def fresh(*, token: bool = False, **changes: object) -> Payment:
    """Return a payment like no other."""
    number = next(NUMBERS)
    asked = {
        "id": PaymentId(uuid4()),
        "address": Address(f"0x{number:040x}"),
        "derivation_index": number,
    }
    build = a_token_payment if token else a_payment
    return build(**(asked | changes))


async def written(conn: Conn, *, webhook_url: str | None = None) -> Payment:
    """Write a payment and its first event."""
    payment = fresh(webhook_url=webhook_url)
    await payments.insert(conn, [payment], wallet=WALLET)
    await endpoints.sync_config(conn, "https://shop.example/all", now=CREATED)
    await endpoints.add_sites(conn, [webhook_url] if webhook_url else [], now=CREATED)
    await outbox.append(conn, [created(payment)], now=CREATED)
    return payment
