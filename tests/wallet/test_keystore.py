"""A signer from files: from words, from a keystore, and from neither when something is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from traceback import TracebackException
from typing import Any, Final

import pytest
from eth_account import Account
from msgspec.structs import replace

from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, raw
from ctrip.settings import Secret, Settlement
from ctrip.settings import Wallet as WalletSettings
from ctrip.wallet.derive import open_wallet
from ctrip.wallet.keystore import (
    Vault,
    account_in,
    load_signer,
    make_account,
    open_signer,
)
from ctrip.wallet.secret_storage import NOT_OPENED, NOT_READ, seal, unseal
from ctrip.wallet.sign import Signer
from ctrip.wallet.words import Fault, checksum_holds, word_places, words_of
from tests.support.canaries import MNEMONIC, leaks
from tests.wallet.test_sign import secrets

PASSWORD: Final = "canary keystore password 17"  # noqa: S105  planted
OF_MNEMONIC: Final = Signer(bytearray(MNEMONIC.encode()))


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    def keep(name: str, content: str | bytes) -> str:
        file = tmp_path / name
        file.touch(0o600)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(file)

    return keep


Keep = Callable[[str, str | bytes], str]


def entropy_of(words: str) -> bytearray:
    places = word_places()
    bits = 0
    for word in words.split():
        bits = bits << 11 | places[word.encode()]
    count = len(words.split())
    return bytearray((bits >> count // 3).to_bytes(count * 4 // 3))


def as_words(keep: Keep) -> Settlement:
    return Settlement(mnemonic_file=keep("words", MNEMONIC))


def as_keystore(keep: Keep) -> Settlement:
    sealed = seal(entropy_of(MNEMONIC), bytearray(PASSWORD.encode()), "bip39-entropy", n=2)
    return Settlement(
        keystore_file=keep("keystore", sealed), password_file=keep("password", f"{PASSWORD}\n")
    )


def with_gas(keep: Keep, settings: Settlement, key: str = "46" * 32) -> Settlement:
    made: dict[str, Any] = Account.encrypt(bytes.fromhex(key), PASSWORD, kdf="scrypt", iterations=2)
    return replace(
        settings,
        gas_keystore_file=keep("gas", json.dumps(made)),
        gas_password_file=keep("gas password", f"{PASSWORD}\r\nnothing here counts"),
    )


def refusal(settings: Settlement) -> str:
    """Return what is told, when nothing in a crash report with local variables is a secret."""
    with pytest.raises(ConfigError) as caught:
        load_signer(settings, expected_fingerprint=OF_MNEMONIC.fingerprint)
    assert caught.value.__context__ is None
    report = TracebackException.from_exception(caught.value, capture_locals=True)
    assert not leaks("".join(report.format()), {*secrets(), PASSWORD, "46" * 32})
    return str(caught.value)


@pytest.mark.parametrize("form", [as_words, as_keystore])
def test_words_and_a_keystore_of_them_are_the_same_signer(
    keep: Keep, form: Callable[[Keep], Settlement]
) -> None:
    signer = load_signer(form(keep), expected_fingerprint=OF_MNEMONIC.fingerprint)
    assert signer.address(3) == OF_MNEMONIC.address(3)
    assert signer.gas_address == OF_MNEMONIC.gas_address
    assert signer.payout_address == OF_MNEMONIC.payout_address


def test_words_may_be_untidy(keep: Keep) -> None:
    untidy = "\n" + MNEMONIC.upper().replace(" ", " \t\r\n") + "\n"
    signer = open_signer(Settlement(mnemonic_file=keep("words", untidy)))
    assert signer.fingerprint == OF_MNEMONIC.fingerprint


def test_the_gas_wallet_may_have_a_keystore_of_its_own(keep: Keep) -> None:
    signer = open_signer(with_gas(keep, as_words(keep)))
    assert signer.gas_address == raw(Address(Account.from_key("0x" + "46" * 32).address))
    assert signer.payout_address == OF_MNEMONIC.payout_address


def test_the_account_must_be_that_of_the_watching_wallet(keep: Keep) -> None:
    words = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    wallet = open_wallet(WalletSettings(mnemonic=Secret(words)), chain_ids=[1])
    settings = Settlement(mnemonic_file=keep("words", words))
    load_signer(settings, expected_fingerprint=wallet.fingerprint)
    told = refusal(settings)
    assert told.startswith("[settlement] mnemonic_file: is of another account than [wallet] xpub")
    assert "sausage" not in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "keystore_file: is missing"),
        ({"mnemonic_file": "a", "keystore_file": "b"}, "is given beside keystore_file"),
        ({"mnemonic_file": "a", "password_file": "b"}, "and no keystore_file to open"),
        ({"keystore_file": "a"}, "password_file: is missing"),
        ({"mnemonic_file": "a", "gas_keystore_file": "b"}, "gas_password_file: is missing"),
        ({"mnemonic_file": "a", "gas_password_file": "b"}, "gas_keystore_file: is missing"),
    ],
)
def test_what_is_missing_or_given_twice_is_told(change: dict[str, Any], told: str) -> None:
    assert told in refusal(Settlement(**change))


def test_every_file_is_refused_that_others_can_read(keep: Keep) -> None:
    settings = with_gas(keep, as_keystore(keep))
    load_signer(settings, expected_fingerprint=OF_MNEMONIC.fingerprint)
    for file in (
        settings.keystore_file,
        settings.password_file,
        settings.gas_keystore_file,
        settings.gas_password_file,
    ):
        Path(file).chmod(0o640)
        assert refusal(settings).endswith(f"run: chmod 600 {file}")
        Path(file).chmod(0o600)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (MNEMONIC.removesuffix(" ginger"), "has 11 words"),
        (MNEMONIC.replace("monitor", "moniter"), "word 6 is not in the English BIP-39 list"),
        (MNEMONIC.replace("ginger", "lens"), "its checksum is wrong"),
        (MNEMONIC.replace("ginger", "gingér"), "word 12 is not in the English BIP-39 list"),
        ("\0" * 40, "has 1 words"),
        ("xprv9s21ZrQH143K", "has 1 words"),
    ],
)
def test_damaged_words_are_told_and_not_shown(keep: Keep, words: str, told: str) -> None:
    settings = Settlement(mnemonic_file=keep("words", words))
    assert refusal(settings).startswith(f"{settings.mnemonic_file}: {told}")


def test_a_wrong_password_and_a_damaged_keystore_are_told_apart_by_nobody(keep: Keep) -> None:
    settings = as_keystore(keep)
    told = f"{settings.keystore_file}: {NOT_OPENED}"
    wrong = replace(settings, password_file=keep("other", "canary keystore password 18"))
    assert refusal(wrong) == told
    keystore = json.loads(Path(settings.keystore_file).read_text())
    keystore["crypto"]["mac"] = "00" * 32
    keep("keystore", json.dumps(keystore))
    assert refusal(settings) == told
    keep("keystore", "{}")
    assert refusal(settings) == f"{settings.keystore_file}: {NOT_READ}"


def test_an_empty_first_line_is_no_password(keep: Keep) -> None:
    settings = as_keystore(keep)
    keep("password", f"\n{PASSWORD}")
    assert "its first line is empty" in refusal(settings)


def test_a_keystore_is_used_for_what_it_holds_only(keep: Keep) -> None:
    both = with_gas(keep, as_keystore(keep))
    swapped = replace(both, keystore_file=both.gas_keystore_file)
    assert "holds a single private key, and deposits need the words" in refusal(swapped)
    swapped = replace(both, gas_keystore_file=both.keystore_file)
    assert "holds words; the gas wallet is given a single private key" in refusal(swapped)
    as_words_file = replace(both, mnemonic_file=both.keystore_file, keystore_file="")
    assert "give the file of its password" in refusal(replace(as_words_file, password_file=""))
    both = replace(both, keystore_file=keep("words", MNEMONIC))
    assert "if it holds words, leave the password out" in refusal(both)


def test_a_number_beyond_the_curve_is_no_key(keep: Keep) -> None:
    sealed = seal(bytearray(b"\xff" * 32), bytearray(b"x" * 12), "bip39-entropy", n=2)
    settings = with_gas(keep, as_words(keep))
    keep("gas", sealed.replace(b"bip39-entropy", b"private-key"))
    keep("gas password", "x" * 12)
    assert "holds no private key" in refusal(settings)


def test_new_words_are_24_and_right_and_different_each_time(tmp_path: Path) -> None:
    made = {bytes(make_account(tmp_path / f"words {n}", None)) for n in range(3)}
    assert len(made) == 3
    places = word_places()
    for words in made:
        assert len(words.split()) == 24
        assert checksum_holds([places[word] for word in words.split()])
    assert {(tmp_path / f"words {n}").read_bytes().strip() for n in range(3)} == made


def test_a_new_keystore_opens_with_its_password_and_has_the_words(
    keep: Keep, tmp_path: Path
) -> None:
    vault = Vault(tmp_path / "new.json", Path(keep("password", PASSWORD)))
    words = bytes(make_account(vault.file, bytearray(PASSWORD.encode())))
    entropy = unseal(vault.file.read_bytes(), bytearray(PASSWORD.encode()))
    assert not isinstance(entropy, Fault)
    assert words_of(entropy, word_places()) == words
    signer = Signer(words_of(entropy, word_places()))
    wallet = open_wallet(WalletSettings(xpub=Secret(account_in(vault).xpub)), chain_ids=[1])
    assert signer.fingerprint == wallet.fingerprint
    assert signer.address(0) == raw(wallet.address(0))


def test_a_password_that_could_be_guessed_makes_no_keystore(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="openssl rand -base64 24"):
        make_account(tmp_path / "new.json", bytearray(b"hunter2"))
    assert not list(tmp_path.iterdir())


def test_words_are_never_written_over(keep: Keep) -> None:
    file = Path(keep("words", MNEMONIC))
    with pytest.raises(ConfigError, match="is there already"):
        make_account(file, None)
    assert file.read_text() == MNEMONIC


def test_what_may_be_known_of_an_account_is_what_a_signer_of_it_says(keep: Keep) -> None:
    account = account_in(Vault(Path(keep("words", MNEMONIC))))
    assert account.fingerprint == OF_MNEMONIC.fingerprint
    assert raw(account.first_address) == OF_MNEMONIC.address(0)
    assert raw(account.gas_address) == OF_MNEMONIC.gas_address
    assert raw(account.payout_address) == OF_MNEMONIC.payout_address


def test_no_key_is_looked_for_in_the_environment() -> None:
    folder = Path(__file__).parents[2] / "ctrip" / "wallet"
    sources = [file.read_text() for file in folder.glob("*.py")]
    assert len(sources) > 5
    assert not any(word in source for source in sources for word in ("environ", "getenv"))
