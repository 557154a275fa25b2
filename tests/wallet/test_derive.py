"""Addresses and the account they come from, against published lists and against eth-account."""

import json
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from traceback import TracebackException
from types import ModuleType
from typing import Any

import pytest
from bip32 import BIP32  # type: ignore[import-untyped]
from bip32.base58 import b58decode_check, b58encode_check  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.hdaccount.mnemonic import Mnemonic
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, RawAddress, raw
from ctrip.core.paths import INDEX_MAX, NoSuchAddress
from ctrip.settings import Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.wallet.derive import (
    DEV_CHAIN_ID,
    PUBLIC_ACCOUNTS,
    Wallet,
    checksum,
    open_wallet,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "addresses.json").read_text())
TEST_WORDS = GOLDEN[0]["mnemonic"]
PRIVATE_WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
ACCOUNT = "m/44'/60'/0'"
ANVIL = [DEV_CHAIN_ID]

Account.enable_unaudited_hdwallet_features()
indexes = st.integers(0, INDEX_MAX)


def from_words(words: str, chain_ids: list[int] = ANVIL) -> Wallet:
    return open_wallet(WalletSettings(mnemonic=Secret(words)), chain_ids=chain_ids)


def from_xpub(xpub: str, chain_ids: list[int] = ANVIL) -> Wallet:
    return open_wallet(WalletSettings(xpub=Secret(xpub)), chain_ids=chain_ids)


def master(words: str) -> Any:
    return BIP32.from_seed(Mnemonic.to_seed(words))


def refusal(wallet: WalletSettings, chain_ids: list[int] = ANVIL) -> str:
    """Return all that a crash report with local variables would hold of a refusal."""
    with pytest.raises(ConfigError) as caught:
        open_wallet(wallet, chain_ids=chain_ids)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    report = TracebackException.from_exception(caught.value, capture_locals=True)
    return "".join(report.format())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["name"]))
def test_published_addresses_are_ours(golden: dict[str, Any]) -> None:
    for wallet in (from_words(golden["mnemonic"]), from_xpub(golden["xpub"])):
        assert wallet.addresses(0, len(golden["addresses"])) == golden["addresses"]


@given(index=indexes)
@settings(deadline=None)
def test_words_and_xpub_and_eth_account_agree_on_every_index(index: int) -> None:
    theirs = Account.from_mnemonic(TEST_WORDS, account_path=f"{ACCOUNT}/0/{index}")
    assert from_words(TEST_WORDS).address(index) == theirs.address
    assert from_xpub(GOLDEN[0]["xpub"]).address(index) == theirs.address


@given(size=st.sampled_from([16, 20, 24, 28, 32]), data=st.data(), index=indexes)
@settings(deadline=None)
def test_any_words_give_the_addresses_of_eth_account(
    size: int, data: st.DataObject, index: int
) -> None:
    words = Mnemonic().to_mnemonic(data.draw(st.binary(min_size=size, max_size=size)))
    theirs = Account.from_mnemonic(words, account_path=f"{ACCOUNT}/0/{index}")
    assert from_words(words).address(index) == theirs.address


@given(st.lists(st.sampled_from(Mnemonic().wordlist), min_size=12, max_size=12))
@settings(deadline=None)
def test_only_words_with_a_right_checksum_are_taken(words: list[str]) -> None:
    phrase = " ".join(words)
    if Mnemonic().is_mnemonic_valid(phrase):
        from_words(phrase)
    else:
        assert "checksum is wrong" in refusal(WalletSettings(mnemonic=Secret(phrase)))


def test_blanks_line_ends_and_capitals_in_words_do_not_matter() -> None:
    untidy = f"\n {PRIVATE_WORDS.upper().replace(' ', '  ')}\r\n"
    assert from_words(untidy).fingerprint == from_words(PRIVATE_WORDS).fingerprint


