"""What a chain says happened, in the few fields that ctrip reads.

These are claims of a node, already typed but not yet believed: core/scan.py checks
that they hang together, core/matching.py decides which of them are our money.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash


class Header(Struct, frozen=True, kw_only=True):
    """A block's place in its chain."""

    number: BlockNumber
    hash: BlockHash
    parent_hash: BlockHash
    time: datetime


class Head(Struct, frozen=True, kw_only=True):
    """How far a chain has come."""

    latest: Header
    finalized: BlockNumber  # no block up to here will be replaced


class NativeCall(Struct, frozen=True, kw_only=True):
    """A top-level transaction that offers native coin; only its receipt says if it gave it."""

    tx_hash: TxHash
    sender: RawAddress
    recipient: RawAddress
    amount: Amount


class TokenLog(Struct, frozen=True, kw_only=True):
    """An EIP-20 Transfer log of a listed contract: indexed from and to, 32 bytes of data."""

    contract: RawAddress
    tx_hash: TxHash
    log_index: int  # counts within the block, so it moves when the transaction is mined again
    block_hash: BlockHash
    sender: RawAddress
    recipient: RawAddress
    amount: Amount


class Block(Struct, frozen=True, kw_only=True):
    """A block with the money that may be in it."""

    header: Header
    calls: tuple[NativeCall, ...] = ()
    logs: tuple[TokenLog, ...] = ()


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a transaction."""

    tx_hash: TxHash
    block_hash: BlockHash
    succeeded: bool
