"""`ctrip trigger`: have a test case played by a dev gateway, and show the events as they come."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Raw, json

from ctrip.client.aio import AsyncClient
from ctrip.client.models import Event, Payment
from ctrip.core.ids import PaymentId
from ctrip.core.plays import WHAT, Case
from ctrip.dev.card import Card, card_of

LOOK_SECONDS: Final = 10.0  # in one request
QUIET_SECONDS_MAX: Final = 30.0  # then a case that has no end of its own is over

# After which news nothing more comes.
LAST: Final = {
    Case.PAID: "payment.settled",
    Case.PAID_IN_PARTS: "payment.settled",
    Case.UNDERPAID: "payment.expired",
    Case.OVERPAID: "payment.settled",
    Case.EXPIRED: "payment.expired",
    Case.LATE: "payment.late",
    Case.WRONG_TOKEN: "payment.unexpected_transfer",
    Case.THROUGH_CONTRACT: "payment.settled",
    Case.FAILED_TRANSACTION: "payment.settled",
    Case.REORGED: "payment.settled",
    Case.REVERSED: "payment.failed",
    Case.SWEEP_STUCK: "payment.settled",
}


async def trigger(
    folder: Path, case: Case, *, amount: int, in_token: bool, say: Callable[[str], None]
) -> None:
    """Create a payment that plays a case; say each event until the last one."""
    card = card_of(folder)
    async with AsyncClient(card.url, card.api_key) as ctrip:
        after = (await ctrip.end_of_events()).next_after
        payment = await create(ctrip, card, case, amount, in_token=in_token)
        say(f"{payment.id}  {case}: {WHAT[case]}")
        async with asyncio.timeout(QUIET_SECONDS_MAX * 4):
            await follow(ctrip, payment.id, after, LAST[case], say)


async def create(
    ctrip: AsyncClient, card: Card, case: Case, amount: int, *, in_token: bool
) -> Payment:
    """Create the payment."""
    options = {"token_id": card.token_id} if in_token else {}
    return await ctrip.create_payment(card.chain, amount, test_case=case, **options)


async def follow(
    ctrip: AsyncClient, payment_id: PaymentId, after: int, last: str, say: Callable[[str], None]
) -> None:
    """Say what is announced of a payment, up to its last news."""
    is_over = False
    while not is_over:
        page = await ctrip.events(after, wait_seconds=LOOK_SECONDS)
        after = page.next_after
        for event in (json.decode(body, type=Event) for body in page.data):
            if is_of(event.data, payment_id):
                say(f"{event.created_at:%H:%M:%S}  {event.sequence:3}  {event.type}")
                is_over = is_over or event.type == last


def is_of(data: Raw, payment_id: PaymentId) -> bool:
    """Tell whether news is of a payment."""
    return str(payment_id).encode() in bytes(data)
