"""What the outside world is told. The types are a public contract: never rename one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from ctrip.core.ids import EventId, event_id
from ctrip.core.payment import Flag, Payment, Status


class EventType(StrEnum):
    """The catalogue."""

    CREATED = "payment.created"
    DETECTED = "payment.detected"
    CONFIRMED = "payment.confirmed"
    PAID = "payment.paid"
    SETTLED = "payment.settled"
    EXPIRED = "payment.expired"
    FAILED = "payment.failed"
    UNDERPAID = "payment.underpaid"
    OVERPAID = "payment.overpaid"
    LATE = "payment.late"
    REORGED = "payment.reorged"
    CANCELLED = "payment.cancelled"
    UNEXPECTED_TRANSFER = "payment.unexpected_transfer"
    REFUNDED = "payment.refunded"
    TEST = "webhook.test"
    ENDPOINT_DISABLED = "webhook.endpoint_disabled"


# A payment comes back to pending only when a reorg took its money.
OF_STATUS: Final[Mapping[Status, EventType]] = {
    Status.PENDING: EventType.REORGED,
    Status.DETECTED: EventType.DETECTED,
    Status.CONFIRMED: EventType.CONFIRMED,
    Status.PAID: EventType.PAID,
    Status.SETTLED: EventType.SETTLED,
    Status.EXPIRED: EventType.EXPIRED,
    Status.FAILED: EventType.FAILED,
}

OF_FLAG: Final[Mapping[Flag, EventType]] = {
    Flag.UNDERPAID: EventType.UNDERPAID,
    Flag.OVERPAID: EventType.OVERPAID,
    Flag.LATE: EventType.LATE,
    Flag.WRONG_TOKEN: EventType.UNEXPECTED_TRANSFER,
    Flag.REORGED: EventType.REORGED,
    Flag.CANCELLED: EventType.CANCELLED,
}


class PaymentEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One piece of news, with the payment as it was when it became true."""

    type: EventType
    payment: Payment  # its sequence is this event's

    @property
    def id(self) -> EventId:
        return event_id(self.payment.id, self.payment.sequence)


def created(payment: Payment) -> PaymentEvent:
    """Announce a payment that did not exist before."""
    return PaymentEvent(type=EventType.CREATED, payment=payment)
