"""What a chain says happened, in the few fields that ctrip reads.

These are claims of a node, already typed but not yet believed: core/scan.py checks
that they hang together, core/matching.py decides which of them are our money.
"""

from datetime import datetime

from msgspec import Struct

from ctrip.core.ids import Amount, Asset, BlockHash, BlockNumber, RawAddress, TxHash


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
    safe: BlockNumber  # nor is it expected up to here
    agreed: BlockNumber = BlockNumber(0)  # endpoints were found to agree so far, if there are some


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
    block_number: BlockNumber
    block_hash: BlockHash
    sender: RawAddress
    recipient: RawAddress
    amount: Amount


class NativeMove(Struct, frozen=True, kw_only=True):
    """Native coin that did move, as a trace or a log of the chain itself shows it."""

    tx_hash: TxHash
    ordinal: int  # 0 is the transaction's own value; what contracts forward counts from 1
    sender: RawAddress
    recipient: RawAddress
    amount: Amount
    log_index: int | None = None  # None: seen in a trace


class PlacedMove(Struct, frozen=True, kw_only=True):
    """Native coin that did move, with the block it moved in."""

    move: NativeMove
    block_number: BlockNumber
    block_hash: BlockHash


class Block(Struct, frozen=True, kw_only=True):
    """A block with the money that may be in it."""

    header: Header
    calls: tuple[NativeCall, ...] = ()
    logs: tuple[TokenLog, ...] = ()
    moves: tuple[NativeMove, ...] = ()
    names_ours: bool = False  # the data of one of its transactions has an address of ours
    owes_logs: bool = False  # they were left for later


class Span(Struct, frozen=True, kw_only=True):
    """The logs of a range of blocks, without the blocks: those above `anchor` up to `last`."""

    anchor: Header
    last: Header
    logs: tuple[TokenLog, ...] = ()
    moves: tuple[PlacedMove, ...] = ()


class Holding(Struct, frozen=True):
    """A question: how much of this asset does this address hold?"""

    asset: Asset
    owner: RawAddress


class Opinion(Struct, frozen=True, kw_only=True):
    """What endpoints say about a transfer or a transaction. The names are labels, never URLs."""

    agrees: bool
    first: str  # an endpoint that shows it; "" if none does
    second: str  # another that does; else those that do not, "" if no other answers
    why: str = ""
    outvoted: str = ""  # those that do not show it, where more do

    @property
    def doubt(self) -> str:
        """Say who does not agree with whom, if they do not."""
        if not self.first and self.second:
            return f"its money is not shown by {self.second}: {self.why}"
        first, second = self.first or "one", self.second or "a second endpoint"
        return f"{first} shows its money, {second} does not: {self.why}"


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of a transaction."""

    tx_hash: TxHash
    block_hash: BlockHash
    succeeded: bool
