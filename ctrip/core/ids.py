"""Identifiers, each its own type so that they cannot be swapped.

Hex is lower-case text with 0x, everywhere, with one exception: an Address is the
EIP-55 spelling that people are shown. It is made once, where an address enters
ctrip (derived by the wallet, read from chains.yaml), because its checksum needs
keccak-256, which the core does not have. What a node tells us is a RawAddress, and
matching compares RawAddresses only.
"""

from hashlib import sha256
from typing import Final, NewType
from uuid import UUID, uuid5

KeyId = NewType("KeyId", UUID)  # of an API key
PaymentId = NewType("PaymentId", UUID)
TokenId = NewType("TokenId", UUID)
SweepId = NewType("SweepId", UUID)
RefundId = NewType("RefundId", UUID)
SendingId = NewType("SendingId", UUID)
EventId = NewType("EventId", str)
ChainName = NewType("ChainName", str)
Address = NewType("Address", str)  # EIP-55
RawAddress = NewType("RawAddress", str)  # lower-case
Asset = NewType("Asset", str)  # a token's contract as RawAddress, or NATIVE
TxHash = NewType("TxHash", str)
BlockHash = NewType("BlockHash", str)
BlockNumber = NewType("BlockNumber", int)
Amount = NewType("Amount", int)  # base units: wei, or the token's smallest unit

NATIVE: Final = Asset("native")
NOBODY: Final = KeyId(UUID(int=0))  # owns what is made while auth = "off"
AMOUNT_MAX: Final = 2**256 - 1  # what an EVM word holds

# A namespace of our own for uuid5; never change it, ids in databases depend on it.
NAMESPACE: Final = UUID("6f2b1c1e-6d0f-5e0b-9c55-3a7f0b1d2c4e")


def raw(address: Address) -> RawAddress:
    """Return the spelling of an address that nodes use and matching compares."""
    return RawAddress(address.lower())


def token_id(chain_id: int, contract: RawAddress) -> TokenId:
    """Return the id of a token: the same on every machine, for ever (RFC 9562, version 5)."""
    return TokenId(uuid5(NAMESPACE, f"{chain_id}:{contract}"))


def event_id(payment: PaymentId, sequence: int) -> EventId:
    """Return the id of a payment's n-th event: the same fact always has the same id."""
    digest = sha256(payment.bytes + sequence.to_bytes(8)).hexdigest()
    return EventId(f"evt_{digest[:32]}")
