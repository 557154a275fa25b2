"""Transactions that we make: what one is before it is signed, and after.

Fields are those of EIP-1559; a chain without a base fee has legacy transactions, whose gas price is
`max_fee`. An authorization (EIP-7702) lets a contract's code act for the address that signed it.
"""

from enum import StrEnum

from msgspec import Struct

from ctrip.core.ids import Amount, BlockHash, BlockNumber, RawAddress, TxHash


class Authorization(Struct, frozen=True, kw_only=True):
    """An address lets `delegate` act for it, on one chain, until its nonce moves (EIP-7702)."""

    chain_id: int
    delegate: RawAddress
    nonce: int
    y_parity: int
    r: int
    s: int


class Outgoing(Struct, frozen=True, kw_only=True):
    """A transaction to be signed by its sender."""

    chain_id: int
    sender: RawAddress
    nonce: int
    to: RawAddress
    value: Amount
    data: str = "0x"
    gas: int
    max_fee: int  # wei a unit of gas, at most
    priority_fee: int | None  # of it for the block's maker; None: a legacy transaction
    authorizations: tuple[Authorization, ...] = ()


class Signed(Struct, frozen=True):
    """A transaction as it is broadcast. Its bytes decide its hash, so they are kept."""

    tx_hash: TxHash
    raw: str  # 0x and hex


class Note(Struct, frozen=True):
    """What a contract says in a log of a batch of sweeps (core/batch.py)."""

    contract: RawAddress
    kept: RawAddress | None  # the address that did not move anything; None: all were asked


class Mined(Struct, frozen=True, kw_only=True):
    """Where a transaction is, and what it cost."""

    block_number: BlockNumber
    block_hash: BlockHash
    succeeded: bool
    gas_used: int
    fee: Amount  # wei, all parts of it
    notes: tuple[Note, ...] = ()


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a transaction so far."""

    tx_hash: TxHash
    mined: Mined | None = None
    known: bool = False  # a node has it in its pool


class Verdict(StrEnum):
    """What nodes say to a transaction."""

    TAKEN = "taken"  # now, or before
    NONCE_SPENT = "nonce_spent"
    UNDERPRICED = "underpriced"
    POOR = "poor"  # the sender has less than it may cost
    REFUSED = "refused"


class Sent(Struct, frozen=True):
    """What became of a broadcast."""

    verdict: Verdict
    why: str = ""  # in the node's words, where it said no


class Reverts(Struct, frozen=True):
    """A transaction would fail if it were mined now."""

    why: str


class TooPoor(Struct, frozen=True):
    """The sender has less than a transaction moves."""