def test_the_same_account_has_one_fingerprint_however_it_is_given() -> None:
    xpub = master(PRIVATE_WORDS).get_xpub_from_path(ACCOUNT)
    body = bytearray(b58decode_check(xpub))
    body[5:9] = bytes(4)  # some devices do not tell the parent's fingerprint
    other_spelling = b58encode_check(bytes(body)).decode()
    assert other_spelling != xpub
    fingerprints = {
        from_words(PRIVATE_WORDS).fingerprint,
        from_xpub(xpub).fingerprint,
        from_xpub(f" {xpub}\n").fingerprint,
        from_xpub(other_spelling).fingerprint,
    }
    assert len(fingerprints) == 1
    assert {len(fingerprint) for fingerprint in fingerprints} == {16}


def test_another_account_has_another_fingerprint() -> None:
    second = master(PRIVATE_WORDS).get_xpub_from_path("m/44'/60'/1'")
    assert from_xpub(second).fingerprint != from_words(PRIVATE_WORDS).fingerprint


def test_addresses_are_counted_from_the_first() -> None:
    wallet = from_words(TEST_WORDS)
    assert wallet.addresses(3, 2) == [wallet.address(3), wallet.address(4)]
    assert wallet.addresses(5, 0) == []
    assert wallet.addresses(INDEX_MAX, 1) == [wallet.address(INDEX_MAX)]


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (INDEX_MAX + 1, 1), (INDEX_MAX, 2)])
def test_an_index_that_is_hardened_or_negative_has_no_address(first: int, count: int) -> None:
    with pytest.raises(NoSuchAddress):
        from_words(TEST_WORDS).addresses(first, count)


def test_no_private_key_stays_in_memory() -> None:
    wallet = from_words(PRIVATE_WORDS)
    root = master(PRIVATE_WORDS)
    paths = ("m", "m/44'", "m/44'/60'", ACCOUNT, f"{ACCOUNT}/0", f"{ACCOUNT}/0/0")
    keys = {root.get_privkey_from_path(path) for path in paths}
    kept = [getattr(wallet, name) for name in Wallet.__slots__]
    held = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in kept)
    assert not any(key in held or key.hex().encode() in held for key in keys)
    assert "sausage" not in f"{kept}{wallet!r}"


def test_a_wallet_shows_its_fingerprint_only() -> None:
    wallet = from_words(TEST_WORDS)
    assert repr(wallet) == f"Wallet({wallet.fingerprint})"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (PRIVATE_WORDS.removesuffix(" yellow"), "has 11 words"),
        (PRIVATE_WORDS.replace("wave", "waev"), "word 5 is not in the English BIP-39 list"),
        (PRIVATE_WORDS.replace("yellow", "winner"), "checksum is wrong"),
        ("sausage", "has 1 words"),
    ],
)
def test_wrong_words_are_refused_and_never_shown(words: str, reason: str) -> None:
    report = refusal(WalletSettings(mnemonic=Secret(words)))
    assert reason in report
    assert "[wallet] mnemonic: " in report
    assert "sausage" not in report
    assert "waev" not in report


def test_a_private_key_in_place_of_an_xpub_is_refused_and_never_shown() -> None:
    xprv = master(PRIVATE_WORDS).get_xpriv_from_path(ACCOUNT)
    report = refusal(WalletSettings(xpub=Secret(xprv)))
    assert "is a private key" in report
    assert xprv[4:20] not in report


@pytest.mark.parametrize(
    ("path", "depth"), [("m", 0), ("m/44'/60'", 2), (f"{ACCOUNT}/0", 4), (f"{ACCOUNT}/0/7", 5)]
)
def test_an_xpub_of_another_level_is_refused_with_the_right_path(path: str, depth: int) -> None:
    xpub = master(PRIVATE_WORDS).get_xpub_from_path(path)
    report = refusal(WalletSettings(xpub=Secret(xpub)))
    assert f"is {depth} levels below the master key" in report
    assert f"export the xpub of {ACCOUNT}" in report
    assert xpub[4:20] not in report


