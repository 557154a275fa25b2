"""Payments that exist, and changes of them, as quick to write as rows are.

A change is an event of the next sequence, written as the one door writes it: the payment is
held while its event is. What it says does not matter to those who only pass it on.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from ctrip.core.events import EventType, PaymentEvent, created
from ctrip.core.ids import NOBODY, KeyId, PaymentId
from ctrip.store import outbox, payments
from ctrip.store.pool import Conn, Pool, transaction
from tests.store.rows import WALLET, fresh
from tests.support.builders import CREATED


async def open_payments(
    pool: Pool, count: int, *, owner: KeyId = NOBODY, description: str | None = None
) -> list[PaymentId]:
    """Write payments, each with its first event."""
    new = [fresh(owner=owner, description=description) for _ in range(count)]
    async with transaction(pool) as conn:
        await payments.insert(conn, new, wallet=WALLET)
        await outbox.append(conn, [created(payment) for payment in new], now=CREATED)
    return [payment.id for payment in new]


async def an_open_payment(pool: Pool) -> PaymentId:
    """Write a payment with its first event."""
    (payment,) = await open_payments(pool, 1)
    return payment


async def change(pool: Pool, *ids: PaymentId) -> None:
    """Let something happen to payments, and commit it."""
    async with transaction(pool) as conn:
        await write_change(conn, ids)


async def write_change(conn: Conn, ids: Sequence[PaymentId]) -> None:
    """Let something happen to payments in a transaction of the caller's."""
    before = await payments.lock(conn, ids)
    after = [replace(payment, sequence=payment.sequence + 1) for payment in before]
    await payments.save(conn, after, ())
    news = [PaymentEvent(type=EventType.DETECTED, payment=payment) for payment in after]
    await outbox.append(conn, news, now=CREATED)
