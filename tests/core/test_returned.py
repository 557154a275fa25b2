"""What other programs sign of a file is what its fields say, and comes back known or is refused."""

from typing import Any, Final

import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from ctrip.core.bundles import as_eth_transaction, in_all_forms, outgoing
from ctrip.core.envelope import signed
from ctrip.core.returned import FIELDS, UNKNOWN, Returned, difference, read
from ctrip.wallet.derive import checksum
from ctrip.wallet.genuine import signer_of
from tests.support.bundling import CHAIN_ID, TREASURY, USDT, a_file
from tests.wallet.test_sign import SIGNER, key_of, outgoings

FILE: Final = [
    in_all_forms(
        replace(one, sender=checksum(outgoing(one, 1).sender), to=checksum(outgoing(one, 1).to)),
        CHAIN_ID,
    )
    for one in a_file(SIGNER).transactions
]  # spelt as an export spells them
LEGACY: Final = next(one for one in FILE if one.max_priority_fee_per_gas is None)
FORMS: Final = ["typed", "legacy"]
PLAIN: Final = {"typed": outgoing(FILE[0], CHAIN_ID), "legacy": outgoing(LEGACY, CHAIN_ID)}


def raw_of(form: str, **changes: Any) -> bytes:
    """Return a transaction of the gas wallet or the payout wallet, signed by it."""
    sender = SIGNER.gas_address if form == "typed" else SIGNER.payout_address
    done = SIGNER.sign(replace(PLAIN[form], sender=sender, **changes), index=None)
    return bytes.fromhex(done.raw[2:])


@pytest.mark.parametrize("one", FILE, ids=lambda one: one.path)
def test_eth_account_signs_each_by_its_eth_transaction_as_we_do_by_its_fields(one: Any) -> None:
    theirs = Account.sign_transaction(one.eth_transaction, key_of(one.path)).raw_transaction
    found = read(bytes(theirs))
    assert isinstance(found, Returned)
    sender = signer_of(found.outgoing, found.y_parity, found.r, found.s)
    assert replace(found.outgoing, sender=sender) == outgoing(one, CHAIN_ID)


@pytest.mark.parametrize("one", FILE, ids=lambda one: one.path)
def test_the_payload_is_read_by_another_library_as_the_fields_and_is_what_is_signed(
    one: Any,
) -> None:
    payload = bytes.fromhex(one.payload[2:])
    is_typed = one.max_priority_fee_per_gas is not None
    assert (payload[0] == 2) is is_typed
    items = rlp.decode(payload[1:] if is_typed else payload)
    number = {
        "chain": CHAIN_ID,
        "nonce": one.nonce,
        "gas": one.gas,
        "value": int(one.value),
        "fee": int(one.max_fee_per_gas),
        "tip": int(one.max_priority_fee_per_gas or 0),
    }
    order = ("chain", "nonce", "tip", "fee", "gas") if is_typed else ("nonce", "fee", "gas")
    at = len(order)
    assert [int.from_bytes(item) for item in items[:at]] == [number[name] for name in order]
    assert items[at].hex() == one.to[2:].lower()
    assert int.from_bytes(items[at + 1]) == number["value"]
    assert items[at + 2].hex() == one.data[2:]
    rest: list[Any] = [[]] if is_typed else [CHAIN_ID.to_bytes(2), b"", b""]
    assert items[at + 3 :] == rest


@given(one=outgoings(SIGNER.gas_address))
@settings(deadline=None)
def test_whatever_is_signed_is_read_back_field_by_field(one: Any) -> None:
    found = read(bytes.fromhex(SIGNER.sign(one, index=None).raw[2:]))
    assert isinstance(found, Returned)
    assert found.outgoing == replace(one, sender=UNKNOWN)
    assert difference(found.outgoing, one) == ""
    assert signer_of(found.outgoing, found.y_parity, found.r, found.s) == SIGNER.gas_address


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chain_id": 1}, "has chain_id 1, and 31337 was exported"),
        ({"nonce": 7}, "has nonce 7, and 0 was exported"),
        ({"to": USDT}, f"has to {USDT}, and"),
        ({"value": 5}, "has value 5, and"),
        ({"data": "0x00"}, "has data 0x00, and 0x was exported"),
        ({"gas": 100_001}, "has gas 100001, and 100000 was exported"),
        ({"max_fee": 2 * 10**9 + 1}, "has max_fee_per_gas 2000000001, and 2000000000 was"),
    ],
)
def test_a_field_that_differs_is_named_with_both_values(
    form: str, change: dict[str, Any], told: str
) -> None:
    found = read(raw_of(form, **change))
    assert isinstance(found, Returned)
    assert difference(found.outgoing, PLAIN[form]).startswith(told)


