"""What is signed of a file that anybody may have written to, and what is not."""

import json
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from ctrip.core.abi import erc20_transfer
from ctrip.core.bundles import BadBundle, ToSign, in_all_forms, outgoing, read, write
from ctrip.core.errors import InvariantError
from ctrip.core.ids import NATIVE, Amount, RawAddress
from ctrip.core.paths import GAS_PATH, PAYOUT_PATH, deposit_path, index_in
from ctrip.core.vetting import faults_of, fee_max, totals
from ctrip.wallet.sign import Signer
from tests.support.bundling import GWEI, TREASURY, USDT, a_file
from tests.support.canaries import MNEMONIC

SIGNER: Final = Signer(bytearray(MNEMONIC.encode()))
THIEF: Final = RawAddress("0x" + "bad0" * 10)
GOOD: Final = a_file(SIGNER)
PLAIN: Final = to_builtins(GOOD)
DEPOSITS: Final = {SIGNER.address(index) for index in range(20)}


def with_change(place: int, **fields: Any) -> bytes:
    """Return the file with some fields of one of its transactions changed."""
    transactions = [dict(one) for one in PLAIN["transactions"]]
    transactions[place] |= fields
    return json.dumps({**PLAIN, "transactions": transactions}).encode()


def faults(text: bytes) -> list[str]:
    return faults_of(read(text, ToSign), TREASURY, SIGNER)


def test_a_file_comes_back_as_it_was_written_and_is_right() -> None:
    assert read(write(GOOD), ToSign) == GOOD
    assert faults(write(GOOD)) == []
    assert json.loads(write(GOOD))["ctrip"] == "unsigned-transactions"
    assert json.loads(write(GOOD))["transactions"][0]["from"] == SIGNER.gas_address


def test_the_form_of_the_files_does_not_change() -> None:
    golden = Path(__file__).parents[1] / "golden" / "unsigned_transactions.json"
    assert golden.read_bytes() == write(GOOD)


def test_sums_are_told_apart_by_asset_and_by_where_they_go() -> None:
    found = {(one.asset, one.is_gas): (one.count, one.amount) for one in totals(GOOD)}
    assert found == {
        (NATIVE, True): (1, 10**15),
        (USDT, False): (2, 10_500_000),
        (NATIVE, False): (2, 7 * 10**17 + 1),
    }
    assert fee_max(GOOD) == 5 * 100_000 * 2 * GWEI


@pytest.mark.parametrize(
    ("place", "change", "told"),
    [
        (3, {"to": THIEF}, "is not to the treasury"),
        (4, {"to": THIEF}, "is not to the treasury"),
        (3, {"to": SIGNER.address(1)}, "is not to the treasury"),
        (2, {"data": erc20_transfer(THIEF, Amount(1))}, "is not to the treasury"),
        (2, {"data": erc20_transfer(TREASURY, Amount(1)) + "00"}, "neither coin alone"),
        (2, {"data": "0x095ea7b3" + erc20_transfer(TREASURY, Amount(1))[10:]}, "neither coin"),
        (2, {"data": "0xa9059cbb"}, "neither coin alone"),
        (2, {"data": "0xa9059cbb" + "01" + "00" * 11 + "7e" * 20 + "00" * 32}, "neither coin"),
        (2, {"value": "1"}, "neither coin alone"),
        (3, {"data": "0xd0e30db0"}, "neither coin alone"),
        (3, {"from": THIEF}, "the address of its path"),
        (3, {"path": deposit_path(1)}, "the address of its path"),
        (3, {"path": "m/44'/60'/0'/1/0"}, "of none of our wallets"),
        (3, {"path": "m/44'/60'/0'/0/00"}, "of none of our wallets"),
        (3, {"path": "m/44'/60'/0'/0/2147483648"}, "of none of our wallets"),
        (0, {"to": THIEF}, "is not the address of"),
        (0, {"to": THIEF, "to_path": None}, "is not to the treasury"),
        (0, {"to": SIGNER.address(5), "to_path": deposit_path(5)}, "no transaction of the file"),
        (0, {"to": SIGNER.gas_address, "to_path": GAS_PATH}, "is not the address of"),
        (0, {"data": erc20_transfer(SIGNER.address(7), Amount(1)), "value": "0"}, "is no coin"),
        (3, {"to": SIGNER.address(7), "to_path": deposit_path(7)}, "is no coin from the gas"),
        (4, {"to": SIGNER.address(7), "to_path": deposit_path(7)}, "is no coin from the gas"),
        (0, {"path": PAYOUT_PATH}, "the address of its path"),
        (3, {"id": str(UUID(int=1))}, "is there twice"),
        (0, {"depends_on": str(UUID(int=2))}, "waits for one that is not before it"),
        (1, {"depends_on": str(UUID(int=9))}, "waits for one that is not before it"),
        (2, {"from": SIGNER.address(7), "path": deposit_path(7)}, "sender and nonce of another"),
        (3, {"max_priority_fee_per_gas": str(3 * GWEI)}, "has priority_fee"),
        (3, {"nonce": 2**64 - 1}, "has nonce"),
        (3, {"value": "1"}, "has a payload that is not that of its fields"),
        (3, {"payload": "0x"}, "has a payload that is not that of its fields"),
        (3, {"payload": PLAIN["transactions"][2]["payload"]}, "has a payload that is not"),
        (3, {"eth_transaction": {}}, "has an eth_transaction that is not that of its fields"),
        (3, {"eth_transaction": PLAIN["transactions"][2]["eth_transaction"]}, "eth_transaction"),
    ],
)
def test_what_is_not_what_it_claims_to_be_is_refused(
    place: int, change: dict[str, Any], told: str
) -> None:
    found = faults(with_change(place, **change))
    assert any(told in fault for fault in found), found


