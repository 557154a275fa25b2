"""`ctrip keys wallet`: keys are made and looked at without being shown."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from ctrip.core.ids import raw
from ctrip.settings import Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.wallet.derive import checksum, open_wallet
from ctrip.wallet.secret_storage import seal
from ctrip.wallet.sign import Signer
from ctrip.wallet.words import word_places, words_of
from tests.support.canaries import MNEMONIC, leaks
from tests.support.terminal import Done, Terminal
from tests.support.warm_ctrip import WarmCtrip

PASSWORD: Final = "canary keystore password 23"  # noqa: S105  planted
NO_DATABASE: Final = "postgresql://nobody@127.0.0.1:1/nothing"
ENTROPY: Final = bytearray(b"canary entropy of 32 bytes, no 1")
ENTROPY_WORDS: Final = words_of(ENTROPY, word_places()).decode()
OF_MNEMONIC: Final = Signer(bytearray(MNEMONIC.encode()))


class Purse:
    """Where `ctrip keys wallet` is typed, in a folder of its own."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._terminal.environ["CTRIP_WALLET_MNEMONIC"] = MNEMONIC
        self.folder = terminal.folder

    def type(self, *words: str, **overrides: str) -> Done:
        """Run it; whatever is said, nothing planted is in it."""
        done = self._terminal.run(["keys", "wallet", *words], "", overrides)
        assert not leaks(done.out + done.err, {MNEMONIC, ENTROPY_WORDS, PASSWORD})
        return done

    def file(self, name: str, content: str | bytes, mode: int = 0o600) -> str:
        file = self.folder / name
        file.touch(0o600)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)
        return name

    def keystore(self, name: str = "keystore") -> str:
        sealed = seal(ENTROPY, bytearray(PASSWORD.encode()), "bip39-entropy", n=2)
        return self.file(name, sealed)


@pytest.fixture
def purse(tmp_path: Path, warm: WarmCtrip) -> Purse:
    return Purse(Terminal(NO_DATABASE, tmp_path, warm=warm))


def fingerprint(xpub: str) -> str:
    return open_wallet(WalletSettings(xpub=Secret(xpub)), chain_ids=[1]).fingerprint


def test_new_words_are_left_in_a_file_and_their_xpub_is_shown(purse: Purse) -> None:
    done = purse.type("new", "words")
    words = (purse.folder / "words").read_text()
    assert (done.code, done.err) == (0, "")
    assert fingerprint(done.out.strip()) == Signer(bytearray(words.strip().encode())).fingerprint
    assert not leaks(done.out, [words])
    assert (purse.folder / "words").stat().st_mode & 0o777 == 0o600


def test_words_are_shown_to_whoever_asks(purse: Purse) -> None:
    done = purse.type("new", "words", "--show-words")
    assert done.out.splitlines()[1] == (purse.folder / "words").read_text().strip()
    shown = purse.type("new", "more words", "--show-words", "--json").json
    assert shown["words"] == (purse.folder / "more words").read_text().strip()
    assert "words" not in purse.type("new", "yet more", "--json").json


def test_a_new_keystore_opens_with_its_password_only(purse: Purse) -> None:
    password = purse.file("password", PASSWORD)
    words = ("new", "account.json", "--keystore", "--password-file", password, "--json")
    made = purse.type(*words).json
    assert json.loads((purse.folder / "account.json").read_text())["version"] == 3
    shown = purse.type("show-xpub", "account.json", "--password-file", password, "--json").json
    assert shown == {k: v for k, v in made.items() if k != "file"}
    other = purse.file("other", "not the password")
    done = purse.type("show-xpub", "account.json", "--password-file", other)
    assert (done.code, done.out) == (2, "")
    assert "does not open" in done.err


def test_nothing_is_written_over(purse: Purse) -> None:
    file = purse.file("words", MNEMONIC)
    done = purse.type("new", file)
    assert (done.code, done.out) == (2, "")
    assert "is there already" in done.err
    assert (purse.folder / file).read_text() == MNEMONIC


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--keystore",), "there is no terminal to ask at"),
        (("--password-file", "password"), "is given without --keystore"),
        (("--keystore", "--password-file", "short"), "could be guessed"),
        (("--keystore", "--password-file", "nothing"), "cannot be opened"),
        (("--keystore", "--password-file", "open"), "run: chmod 600 open"),
    ],
)
def test_no_keystore_is_made_without_a_good_password(
    purse: Purse, words: tuple[str, ...], told: str
) -> None:
    purse.file("password", PASSWORD)
    purse.file("short", "hunter2")
    purse.file("open", PASSWORD, 0o644)
    done = purse.type("new", "account.json", *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert not (purse.folder / "account.json").exists()


def test_the_xpub_of_words_is_shown(purse: Purse) -> None:
    done = purse.type("show-xpub", purse.file("words", MNEMONIC))
    assert fingerprint(done.out.strip()) == OF_MNEMONIC.fingerprint
    shown = purse.type("show-xpub", "words", "--json").json
    assert raw(shown["first_address"]) == OF_MNEMONIC.address(0)


def checked(purse: Purse, code: int, **overrides: str) -> tuple[Any, str]:
    done = purse.type("check", "--json", **overrides)
    assert done.code == code, done.err
    return done.json, done.err


def test_hold_needs_no_keys_and_check_says_so(purse: Purse) -> None:
    found, _ = checked(purse, 0)
    assert (found["mode"], found["files"], found["fingerprint"]) == ("hold", {}, None)
    assert "none is needed" in purse.type("check").out


def test_check_tells_the_other_wallets_of_the_account(purse: Purse) -> None:
    ours = {"CTRIP_SETTLEMENT_MNEMONIC_FILE": str(purse.folder / purse.file("words", MNEMONIC))}
    found, _ = checked(purse, 0, **ours)
    assert found["files"] == {"mnemonic_file": ""}
    assert found["fingerprint"] == OF_MNEMONIC.fingerprint
    assert found["gas_address"] == checksum(OF_MNEMONIC.gas_address)
    assert found["payout_address"] == checksum(OF_MNEMONIC.payout_address)
    text = purse.type("check", **ours).out
    assert found["gas_address"] in text
    assert found["payout_address"] in text


def test_check_refuses_files_of_everybody_and_accounts_of_others(purse: Purse) -> None:
    purse.file("password", PASSWORD, 0o604)
    ours = {
        "CTRIP_SETTLEMENT_KEYSTORE_FILE": str(purse.folder / purse.keystore()),
        "CTRIP_SETTLEMENT_PASSWORD_FILE": str(purse.folder / "password"),
    }
    found, err = checked(purse, 2, **ours)
    assert err.endswith(f"run: chmod 600 {purse.folder / 'password'}\n")
    assert found["files"]["keystore_file"] == ""
    assert found["fault"] == err.strip()
    purse.file("password", PASSWORD)
    found, err = checked(purse, 2, **ours)
    assert "is of another account than [wallet] xpub" in err
    assert found["gas_address"] is None


def test_to_sweep_without_keys_is_a_fault_of_the_configuration(purse: Purse) -> None:
    done = purse.type("check", CTRIP_SETTLEMENT_MODE="sweep")
    assert done.code == 2
    assert "[settlement] mnemonic_file: is missing, and so is keystore_file" in done.err
    assert "[settlement] treasury: is missing" in done.err
