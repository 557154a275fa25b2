"""Signatures against the EIPs and against eth-account, and what a signer keeps to itself."""

import copy
import pickle
from traceback import TracebackException
from typing import Any, Final

import pytest
from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PrivateKey
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.envelope import NoTransaction
from ctrip.core.errors import InvariantError
from ctrip.core.ids import AMOUNT_MAX, Amount, RawAddress, raw
from ctrip.core.outgoing import Outgoing
from ctrip.core.paths import GAS_PATH, INDEX_MAX, PAYOUT_PATH, NoSuchAddress
from ctrip.settings import Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.wallet.derive import open_wallet
from ctrip.wallet.sign import Signer, WrongSender
from ctrip.wallet.words import seed_of
from tests.support.canaries import MNEMONIC, leaks

ACCOUNT: Final = "m/44'/60'/0'"
TREASURY: Final = RawAddress("0x" + "7e" * 20)
DELEGATE: Final = RawAddress("0x" + "de" * 20)

# EIP-155, "Example": the only one of the three EIPs that shows a key and what it signs.
EIP_155_KEY: Final = bytes.fromhex("46" * 32)
EIP_155_RAW: Final = (
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
    "25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)

Account.enable_unaudited_hdwallet_features()
indexes = st.integers(0, INDEX_MAX)
addresses = st.binary(min_size=20, max_size=20).map(lambda b: RawAddress("0x" + b.hex()))


def a_signer(gas: PrivateKey | None = None) -> Signer:
    return Signer(bytearray(MNEMONIC.encode()), gas=gas)


SIGNER: Final = a_signer()


def key_of(path: str) -> bytes:
    key = BIP32.from_seed(seed_of(bytearray(MNEMONIC.encode()))).get_privkey_from_path(path)
    assert isinstance(key, bytes)
    return key


@st.composite
def outgoings(draw: st.DrawFn, sender: RawAddress = TREASURY) -> Outgoing:
    max_fee = draw(st.integers(0, 2**96))
    return Outgoing(
        chain_id=draw(st.integers(1, 2**40)),
        sender=sender,
        nonce=draw(st.integers(0, 2**64 - 2)),
        to=draw(addresses),
        value=Amount(draw(st.integers(0, AMOUNT_MAX))),
        data="0x" + draw(st.binary(max_size=300)).hex(),
        gas=draw(st.integers(21_000, 2**63)),
        max_fee=max_fee,
        priority_fee=draw(st.none() | st.integers(0, max_fee)),
    )


def by_eth_account(
    outgoing: Outgoing, key: bytes, lent: list[Any] | None = None
) -> tuple[str, str]:
    fields: dict[str, Any] = {
        "chainId": outgoing.chain_id,
        "nonce": outgoing.nonce,
        "to": bytes.fromhex(outgoing.to[2:]),
        "value": outgoing.value,
        "data": outgoing.data,
        "gas": outgoing.gas,
    }
    if outgoing.priority_fee is None:
        fields |= {"gasPrice": outgoing.max_fee}
    else:
        fields |= {"maxFeePerGas": outgoing.max_fee, "maxPriorityFeePerGas": outgoing.priority_fee}
    if lent:
        fields["authorizationList"] = lent
    done = Account.sign_transaction(fields, key)
    return done.hash.to_0x_hex(), done.raw_transaction.to_0x_hex()


def test_the_example_of_eip_155_is_signed_as_it_is_printed_there() -> None:
    signer = a_signer(PrivateKey(EIP_155_KEY))
    outgoing = Outgoing(
        chain_id=1,
        sender=signer.gas_address,
        nonce=9,
        to=RawAddress("0x" + "35" * 20),
        value=Amount(10**18),
        gas=21_000,
        max_fee=20 * 10**9,
        priority_fee=None,
    )
    assert signer.sign(outgoing, index=None).raw == EIP_155_RAW


@given(outgoing=outgoings(), index=indexes)
@settings(deadline=None)
def test_deposits_are_signed_for_byte_by_byte_as_eth_account_does(
    outgoing: Outgoing, index: int
) -> None:
    outgoing = replace(outgoing, sender=SIGNER.address(index))
    done = SIGNER.sign(outgoing, index=index)
    assert (done.tx_hash, done.raw) == by_eth_account(outgoing, key_of(f"{ACCOUNT}/0/{index}"))


@given(outgoing=outgoings())
@settings(deadline=None, max_examples=20)
def test_so_are_the_gas_wallet_and_the_payout_wallet(outgoing: Outgoing) -> None:
    for sender, path in (
        (SIGNER.gas_address, GAS_PATH),
        (SIGNER.payout_address, PAYOUT_PATH),
    ):
        sent = replace(outgoing, sender=sender)
        done = SIGNER.sign(sent, index=None)
        assert (done.tx_hash, done.raw) == by_eth_account(sent, key_of(path))


@given(outgoing=outgoings(SIGNER.gas_address), index=indexes, nonce=st.integers(0, 2**64 - 2))
@settings(deadline=None, max_examples=30)
def test_authorizations_and_what_carries_them_are_those_of_eth_account(
    outgoing: Outgoing, index: int, nonce: int
) -> None:
    chain_id = outgoing.chain_id
    ours = SIGNER.authorize(chain_id, DELEGATE, nonce, index=index)
    asked = {"chainId": chain_id, "address": bytes.fromhex(DELEGATE[2:]), "nonce": nonce}
    theirs = Account.sign_authorization(asked, key_of(f"{ACCOUNT}/0/{index}"))
    assert (ours.y_parity, ours.r, ours.s) == (theirs.y_parity, theirs.r, theirs.s)
    assert "0x" + theirs.authority.hex() == SIGNER.address(index)
    priority_fee = outgoing.priority_fee or 0
    carrier = replace(outgoing, priority_fee=priority_fee, authorizations=(ours, ours))
    done = SIGNER.sign(carrier, index=None)
    assert done.raw.startswith("0x04")
    assert (done.tx_hash, done.raw) == by_eth_account(carrier, key_of(GAS_PATH), [theirs, theirs])


def test_the_account_is_that_of_the_watching_wallet() -> None:
    wallet = open_wallet(WalletSettings(mnemonic=Secret(MNEMONIC)), chain_ids=[1])
    assert SIGNER.fingerprint == wallet.fingerprint
    for index in (0, 1, 7, INDEX_MAX):
        assert SIGNER.address(index) == raw(wallet.address(index))


def test_the_three_wallets_are_different_accounts() -> None:
    deposits = {SIGNER.address(0), SIGNER.address(1), SIGNER.address(2)}
    assert len(deposits | {SIGNER.gas_address, SIGNER.payout_address}) == 5
    for path in (GAS_PATH, PAYOUT_PATH):
        assert path.split("/")[3].endswith("'")
        assert not path.startswith(ACCOUNT)


def test_a_gas_wallet_may_have_a_key_of_its_own() -> None:
    signer = a_signer(PrivateKey(EIP_155_KEY))
    assert signer.gas_address == raw(Account.from_key(EIP_155_KEY).address)
    assert signer.payout_address == SIGNER.payout_address
    assert signer.fingerprint == SIGNER.fingerprint


@given(outgoing=outgoings())
@settings(deadline=None, max_examples=10)
def test_nothing_is_signed_in_the_name_of_another_address(outgoing: Outgoing) -> None:
    for sender, index in (
        (SIGNER.address(1), 0),
        (SIGNER.address(0), None),
        (SIGNER.gas_address, 0),
        (SIGNER.payout_address, 0),
        (TREASURY, None),
        (TREASURY, 0),
    ):
        with pytest.raises(WrongSender):
            SIGNER.sign(replace(outgoing, sender=sender), index=index)


@pytest.mark.parametrize("index", [-1, INDEX_MAX + 1])
def test_no_key_is_hardened_or_negative(index: int) -> None:
    with pytest.raises(NoSuchAddress):
        SIGNER.address(index)
    with pytest.raises(NoSuchAddress):
        SIGNER.authorize(1, DELEGATE, 0, index=index)


def test_no_address_is_lent_on_all_chains_at_once() -> None:
    with pytest.raises(NoTransaction):
        SIGNER.authorize(0, DELEGATE, 0, index=0)


def secrets() -> set[str]:
    """Return every key on the way to those of the signer, and two of its children."""
    paths = (
        "m",
        ACCOUNT,
        f"{ACCOUNT}/0",
        f"{ACCOUNT}/0/0",
        f"{ACCOUNT}/0/1",
        GAS_PATH,
        PAYOUT_PATH,
    )
    keys = [key_of(path) for path in paths]
    numbers = {str(int.from_bytes(key)) for key in keys}
    return {MNEMONIC} | {key.hex() for key in keys} | {repr(key)[2:-1] for key in keys} | numbers


def test_a_signer_shows_its_fingerprint_only() -> None:
    assert repr(SIGNER) == str(SIGNER) == f"{SIGNER}" == f"Signer({SIGNER.fingerprint})"
    kept = [getattr(SIGNER, name) for name in Signer.__slots__]
    assert not leaks(f"{kept}", secrets())


def test_a_signer_is_not_copied_and_not_written_down() -> None:
    for write in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InvariantError, match="not copied and not written down"):
            write(SIGNER)
    assert not hasattr(SIGNER, "__dict__")


