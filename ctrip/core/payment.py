"""The nouns: a payment, the transfers that reach its address, the status they put it in.

A Payment has three kinds of fields. The *order* is what the shop asked for and never
changes. The *facts* are what has happened since; only machine.absorb writes them. The
*conclusions* are read off order and facts by the machine and stored to be searched.
Properties are sums over the facts and decide nothing.

A window of blocks can make tens of thousands of these values at once. None can be part of
a cycle, so the garbage collector is not asked to go through them (gc=False).
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from ctrip.core.finality import Tag
from ctrip.core.ids import (
    Address,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    KeyId,
    PaymentId,
    RawAddress,
    RefundId,
    TokenId,
    TxHash,
)
from ctrip.core.price import Quote


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


class Settles(StrEnum):
    """What becomes of a payment's money once it is confirmed: the mode of its chain then."""

    HOLD = "hold"  # it stays where it is
    SWEEP = "sweep"  # we move it to the treasury
    EXPORT = "export"  # it is moved by transactions that are signed elsewhere


class Source(StrEnum):
    """How a transfer came to be known. Written to the database and shown."""

    TRANSACTION = "transaction"  # the value of a transaction that succeeded
    LOG = "log"
    TRACE = "trace"  # a contract moved it
    BALANCE = "balance"  # the address holds more than is known to have come; no transaction named


class TransferKey(Struct, frozen=True, order=True, gc=False):
    """What makes a transfer unique, also after it was mined again in another block.

    Its log index does not: it counts within the block and moves with its neighbours.
    """

    chain: ChainName
    tx_hash: TxHash  # of a transfer that only a balance shows: the hash of the block it was read at
    asset: Asset
    recipient: RawAddress
    ordinal: int  # rank among the transaction's transfers of this asset to this recipient


class Transfer(Struct, frozen=True, kw_only=True, gc=False):
    """Money seen arriving at a payment's address."""

    key: TransferKey
    sender: RawAddress
    amount: Amount
    block_number: BlockNumber
    block_hash: BlockHash
    block_time: datetime
    source: Source
    log_index: int | None = None  # None where no log shows it
    first_time: datetime | None = None  # of the earliest block it was in, if that was another
    vouched: bool = False  # a second endpoint shows it in this block
    orphaned: bool = False  # a reorg dropped its block and it was not seen again
    swept_in: BlockNumber | None = None  # the block in which it was moved to the treasury
    swept_by: TxHash | None = None  # the transaction in that block

    @property
    def came_at(self) -> datetime:
        return self.block_time if self.first_time is None else self.first_time


class GivenBack(Struct, frozen=True, kw_only=True, gc=False):
    """A part of the money that goes back to whoever paid (core/refund.py)."""

    id: RefundId
    to: Address
    amount: Amount
    tx_hash: TxHash | None = None  # that paid it out
    block_number: BlockNumber | None = None  # which that is in; None: in none
    told: bool = False  # a block had paid it out, and it was announced
    failed: bool = False  # it ended without being paid out


class Payment(Struct, frozen=True, kw_only=True, gc=False):
    """All that is needed to decide what happens next to one payment."""

    # The order. Deadlines move only when a chain stood still, or the shop gives more time.
    id: PaymentId
    owner: KeyId
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
    confirmed_by: Tag | None  # a tag of the chain stands in for the number
    needs_vouching: bool  # so much that the word of one endpoint is not enough
    accepts_late: bool
    created_at: datetime
    expires_at: datetime
    watched_until: datetime  # the late window's end
    order_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    redirect_url: str | None = None
    webhook_url: str | None = None
    quote: Quote | None = None  # the price that the amount was made of
    settles: Settles = Settles.HOLD
    # The facts.
    transfers: tuple[Transfer, ...] = ()
    refunds: tuple[GivenBack, ...] = ()
    head: BlockNumber = BlockNumber(0)  # as far as its chain was read
    finalized: BlockNumber = BlockNumber(0)
    safe: BlockNumber = BlockNumber(0)
    stood_until: datetime | None = None  # the end of the last standstill that moved the deadline
    extended_seconds: int = 0  # by standstills
    lapsed: bool = False  # the deadline has passed, on the chain too
    closed: bool = False  # the late window is over; money is noticed still, and changes nothing
    cancelled: bool = False
    accepted_amount: Amount | None = None  # taken by hand as enough
    # The conclusions.
    status: Status = Status.PENDING
    flags: frozenset[Flag] = frozenset()
    sequence: int = 0  # of its last event

    @property
    def required(self) -> Amount:
        return self.amount if self.accepted_amount is None else self.accepted_amount

    def live(self) -> list[Transfer]:
        """Return the transfers of any asset that are on their chain."""
        return [t for t in self.transfers if not t.orphaned and t.amount]

    def own(self) -> list[Transfer]:
        """Return the live transfers in the asset that was asked for."""
        return [t for t in self.transfers if not t.orphaned and t.amount and self.asks_for(t.key)]

    def asks_for(self, key: TransferKey) -> bool:
        """Tell whether a transfer is on the chain, and in the asset, that was asked for."""
        return key.asset == self.asset and key.chain == self.chain

    def is_late(self, transfer: Transfer) -> bool:
        """Tell whether a transfer came after the deadline, or after the cancellation."""
        return self.cancelled or transfer.came_at > self.expires_at

    def counted(self) -> list[Transfer]:
        """Return the transfers that count towards the amount."""
        if self.accepted_amount is not None or (self.accepts_late and not self.cancelled):
            return self.own()
        return [t for t in self.own() if not self.is_late(t)]

    @property
    def amount_received(self) -> Amount:
        return total(self.own())

    @property
    def amount_refunded(self) -> Amount:
        """What blocks have paid back."""
        return Amount(sum(back.amount for back in self.refunds if back.block_number is not None))

    @property
    def amount_given_back(self) -> Amount:
        """What was paid back, or is going to be."""
        return Amount(sum(back.amount for back in self.refunds if not back.failed))

    def needed(self) -> list[Transfer]:
        """Return the transfers, the oldest first, up to the one that completes the amount."""
        counted = self.counted()
        if len(counted) <= 1:
            return counted
        got, needed = 0, []
        for transfer in sorted(counted, key=block_of):
            if got >= self.required:
                break
            got += transfer.amount
            needed.append(transfer)
        return needed

    @property
    def detected_in_block(self) -> BlockNumber | None:
        """The block whose transfer completed the amount, or None while that does not stand."""
        if self.status not in STANDING:
            return None
        needed = self.needed()
        return needed[-1].block_number if needed else None

    @property
    def confirmations(self) -> int:
        """How many blocks confirm the whole amount, the one that completed it included."""
        since = self.detected_in_block
        return 0 if since is None else self.depth_of(since)

    def depth_of(self, block: BlockNumber) -> int:
        """Return how many blocks of its chain were read from this one on, itself included."""
        return max(0, self.head - block + 1)


def block_of(transfer: Transfer) -> BlockNumber:
    """Return where in its chain a transfer is."""
    return transfer.block_number


def total(transfers: Iterable[Transfer]) -> Amount:
    """Add amounts without losing their type."""
    return Amount(sum([t.amount for t in transfers]))
