"""What can happen to a payment. The only inputs that machine.advance accepts.

Named for the fact, in the past tense; they carry data and have no logic.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.blocks import Header
from ctrip.core.ids import (
    Address,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    ChainName,
    RefundId,
    TxHash,
)
from ctrip.core.payment import Transfer, TransferKey


class TransferSeen(Struct, frozen=True):
    """A block on the canonical chain contains this transfer."""

    transfer: Transfer


class TransferLost(Struct, frozen=True):
    """A reorg dropped the block that contained this transfer, and its replacement does not."""

    key: TransferKey
    block_hash: BlockHash


class HeadMoved(Struct, frozen=True):
    """A chain was read up to block `number`; blocks up to `finalized` will not be replaced."""

    chain: ChainName
    number: BlockNumber
    finalized: BlockNumber
    safe: BlockNumber  # the chain's makers expect that blocks up to here will not be replaced


class BalanceRead(Struct, frozen=True, kw_only=True):
    """At a final block, up to which its chain was read, the address held this much of an asset."""

    chain: ChainName
    asset: Asset
    balance: Amount
    block: Header
    moved: int = 0  # by our own transactions until then; below 0 if more went than came


class TransferVouched(Struct, frozen=True):
    """A second endpoint shows the same transfer in the same block."""

    key: TransferKey
    block_hash: BlockHash


class TransferSwept(Struct, frozen=True):
    """A block moved this transfer's money to the treasury, or a reorg dropped the one that had."""

    key: TransferKey
    block_number: BlockNumber | None  # None: none does any more
    tx_hash: TxHash | None


class Refunded(Struct, frozen=True, kw_only=True):
    """A block paid a refund out, or a reorg dropped the one that had."""

    refund_id: RefundId
    tx_hash: TxHash | None
    block_number: BlockNumber | None  # None: none has paid it any more


class RefundFailed(Struct, frozen=True):
    """A refund ended without being paid out."""

    refund_id: RefundId


class ChainStood(Struct, frozen=True):
    """A chain stood still, or was out of our reach, between two moments of our clock."""

    chain: ChainName
    since: datetime
    until: datetime


class ClockRead(Struct, frozen=True):
    """It is this time, by our clock and by the chain's newest block that was read."""

    now: datetime


class Cancelled(Struct, frozen=True):
    """The shop no longer wants it."""


class Accepted(Struct, frozen=True):
    """The shop takes what has come as enough, late or not."""


class Extended(Struct, frozen=True):
    """The shop gives the payer until then."""

    until: datetime


class RefundAsked(Struct, frozen=True, kw_only=True):
    """The shop gives money back."""

    refund_id: RefundId
    to: Address
    amount: Amount | None  # None: all that is left


Decision = Cancelled | Accepted | Extended | RefundAsked  # of the shop

Change = (
    TransferSeen
    | TransferLost
    | TransferVouched
    | TransferSwept
    | Refunded
    | RefundFailed
    | BalanceRead
    | HeadMoved
    | ChainStood
    | ClockRead
    | Decision
)