def test_so_is_a_tip_or_that_there_is_none() -> None:
    for tip, told in ((5, "5"), (None, "none")):
        found = read(raw_of("typed", priority_fee=tip))
        assert isinstance(found, Returned)
        says = f"has max_priority_fee_per_gas {told}, and 1000000000 was exported"
        assert difference(found.outgoing, PLAIN["typed"]) == says


def test_every_field_is_compared() -> None:
    all_of_them = set(asdict(PLAIN["typed"]))
    assert set(FIELDS) == all_of_them - {"sender", "authorizations"}
    assert set(FIELDS.values()) <= {*asdict(FILE[0]), "chain_id"}


UNPROTECTED: Final = Account.sign_transaction(
    {**{k: v for k, v in LEGACY.eth_transaction.items() if k not in {"chainId", "from"}}},
    key_of(LEGACY.path),
).raw_transaction
LISTED: Final = Account.sign_transaction(
    {**FILE[0].eth_transaction, "accessList": [{"address": checksum(TREASURY), "storageKeys": []}]},
    key_of(FILE[0].path),
).raw_transaction


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "is no signed transaction"),
        (raw_of("typed")[:-1], "is no signed transaction"),
        (raw_of("legacy")[:-1], "is no signed transaction"),
        (raw_of("typed") + b"\0", "is no signed transaction"),
        (bytes.fromhex(FILE[0].payload[2:]), "not signed yet"),
        (bytes.fromhex(LEGACY.payload[2:]), "not signed yet"),
        (b"\x01" + raw_of("typed")[1:], "is of type 1, and exports are of type 2"),
        (b"\x04" + raw_of("typed")[1:], "is of type 4"),
        (bytes(UNPROTECTED), "names no chain (EIP-155)"),
        (bytes(LISTED), "brings an access list"),
        (signed(PLAIN["typed"], 0, 2**255, 1)[:2] + b"\xff" * 80, "is no signed transaction"),
        (b"\x02\xff" + b"\xff" * 8, "is no signed transaction"),
    ],
)
def test_what_is_no_exported_transaction_is_refused_with_its_reason(raw: bytes, told: str) -> None:
    found = read(raw)
    assert isinstance(found, str)
    assert told in found


@given(at=st.integers(0, 200), byte=st.integers(0, 255), form=st.sampled_from(FORMS))
@settings(deadline=None)
def test_other_bytes_are_another_transaction_or_another_signer_or_none(
    at: int, byte: int, form: str
) -> None:
    raw = bytearray(raw_of(form))
    at %= len(raw)
    if raw[at] == byte:
        return
    raw[at] = byte
    found = read(bytes(raw))
    if isinstance(found, Returned):
        sender = signer_of(found.outgoing, found.y_parity, found.r, found.s)
        expected = SIGNER.gas_address if form == "typed" else SIGNER.payout_address
        assert sender != expected or difference(found.outgoing, PLAIN[form])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_never_break_anything(raw: bytes) -> None:
    assert isinstance(read(raw), Returned | str)


def test_numbers_are_hex_without_leading_zeros_as_json_rpc_takes_them() -> None:
    shown = as_eth_transaction(FILE[2], CHAIN_ID)
    assert (shown["value"], shown["nonce"], shown["chainId"]) == ("0x0", "0x0", "0x7a69")
    assert "gasPrice" in as_eth_transaction(LEGACY, CHAIN_ID)
