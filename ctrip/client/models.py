"""What a gateway answers, as values. Fields that a newer gateway adds are passed over.

Amounts are integers in base units: wei, or the token's smallest unit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar

from msgspec import Meta, Raw, Struct, json

from ctrip.client.frames import Frame
from ctrip.core.ids import EventId, PaymentId, RefundId
from ctrip.core.view import PaymentView, TransferView

WHOLE: Final = "payment"  # the first frame of a stream: no news, but what there is

Payment = PaymentView
Transfer = TransferView
Row = TypeVar("Row")


class Chain(Struct, frozen=True, kw_only=True):
    """A network that payments can be made on."""

    name: str
    chain_id: int
    currency: str
    decimals: int
    confirmations_required: int | None
    confirmed_after_seconds: float | None
    confirmed_by: str | None
    explorer: str | None


class Token(Struct, frozen=True, kw_only=True):
    """A token that payments can be made in."""

    id: str
    chain: str
    symbol: str
    address: str
    decimals: int
    enabled: bool


class Refund(Struct, frozen=True, kw_only=True):
    """Money that goes back."""

    id: RefundId
    payment_id: PaymentId
    to: str
    amount: int
    state: str  # queued, sent, mined, final, stuck or failed
    why: str | None  # with the scope admin alone
    tx_hash: str | None  # while it is in a block
    block_number: int | None
    created_at: datetime
    ended_at: datetime | None


class All(Struct, Generic[Row], frozen=True):
    """The whole of a list."""

    data: list[Row]


class Listed(Struct, Generic[Row], frozen=True):
    """A piece of a list, and what to ask for the next one with."""

    data: list[Row]
    next_cursor: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """A piece of news, as it is signed."""

    id: EventId
    type: str
    created_at: datetime
    sequence: Annotated[int, Meta(ge=0)]  # 0 where it is not of a payment
    data: Raw

    @property
    def payment(self) -> Payment:
        """The payment, as it was then. ValidationError if the news is not of one, or is thin."""
        return json.decode(self.data, type=Payment)


class Change(Struct, frozen=True, kw_only=True):
    """What a payment became, as a stream tells it."""

    sequence: int  # of the news; where to go on
    type: str  # of the news; "payment" for what it is when the stream begins
    payment: Payment


def change_of(frame: Frame) -> Change:
    """Return what a frame of a stream says."""
    payment = (
        json.decode(frame.data, type=Payment)
        if frame.event == WHOLE
        else json.decode(frame.data, type=Event).payment
    )
    return Change(sequence=int(frame.id), type=frame.event, payment=payment)


class Page(Struct, frozen=True, kw_only=True):
    """Events in the order of the stream, each as it is signed, and where the next ones begin."""

    data: Sequence[Raw]
    next_after: int
    has_more: bool
