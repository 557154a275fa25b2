"""What comes back signed, whoever signed it: read from its bytes, and held against what went out.

A device or another program may have made the signature, so nothing is known but the bytes. They
are read strictly: what was read must be the same bytes when it is written again. Who signed is
found out by the wallet (wallet/genuine.py); that each field is as it was exported, here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.envelope import (
    LIST,
    SHORT_BYTES_MAX,
    STRING,
    TYPE_FEES,
    NoTransaction,
    fault_of,
)
from ctrip.core.envelope import signed as written
from ctrip.core.ids import Amount, RawAddress
from ctrip.core.outgoing import Outgoing

LEGACY_FIELDS: Final = 9  # nonce, gas price, gas, to, value, data, v, r, s
TYPED_FIELDS: Final = 12  # chain, nonce, tip, fee, gas, to, value, data, access list, y, r, s
EIP_155: Final = 35  # where v of a legacy transaction begins; below, it is of every chain
UNKNOWN: Final = RawAddress("")
NOT_SIGNED: Final = "is no signed transaction: it was cut off, or is not signed yet"

# The fields in which a transaction may differ, by what the file calls them.
FIELDS: Final[Mapping[str, str]] = {
    "chain_id": "chain_id",
    "nonce": "nonce",
    "to": "to",
    "value": "value",
    "data": "data",
    "gas": "gas",
    "max_fee": "max_fee_per_gas",
    "priority_fee": "max_priority_fee_per_gas",
}


class Returned(Struct, frozen=True):
    """A signed transaction as its bytes say it; its sender is to be found out."""

    outgoing: Outgoing
    y_parity: int
    r: int
    s: int


def read(raw: bytes) -> Returned | str:
    """Read the bytes of a signed transaction, or say why they are none that was exported."""
    if raw[:1] == TYPE_FEES:
        found = typed(items_in(raw[1:]))
    elif raw and raw[0] < STRING:
        return f"is of type {raw[0]}, and exports are of type 2, or legacy ones"
    else:
        found = legacy(items_in(raw))
    if isinstance(found, str):
        return found
    if fault := fault_of(found.outgoing):
        return fault
    try:
        same = written(found.outgoing, found.y_parity, found.r, found.s) == raw
    except NoTransaction as fault:
        return str(fault)
    return found if same else "is no transaction in its one right encoding (RLP)"


def typed(items: Sequence[bytes] | None) -> Returned | str:
    """Read the fields of EIP-1559."""
    if items is None or len(items) != TYPED_FIELDS:
        return NOT_SIGNED
    chain_id, nonce, tip, fee, gas, to, value, data, lent, *signature = items
    if lent:
        return "brings an access list, and none was exported"
    priority_fee = number(tip)
    fields = (*map(number, (chain_id, nonce, fee, gas, value)), priority_fee)
    return returned(fields, to, data, [number(one) for one in signature])


def legacy(items: Sequence[bytes] | None) -> Returned | str:
    """Read the fields of a legacy transaction, which names its chain in v (EIP-155)."""
    if items is None or len(items) != LEGACY_FIELDS:
        return NOT_SIGNED
    nonce, fee, gas, to, value, data, *signature = items
    v, r, s = map(number, signature)
    if not r and not s:
        return NOT_SIGNED
    if v < EIP_155:
        return "names no chain (EIP-155), so it could be sent on any; sign it with its chain id"
    chain_id, y_parity = divmod(v - EIP_155, 2)
    fields = (chain_id, *map(number, (nonce, fee, gas, value)), None)
    return returned(fields, to, data, [y_parity, r, s])


def returned(
    fields: tuple[int | None, ...], to: bytes, data: bytes, signature: Sequence[int]
) -> Returned:
    """Put fields together."""
    chain_id, nonce, fee, gas, value = (one or 0 for one in fields[:-1])
    outgoing = Outgoing(
        chain_id=chain_id,
        sender=UNKNOWN,
        nonce=nonce,
        to=RawAddress("0x" + to.hex()),
        value=Amount(value),
        data="0x" + data.hex(),
        gas=gas,
        max_fee=fee,
        priority_fee=fields[-1],
    )
    return Returned(outgoing, *signature)


def difference(came: Outgoing, exported: Outgoing) -> str:
    """Say in which field what came back is not what went out; "" if it is the same."""
    for name, word in FIELDS.items():
        has, had = getattr(came, name), getattr(exported, name)
        if has != had:
            return f"has {word} {shown(has)}, and {shown(had)} was exported"
    same = replace(came, sender=exported.sender) == exported
    return "" if same else "is not the one that was exported"


def shown(value: object) -> str:
    """Return a field for people; a legacy transaction has no priority fee."""
    return "none" if value is None else str(value)


def number(text: bytes) -> int:
    """Return bytes as the number that they are."""
    return int.from_bytes(text)


def items_in(text: bytes) -> list[bytes] | None:
    """Return the items of one list in RLP, of lists in it their bodies; None if it is none."""
    if not text or text[0] < LIST:
        return None
    bodies = list(bodies_in(text))
    if len(bodies) != 1 or bodies[0] is None:
        return None
    items = list(bodies_in(bodies[0]))
    return None if None in items else [item for item in items if item is not None]


def bodies_in(text: bytes) -> Iterator[bytes | None]:
    """Yield what items of RLP hold, one after another; None where it cannot be told."""
    while text:
        first = text[0]
        if first < STRING:
            yield text[:1]
            text = text[1:]
            continue
        size, start = first - (STRING if first < LIST else LIST), 1
        if size > SHORT_BYTES_MAX:
            start += size - SHORT_BYTES_MAX
            size = number(text[1:start])
        if len(text) < start + size:
            yield None
            return
        yield text[start : start + size]
        text = text[start + size :]
