"""What comes back signed is known again, and nothing else is taken for it."""

from typing import Any, Final

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.envelope import signed
from ctrip.core.ids import Amount, TxHash
from ctrip.core.outgoing import Outgoing, Signed
from ctrip.wallet.genuine import is_genuine
from tests.wallet.test_sign import SIGNER, TREASURY, outgoings

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PLAIN: Final = Outgoing(
    chain_id=56,
    sender=SIGNER.address(3),
    nonce=5,
    to=TREASURY,
    value=Amount(10**18),
    gas=21_000,
    max_fee=7,
    priority_fee=1,
)


@given(outgoing=outgoings(SIGNER.address(3)))
@settings(deadline=None)
def test_every_form_of_transaction_is_known_again(outgoing: Outgoing) -> None:
    assert is_genuine(outgoing, SIGNER.sign(outgoing, index=3))


@pytest.mark.parametrize("fee", [1, None])
@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 57},
        {"nonce": 6},
        {"to": SIGNER.gas_address},
        {"value": 1},
        {"gas": 21_001},
        {"max_fee": 8},
        {"data": "0x00"},
    ],
)
def test_a_transaction_that_was_changed_is_another(fee: int | None, change: dict[str, Any]) -> None:
    plain = replace(PLAIN, priority_fee=fee)
    done = SIGNER.sign(plain, index=3)
    assert is_genuine(plain, done)
    assert not is_genuine(replace(plain, **change), done)


def test_what_brings_authorizations_along_is_known_again_and_needs_them() -> None:
    lent = SIGNER.authorize(PLAIN.chain_id, TREASURY, 6, index=4)
    carrier = replace(PLAIN, authorizations=(lent,))
    done = SIGNER.sign(carrier, index=3)
    assert is_genuine(carrier, done)
    assert not is_genuine(PLAIN, done)
    assert not is_genuine(replace(PLAIN, authorizations=(lent, lent)), done)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (2**256 - 1, 1), (5, 1), (ORDER, 1)])
def test_numbers_that_are_no_signature_are_not_taken_for_one(r: int, s: int) -> None:
    assert not is_genuine(PLAIN, signed_as(signed(PLAIN, 0, r, s)))


def test_a_signature_of_somebody_else_is_not_the_senders() -> None:
    other = replace(PLAIN, sender=SIGNER.address(4))
    assert not is_genuine(PLAIN, SIGNER.sign(other, index=4))


def test_the_hash_is_that_of_the_bytes() -> None:
    done = SIGNER.sign(PLAIN, index=3)
    assert not is_genuine(PLAIN, Signed(TxHash("0x" + "00" * 32), done.raw))


@given(at=st.integers(0, 200), byte=st.integers(0, 255))
@settings(deadline=None)
def test_other_bytes_are_not_taken_for_it(at: int, byte: int) -> None:
    done = SIGNER.sign(PLAIN, index=3)
    raw = bytearray.fromhex(done.raw[2:])
    at %= len(raw)
    if raw[at] == byte:
        return
    raw[at] = byte
    assert not is_genuine(PLAIN, signed_as(raw))


@pytest.mark.parametrize("raw", ["", "02", "02c0", "ff" * 120])
def test_what_is_no_transaction_is_not_taken_for_it(raw: str) -> None:
    assert not is_genuine(PLAIN, signed_as(bytes.fromhex(raw)))


def test_the_other_signature_of_the_same_key_is_refused_as_nodes_do() -> None:
    done = SIGNER.sign(PLAIN, index=3)
    raw = bytes.fromhex(done.raw[2:])
    s = int.from_bytes(raw[-32:])
    twin = signature_with(raw, ORDER - s)
    assert not is_genuine(PLAIN, signed_as(twin))


def signed_as(raw: bytes | bytearray) -> Signed:
    """Return bytes with their own hash, so that it is the rest that is judged."""
    return Signed(TxHash("0x" + keccak(bytes(raw)).hex()), "0x" + raw.hex())


def signature_with(raw: bytes, s: int) -> bytes:
    """Return a transaction of type 2 with the other s, and the other parity that goes with it."""
    at = len(raw) - 67  # y_parity, then r and s with a byte for their length
    parity = {0x80: 0x01, 0x01: 0x80}[raw[at]]
    return raw[:at] + bytes([parity]) + raw[at + 1 : -32] + s.to_bytes(32)
