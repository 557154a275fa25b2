"""The nouns: a payment, the transfers that reach its address, the status they put it in.

A Payment has three kinds of fields. The *order* is what the shop asked for and never
changes. The *facts* are what has happened since; only machine.absorb writes them. The
*conclusions* are read off order and facts by the machine and stored to be searched.
Properties are sums over the facts and decide nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from ctrip.core.ids import (
    Address,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    PaymentId,
    RawAddress,
    TokenId,
    TxHash,
)


class Status(StrEnum):
    """Where a payment is. Written to the database and to webhooks as it stands."""

    PENDING = "pending"
    DETECTED = "detected"
    CONFIRMED = "confirmed"
    PAID = "paid"
    SETTLED = "settled"
    EXPIRED = "expired"
    FAILED = "failed"


# The whole amount stands on the chain.
STANDING: Final = frozenset({Status.DETECTED, Status.CONFIRMED, Status.PAID, Status.SETTLED})


class Flag(StrEnum):
    """What else is true of a payment, beside its status."""

    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    LATE = "late"
    WRONG_TOKEN = "wrong_token"  # noqa: S105  a flag, not a password
    REORGED = "reorged"
    CANCELLED = "cancelled"


class TransferKey(Struct, frozen=True, order=True):
    """What makes a transfer unique on its chain, also after it was mined again in another block.

    Its log index does not: it counts within the block and moves with its neighbours.
    """

    tx_hash: TxHash
    asset: Asset
    recipient: RawAddress
    ordinal: int  # rank among the transaction's transfers of this asset to this recipient


class Transfer(Struct, frozen=True, kw_only=True):
    """Money seen arriving at a payment's address."""

    key: TransferKey
    sender: RawAddress
    amount: Amount
    block_number: BlockNumber
    block_hash: BlockHash
    block_time: datetime
    log_index: int | None = None  # None for native coin
    orphaned: bool = False  # a reorg dropped its block and it was not seen again


class Payment(Struct, frozen=True, kw_only=True):
    """All that is needed to decide what happens next to one payment."""

    # The order.
    id: PaymentId
    chain: ChainName
    chain_id: int
    token_id: TokenId | None  # None is native coin
    contract: Address | None
    asset: Asset
    currency: str
    decimals: int
    address: Address
    derivation_index: int
    amount: Amount
    confirmations_required: int
    accepts_late: bool
    created_at: datetime
    expires_at: datetime
    watched_until: datetime  # the late window's end
    order_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    redirect_url: str | None = None
    webhook_url: str | None = None
    # The facts.
    transfers: tuple[Transfer, ...] = ()
    head: BlockNumber = BlockNumber(0)  # as far as its chain was read
    finalized: BlockNumber = BlockNumber(0)
    lapsed: bool = False  # the deadline has passed, on the chain too
    closed: bool = False  # the late window is over; its address is no longer watched
    cancelled: bool = False
    accepted_amount: Amount | None = None  # taken by hand as enough
    # The conclusions.
    status: Status = Status.PENDING
    flags: frozenset[Flag] = frozenset()
    sequence: int = 0  # of its last event

    @property
    def required(self) -> Amount:
        return self.amount if self.accepted_amount is None else self.accepted_amount

    def live(self) -> Iterator[Transfer]:
        """Yield the transfers of any asset that are on the chain."""
        return (t for t in self.transfers if not t.orphaned)

    def own(self) -> Iterator[Transfer]:
        """Yield the live transfers in the asset that was asked for."""
        return (t for t in self.live() if t.key.asset == self.asset)

    def is_late(self, transfer: Transfer) -> bool:
        """Tell whether a transfer came after the deadline, or after the cancellation."""
        return self.cancelled or transfer.block_time > self.expires_at

    def counted(self) -> Iterator[Transfer]:
        """Yield the transfers that count towards the amount."""
        late_counts = self.accepted_amount is not None or (self.accepts_late and not self.cancelled)
        return (t for t in self.own() if late_counts or not self.is_late(t))

    @property
    def amount_received(self) -> Amount:
        return total(self.own())

    @property
    def detected_in_block(self) -> BlockNumber | None:
        """The block whose transfer completed the amount, or None while that does not stand."""
        if self.status not in STANDING:
            return None
        got = 0
        for transfer in sorted(self.counted(), key=lambda t: t.block_number):
            got += transfer.amount
            if got >= self.required:
                return transfer.block_number
        return None

    @property
    def confirmations(self) -> int:
        """How many blocks confirm the whole amount, the one that completed it included."""
        since = self.detected_in_block
        return 0 if since is None else max(0, self.head - since + 1)


def total(transfers: Iterator[Transfer]) -> Amount:
    """Add amounts without losing their type."""
    return Amount(sum(t.amount for t in transfers))