XPUB = GOLDEN[0]["xpub"]


@pytest.mark.parametrize(
    "text",
    [
        XPUB[:-1],
        XPUB[:-1] + "1",
        XPUB.replace("Ce9", "Ce8"),
        "xpub",
        "xpub0OIl",
        "xpubä",
        "xpub" * 40,
    ],
)
def test_a_damaged_xpub_is_refused_and_never_shown(text: str) -> None:
    report = refusal(WalletSettings(xpub=Secret(text)))
    assert "is damaged" in report
    assert XPUB[4:20] not in report


@pytest.mark.parametrize("text", ["zpub6rFR7y4Q2AijB", "tpubD6NzVbkrYhZ4", "0x04aa", "hello"])
def test_keys_of_other_coins_and_nets_are_refused(text: str) -> None:
    assert "must begin with xpub" in refusal(WalletSettings(xpub=Secret(text)))


def test_both_or_neither_is_refused() -> None:
    both = WalletSettings(xpub=Secret(XPUB), mnemonic=Secret(TEST_WORDS))
    assert "is given beside mnemonic" in refusal(both)
    assert "is missing" in refusal(WalletSettings())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["name"]))
@pytest.mark.parametrize("chain_ids", [[1], [DEV_CHAIN_ID, 56]])
def test_an_account_printed_in_manuals_is_refused_on_real_chains(
    golden: dict[str, Any], chain_ids: list[int]
) -> None:
    words, xpub = Secret(golden["mnemonic"]), Secret(golden["xpub"])
    assert "printed in manuals" in refusal(WalletSettings(mnemonic=words), chain_ids)
    assert "printed in manuals" in refusal(WalletSettings(xpub=xpub), chain_ids)
    assert golden["xpub"] not in refusal(WalletSettings(xpub=xpub), chain_ids)


def test_an_account_printed_in_manuals_will_do_on_anvil() -> None:
    assert from_words(TEST_WORDS, []).fingerprint in PUBLIC_ACCOUNTS
    assert from_words(TEST_WORDS, ANVIL).fingerprint in PUBLIC_ACCOUNTS


def test_an_account_of_ones_own_will_do_everywhere() -> None:
    assert from_words(PRIVATE_WORDS, [1, 56, DEV_CHAIN_ID]).fingerprint not in PUBLIC_ACCOUNTS


def test_a_changed_word_list_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = tmp_path / "hdaccount" / "wordlist" / "english.txt"
    words.parent.mkdir(parents=True)
    words.write_text("\n".join(reversed(Mnemonic().wordlist)))
    altered = ModuleType("eth_account")
    altered.__spec__ = ModuleSpec("eth_account", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setitem(sys.modules, "eth_account", altered)
    report = refusal(WalletSettings(mnemonic=Secret(PRIVATE_WORDS)))
    assert "missing or altered" in report
    assert "wave sausage" not in report


@pytest.mark.parametrize(
    "address",  # the examples of EIP-55
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_addresses_are_spelt_as_in_eip_55(address: str) -> None:
    assert checksum(raw(Address(address))) == address


def test_addresses_come_fast_enough_for_a_burst_of_payments() -> None:
    wallet = from_words(TEST_WORDS)
    started = time.perf_counter()
    wallet.addresses(0, 1_000)
    assert time.perf_counter() - started < 1  # 0.05 s where this was written


def test_opening_a_wallet_does_not_wait_for_eth_account() -> None:
    """Importing it takes longer than everything else that a start does."""
    script = (
        "import sys, ctrip.settings as s, ctrip.wallet.derive as d;"
        f"d.open_wallet(s.Wallet(mnemonic=s.Secret({TEST_WORDS!r})), chain_ids=[]).address(0);"
        "sys.exit('eth_account' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603


def test_a_checksum_is_made_of_lower_case() -> None:
    assert checksum(RawAddress("0x" + "0" * 40)) == "0x" + "0" * 40
