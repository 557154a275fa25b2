"""What can happen to a payment. The only inputs that machine.advance accepts.

Named for the fact, in the past tense; they carry data and have no logic.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.ids import BlockHash, BlockNumber
from ctrip.core.payment import Transfer, TransferKey


class TransferSeen(Struct, frozen=True):
    """A block on the canonical chain contains this transfer."""

    transfer: Transfer


class TransferLost(Struct, frozen=True):
    """A reorg dropped the block that contained this transfer, and its replacement does not."""

    key: TransferKey
    block_hash: BlockHash


class HeadMoved(Struct, frozen=True):
    """Its chain was read up to block `number`; blocks up to `finalized` will not be replaced."""

    number: BlockNumber
    finalized: BlockNumber


class ClockRead(Struct, frozen=True):
    """It is this time, by our clock and by the chain's newest block that was read."""

    now: datetime


class Cancelled(Struct, frozen=True):
    """The shop no longer wants it."""


class Accepted(Struct, frozen=True):
    """The shop takes what has come as enough, late or not."""


Change = TransferSeen | TransferLost | HeadMoved | ClockRead | Cancelled | Accepted
