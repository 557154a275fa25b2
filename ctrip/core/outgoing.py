"""Transactions that we make: what one is before it is signed, and after.

Fields are those of EIP-1559; a chain without a base fee has legacy transactions, whose gas price is
`max_fee`. An authorization (EIP-7702) lets a contract's code act for the address that signed it.
"""

from msgspec import Struct

from ctrip.core.ids import Amount, RawAddress, TxHash


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