@pytest.mark.parametrize(
    "change", [{"sender": TREASURY}, {"to": "0x"}, {"data": "0x0"}, {"value": -1}, {"nonce": "1"}]
)
def test_no_crash_report_shows_a_key(change: dict[str, Any]) -> None:
    outgoing = Outgoing(
        chain_id=1,
        sender=SIGNER.address(0),
        nonce=0,
        to=TREASURY,
        value=Amount(1),
        gas=21_000,
        max_fee=1,
        priority_fee=1,
    )
    with pytest.raises((InvariantError, TypeError)) as caught:
        SIGNER.sign(replace(outgoing, **change), index=0)
    report = TracebackException.from_exception(caught.value, capture_locals=True)
    assert not leaks("".join(report.format()), secrets())


def test_a_signer_keeps_neither_words_nor_seed_nor_the_account_above_its_parents() -> None:
    root = BIP32.from_seed(seed_of(bytearray(MNEMONIC.encode())))
    held = [getattr(SIGNER, name) for name in Signer.__slots__]
    bytes_held = b"".join(
        part.secret if isinstance(part, PrivateKey) else bytes(part)
        for part in held
        if not isinstance(part, str)
    )
    for path in ("m", "m/44'", "m/44'/60'", ACCOUNT, "m/44'/60'/1'", "m/44'/60'/2'"):
        assert root.get_privkey_from_path(path) not in bytes_held
    assert seed_of(bytearray(MNEMONIC.encode())) not in bytes_held
    assert root.get_privkey_from_path(f"{ACCOUNT}/0") in bytes_held