@pytest.mark.parametrize(
    "change",
    [
        {"to": "0x"},
        {"to": "0x" + "7e" * 19},
        {"value": "-1"},
        {"value": 1},
        {"value": "0x1"},
        {"value": "01"},
        {"value": "9" * 79},
        {"gas": 0},
        {"gas": 10**8},
        {"nonce": -1},
        {"data": "0xA9"},
        {"data": "0x" + "00" * 2_000},
        {"authorizations": []},
        {"chain_id": 1},
    ],
)
def test_what_cannot_be_read_with_certainty_is_not_read(change: dict[str, Any]) -> None:
    with pytest.raises(BadBundle):
        read(with_change(3, **change), ToSign)


@pytest.mark.parametrize(
    "change",
    [
        {"ctrip": "signed-transactions"},
        {"version": 1},
        {"version": 3},
        {"chain_id": 0},
        {"treasury": "0x7e"},
        {"more": 1},
    ],
)
def test_a_file_of_another_kind_or_version_is_not_read(change: dict[str, Any]) -> None:
    with pytest.raises(BadBundle):
        read(json.dumps({**PLAIN, **change}).encode(), ToSign)
    for text in (b"", b"{", b"[]", b"\xff", write(GOOD)[:-9]):
        with pytest.raises(BadBundle):
            read(text, ToSign)


def test_a_file_with_another_treasury_or_nothing_in_it_is_refused() -> None:
    (told,) = faults(json.dumps({**PLAIN, "treasury": THIEF}).encode())
    assert "names another treasury" in told
    assert faults(json.dumps({**PLAIN, "transactions": []}).encode()) == ["holds no transaction"]
    assert len(faults_of(GOOD, THIEF, SIGNER)) == 1


def test_keys_of_another_account_sign_nothing_of_a_file() -> None:
    other = Signer(bytearray(b"test test test test test test test test test test test junk"))
    assert len(faults_of(GOOD, TREASURY, other)) == len(GOOD.transactions)


values = st.one_of(
    st.sampled_from([THIEF, TREASURY, USDT, SIGNER.gas_address, *sorted(DEPOSITS)]),
    st.sampled_from([GAS_PATH, PAYOUT_PATH, *map(deposit_path, range(10))]),
    st.sampled_from([erc20_transfer(to, Amount(5)) for to in (THIEF, TREASURY)]),
    st.sampled_from(["0x", "0xa9059cbb", "0", "1", None, 0, 1, str(UUID(int=1))]),
    st.integers(0, 10**6),
)
changes = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from(sorted(PLAIN["transactions"][0])), values
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def stays_with_us(raw: bytes) -> bool:
    """Tell from a signed transaction alone whether its money stays with the shop."""
    typed = raw[0] < 0x80
    fields = rlp.decode(raw[1:] if typed else raw)
    to, value, data = fields[5:8] if typed else fields[3:6]
    if data:
        ours = data[:16] == bytes.fromhex("a9059cbb") + bytes(12)
        return bool(ours and data[16:36].hex() == TREASURY[2:] and len(data) == 68 and not value)
    if "0x" + to.hex() == TREASURY:
        return True
    sender = str(Account.recover_transaction(raw)).lower()
    return sender == SIGNER.gas_address and "0x" + to.hex() in DEPOSITS


@given(changes=changes)
@settings(deadline=None, max_examples=300)
def test_whatever_fields_are_changed_money_is_signed_to_us_or_not_at_all(changes: Any) -> None:
    transactions = [dict(one) for one in PLAIN["transactions"]]
    for place, name, value in changes:
        transactions[place][name] = value
    holds(json.dumps({**PLAIN, "transactions": transactions}).encode())


TEXT: Final = json.dumps(PLAIN).encode()


@given(at=st.integers(0, len(TEXT) - 1), byte=st.integers(0x20, 0x7E))
@settings(deadline=None, max_examples=300)
def test_whatever_byte_is_changed_money_is_signed_to_us_or_not_at_all(at: int, byte: int) -> None:
    holds(TEXT[:at] + bytes([byte]) + TEXT[at + 1 :])


def holds(text: bytes) -> None:
    """Sign a file if nothing speaks against it, and look where its money goes.

    Whoever changes a field changes the other forms of the transaction with it.
    """
    try:
        bundle = read(text, ToSign)
        redone = tuple(in_all_forms(one, bundle.chain_id) for one in bundle.transactions)
    except (BadBundle, InvariantError):
        return
    bundle = replace(bundle, transactions=redone)
    found = faults_of(bundle, TREASURY, SIGNER)
    for one in bundle.transactions:
        try:
            done = SIGNER.sign(outgoing(one, bundle.chain_id), index=index_in(one.path))
        except InvariantError:
            assert found
        else:
            assert found or stays_with_us(bytes.fromhex(done.raw[2:]))


def test_the_changes_above_would_send_money_away_if_nobody_looked() -> None:
    one = read(with_change(3, to=THIEF), ToSign).transactions[3]
    done = SIGNER.sign(outgoing(one, 31337), index=index_in(one.path))
    assert not stays_with_us(bytes.fromhex(done.raw[2:]))
