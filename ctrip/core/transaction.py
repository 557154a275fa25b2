"""One transaction, as a chain tells of it: for a payer who says that they have paid.

Unlike the blocks that are watched, it is read whole: what moved to strangers, and of tokens
that are not listed, is what explains why it did not count. Nothing here is ever credited.
"""

from msgspec import Struct

from ctrip.core.blocks import Header
from ctrip.core.ids import Amount, Asset, RawAddress, TxHash


class Moved(Struct, frozen=True, kw_only=True):
    """Coin, or a token of whatever contract, that went from one address to another."""

    asset: Asset
    sender: RawAddress
    recipient: RawAddress
    amount: Amount


class Transaction(Struct, frozen=True, kw_only=True):
    """What a transaction was meant to do, and what became of it."""

    tx_hash: TxHash
    sender: RawAddress
    recipient: RawAddress | None  # None creates a contract
    calls: bool  # it carries data for a contract
    offered: tuple[Moved, ...]  # its own coin, and the tokens that its data asks to move
    nonce: int
    # How many transactions of its sender are in blocks; asked while this one is in none.
    sender_nonce: int | None = None
    block: Header | None = None  # None: it is in no block of the chain as it is now
    succeeded: bool = False
    moved: tuple[Moved, ...] = ()  # what it really moved, as far as a receipt shows that

    @property
    def is_replaced(self) -> bool:
        """Tell whether another transaction of its sender took its place."""
        return self.sender_nonce is not None and self.nonce < self.sender_nonce

    @property
    def is_held_up(self) -> bool:
        """Tell whether it waits for an earlier transaction of its sender."""
        return self.sender_nonce is not None and self.nonce > self.sender_nonce
