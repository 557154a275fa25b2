"""Transactions as bytes: what their sender signs the digest of, and what is broadcast.

Three forms, by what a chain takes. A legacy transaction names its chain by EIP-155, that of a
chain with a base fee is of type 2 (EIP-1559), and one that brings authorizations along is of type 4
(EIP-7702). All are lists in RLP, the encoding of the yellow paper's appendix B. Digest and
signature are the wallet's: keccak-256 and the curve are not the core's.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from ctrip.core.errors import InvariantError
from ctrip.core.ids import AMOUNT_MAX, RawAddress
from ctrip.core.outgoing import Outgoing

Item: TypeAlias = "int | bytes | Sequence[Item]"

TYPE_FEES: Final = b"\x02"  # EIP-1559
TYPE_SET_CODE: Final = b"\x04"  # EIP-7702
AUTHORIZATION: Final = b"\x05"  # EIP-7702: so that a signature of one is of nothing else

SHORT_BYTES_MAX: Final = 55  # RLP: up to here a length fits into the first byte
STRING: Final = 0x80  # RLP: where the first bytes of strings begin
LIST: Final = 0xC0  # RLP: the same of lists
NONCE_MAX: Final = 2**64 - 2  # EIP-2681
GAS_MAX: Final = 2**64 - 1  # every client counts it in 64 bits
CHAIN_ID_MAX: Final = 2**63 - 19  # EIP-2294: beyond, 35 + 2 id does not fit into 64 bits
ADDRESS_BYTES: Final = 20
WORD_BYTES: Final = 32
SIGNATURE_FIELDS: Final = 3
HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")  # lower-case, as everywhere inside


class NoTransaction(InvariantError):
    """What was to be signed is none that a chain could take."""


def unsigned(outgoing: Outgoing) -> bytes:
    """Return what the sender signs the digest of; raise NoTransaction if it is none."""
    if fault := fault_of(outgoing):
        raise NoTransaction(f"a transaction of {outgoing.sender} {fault}")
    if outgoing.priority_fee is None:
        return rlp((*legacy(outgoing), outgoing.chain_id, 0, 0))
    return type_of(outgoing) + rlp(typed(outgoing))


def signed(outgoing: Outgoing, y_parity: int, r: int, s: int) -> bytes:
    """Return what is broadcast."""
    if outgoing.priority_fee is None:
        return rlp((*legacy(outgoing), 35 + 2 * outgoing.chain_id + y_parity, r, s))
    return type_of(outgoing) + rlp((*typed(outgoing), y_parity, r, s))


def signature_in(outgoing: Outgoing, raw: bytes) -> tuple[int, int, int] | None:
    """Return y_parity, r and s of a signed transaction; None if it is not this one, to the byte."""
    is_legacy = outgoing.priority_fee is None
    fields = b"".join(map(rlp, legacy(outgoing) if is_legacy else typed(outgoing)))
    numbers = numbers_in(raw[raw.find(fields) + len(fields) :])
    if numbers is None or len(numbers) != SIGNATURE_FIELDS:
        return None
    v, r, s = numbers
    y_parity = v - 35 - 2 * outgoing.chain_id if is_legacy else v
    if y_parity not in {0, 1} or signed(outgoing, y_parity, r, s) != raw:
        return None
    return y_parity, r, s


def authorization(chain_id: int, delegate: RawAddress, nonce: int) -> bytes:
    """Return what an address signs the digest of to let a contract act for it.

    The chain 0 means all of them, the day's and those to come: nobody could take that back.
    """
    if not 0 < chain_id <= CHAIN_ID_MAX or not 0 <= nonce <= NONCE_MAX:
        raise NoTransaction(f"no authorization is for the chain {chain_id} and the nonce {nonce}")
    return AUTHORIZATION + rlp((chain_id, octets(delegate), nonce))


def fault_of(outgoing: Outgoing) -> str:
    """Say why no chain could take this; "" if one could."""
    o = outgoing
    limits = {
        "chain_id": (o.chain_id, 1, CHAIN_ID_MAX),
        "nonce": (o.nonce, 0, NONCE_MAX),
        "value": (o.value, 0, AMOUNT_MAX),
        "gas": (o.gas, 1, GAS_MAX),
        "max_fee": (o.max_fee, 0, AMOUNT_MAX),
        "priority_fee": (o.priority_fee or 0, 0, o.max_fee),
    }
    for name, (number, least, most) in limits.items():
        if not least <= number <= most:
            return f"has {name} {number}"
    if o.authorizations and o.priority_fee is None:
        return "is a legacy one and cannot bring authorizations"
    if any(one.chain_id != o.chain_id for one in o.authorizations):
        return "brings an authorization for another chain"
    return ""


def legacy(outgoing: Outgoing) -> tuple[Item, ...]:
    """Return the fields of a legacy transaction, without those of its signature."""
    o = outgoing
    return o.nonce, o.max_fee, o.gas, octets(o.to), o.value, data(o)


def typed(outgoing: Outgoing) -> tuple[Item, ...]:
    """Return the fields of a transaction of type 2 or 4; its access list is empty."""
    o = outgoing
    fields: tuple[Item, ...] = (
        *(o.chain_id, o.nonce, o.priority_fee or 0, o.max_fee, o.gas, octets(o.to), o.value),
        *(data(o), ()),
    )
    if not o.authorizations:
        return fields
    lent = tuple(
        (one.chain_id, octets(one.delegate), one.nonce, one.y_parity, one.r, one.s)
        for one in o.authorizations
    )
    return (*fields, lent)


def type_of(outgoing: Outgoing) -> bytes:
    """Return the first byte of a transaction that is no legacy one."""
    return TYPE_SET_CODE if outgoing.authorizations else TYPE_FEES


def octets(address: RawAddress) -> bytes:
    """Return the bytes of an address; anything shorter would make a contract, or burn money."""
    found = unhex(address)
    if len(found) != ADDRESS_BYTES:
        raise NoTransaction(f"{address!r} is no address")
    return found


def data(outgoing: Outgoing) -> bytes:
    """Return the bytes that a contract is called with."""
    return unhex(outgoing.data)


def unhex(text: str) -> bytes:
    """Read 0x and hex, and nothing more lenient: fromhex would skip blanks."""
    if not HEX.fullmatch(text):
        raise NoTransaction("a transaction holds text that is no 0x and hex")
    return bytes.fromhex(text[2:])


def rlp(item: Item) -> bytes:
    """Encode a number, bytes or a list of such."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8)
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < STRING else counted(STRING, item)
    return counted(LIST, b"".join(map(rlp, item)))


def numbers_in(text: bytes) -> list[int] | None:
    """Read numbers in RLP, one after another; None if there is anything else."""
    found = []
    while text:
        size = max(text[0] - STRING, 0)
        if size > WORD_BYTES or len(text) <= size:
            return None
        found.append(int.from_bytes(text[1 : 1 + size], "big") if text[0] >= STRING else text[0])
        text = text[1 + size :]
    return found


def counted(kind: int, body: bytes) -> bytes:
    """Put the length of what follows in front of it."""
    length = len(body)
    if length <= SHORT_BYTES_MAX:
        return bytes([kind + length]) + body
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([kind + SHORT_BYTES_MAX + len(size)]) + size + body
