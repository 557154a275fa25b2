"""Files of transactions that travel to a machine with keys, and back signed.

Each says what it is and in which version, names its chain, and holds all that signing needs, so
that the machine that signs needs no network and no database. What may be signed is said in
vetting.py.

A transaction to sign is there three times: in its fields, as the bytes that devices sign (payload),
and as other programs take it (eth_transaction, the parameter of eth_signTransaction). Whoever
signs by one of the latter signs what the fields say, or our own signer refuses the file.

Amounts are texts of digits, because many programs read numbers of JSON as floats.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar
from uuid import UUID

from msgspec import DecodeError, Meta, Struct, ValidationError, field, json
from msgspec.structs import replace

from ctrip.core import envelope
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, Amount, ChainName, RawAddress, raw
from ctrip.core.outgoing import Outgoing, Signed

TRANSACTIONS_MAX: Final = 10_000  # in a file; checking and signing as many takes seconds
GAS_MAX: Final = 2_000_000  # of one transaction; a transfer takes 21,000 to 100,000, on zkSync more
NO_DATA: Final = "0x"

Spelt = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}$")]
Octets = Annotated[str, Meta(pattern="^0x([0-9a-f]{2})*$", max_length=2_048)]
Payload = Annotated[str, Meta(pattern="^0x([0-9a-f]{2})*$", max_length=2_560)]  # data and more
Digits = Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,77})$")]
Hash = Annotated[str, Meta(pattern="^0x[0-9a-f]{64}$")]
Text = Annotated[str, Meta(max_length=500)]


class BadBundle(ConfigError):
    """A file of transactions cannot be read, or must not be signed."""


class RefundOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a transaction gives back, for people: nothing of it can be checked from keys."""

    id: UUID
    payment_id: UUID
    asked_at: datetime


class Unsigned(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One transaction to sign."""

    id: UUID
    why: Text  # for people
    sender: Spelt = field(name="from")
    path: str  # of the sender's key
    to: Spelt
    to_path: str | None = None  # of a deposit address that is sent gas
    value: Digits  # wei
    data: Octets = NO_DATA
    nonce: Annotated[int, Meta(ge=0)]
    gas: Annotated[int, Meta(ge=1, le=GAS_MAX)]
    max_fee_per_gas: Digits  # wei
    max_priority_fee_per_gas: Digits | None  # null: a legacy transaction, with a gas price
    depends_on: UUID | None = None  # what must be in a block before
    refund: RefundOf | None = None  # it goes to somebody else
    payload: Payload = NO_DATA  # whose keccak-256 is signed
    eth_transaction: dict[str, Text] = {}


class Unit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an asset is written for people."""

    contract: Spelt | None = None  # None: the chain's coin
    symbol: Annotated[str, Meta(max_length=32)]
    decimals: Annotated[int, Meta(ge=0, le=77)]


class ToSign(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="ctrip",
    tag="unsigned-transactions",
):
    """A file that goes to where the keys are."""

    version: Literal[2] = 2
    chain: ChainName
    chain_id: Annotated[int, Meta(ge=1)]
    treasury: Spelt
    made_at: datetime
    units: tuple[Unit, ...] = ()
    transactions: Annotated[tuple[Unsigned, ...], Meta(max_length=TRANSACTIONS_MAX)]


class SignedOne(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One transaction as it is broadcast."""

    id: UUID
    hash: Hash
    raw: Annotated[str, Meta(pattern="^0x([0-9a-f]{2})+$")]


class ToSend(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="ctrip",
    tag="signed-transactions",
):
    """A file that comes back."""

    version: Literal[1] = 1
    chain: ChainName
    chain_id: Annotated[int, Meta(ge=1)]
    treasury: Spelt
    made_at: datetime  # of the file that was signed
    transactions: Annotated[tuple[SignedOne, ...], Meta(max_length=TRANSACTIONS_MAX)]


B = TypeVar("B", ToSign, ToSend)
KINDS: Final[Mapping[type[Struct], str]] = {
    ToSign: "unsigned transactions, version 2",
    ToSend: "signed transactions, version 1",
}


def read(text: bytes, kind: type[B]) -> B:
    """Read a file of one of the two kinds; raise BadBundle."""
    try:
        return json.decode(text, type=kind)
    except ValidationError as error:
        fault = f"is no file of {KINDS[kind]} ({error})"
    except (DecodeError, RecursionError):
        fault = "is no JSON, or was cut off"
    raise BadBundle(fault)


def write(bundle: ToSign | ToSend) -> bytes:
    """Return a file."""
    return json.format(json.encode(bundle)) + b"\n"


def outgoing(one: Unsigned, chain_id: int) -> Outgoing:
    """Return a transaction as it is signed."""
    tip = one.max_priority_fee_per_gas
    return Outgoing(
        chain_id=chain_id,
        sender=lower(one.sender),
        nonce=one.nonce,
        to=lower(one.to),
        value=Amount(int(one.value)),
        data=one.data,
        gas=one.gas,
        max_fee=int(one.max_fee_per_gas),
        priority_fee=None if tip is None else int(tip),
    )


def in_all_forms(one: Unsigned, chain_id: int) -> Unsigned:
    """Return a transaction with what other programs and devices sign it by."""
    payload = "0x" + envelope.unsigned(outgoing(one, chain_id)).hex()
    return replace(one, payload=payload, eth_transaction=as_eth_transaction(one, chain_id))


def as_eth_transaction(one: Unsigned, chain_id: int) -> dict[str, str]:
    """Return a transaction as the parameter of eth_signTransaction: hex without leading zeros."""
    tip, fee = one.max_priority_fee_per_gas, hex(int(one.max_fee_per_gas))
    if tip is None:
        fees = {"gasPrice": fee}
    else:
        fees = {"type": "0x2", "maxFeePerGas": fee, "maxPriorityFeePerGas": hex(int(tip))}
    return {
        "chainId": hex(chain_id),
        "from": one.sender,
        "to": one.to,
        "value": hex(int(one.value)),
        "data": one.data,
        "nonce": hex(one.nonce),
        "gas": hex(one.gas),
        **fees,
    }


def signed(bundle: ToSign, found: Sequence[tuple[UUID, Signed]]) -> ToSend:
    """Return the file that goes back."""
    return ToSend(
        chain=bundle.chain,
        chain_id=bundle.chain_id,
        treasury=bundle.treasury,
        made_at=bundle.made_at,
        transactions=tuple(SignedOne(id=i, hash=one.tx_hash, raw=one.raw) for i, one in found),
    )


def lower(address: str) -> RawAddress:
    """Return an address as nodes spell it."""
    return raw(Address(address))
