"""`ctrip sweep sign`: a file is signed where there is nothing but the file and the keys."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from eth_account import Account

from ctrip.core.bundles import ToSend, read, write
from ctrip.wallet.derive import checksum
from ctrip.wallet.secret_storage import seal
from ctrip.wallet.sign import Signer
from ctrip.wallet.words import word_places, words_of
from tests.support.bundling import (
    OTHER_PAYER,
    PAYER,
    TREASURY,
    USDT,
    a_file,
    a_file_with_refunds,
)
from tests.support.canaries import MNEMONIC, leaks
from tests.support.gateway import CTRIP
from tests.support.terminal import Done, Terminal
from tests.support.warm_ctrip import WarmCtrip

PASSWORD: Final = "canary keystore password 31"  # noqa: S105  planted
ENTROPY: Final = bytearray(b"canary entropy of 32 bytes, no 2")
SIGNER: Final = Signer(bytearray(MNEMONIC.encode()))
FILE: Final = a_file(SIGNER)
ADDRESS: Final = checksum(TREASURY)
WORDS: Final = ("sweep", "sign", "unsigned.json", "--out", "signed.json", "--treasury", ADDRESS)
KEYS: Final = ("--mnemonic-file", "words")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where a file to sign lies, beside the words of its account."""
    (tmp_path / "unsigned.json").write_bytes(write(FILE))
    keep(tmp_path / "words", MNEMONIC)
    return tmp_path


def keep(file: Path, content: str | bytes) -> None:
    file.touch(0o600)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def terminal(folder: Path, warm: WarmCtrip) -> Terminal:
    terminal = Terminal("", folder, warm=warm)
    terminal.environ = {"PATH": terminal.environ["PATH"]}  # nothing is configured here
    return terminal


def run(terminal: Terminal, *words: str) -> Done:
    """Run it; whatever is said, nothing planted is in it."""
    done = terminal.run([*WORDS, *words])
    assert not leaks(done.out + done.err, {MNEMONIC, PASSWORD})
    return done


def refusal(terminal: Terminal, *words: str) -> str:
    done = run(terminal, *words)
    assert done.code == 2
    assert not (terminal.folder / "signed.json").exists()
    return done.err


def by_sender(folder: Path) -> list[str]:
    """Return who signed what came back, as a library that is not ours finds it out."""
    found = read((folder / "signed.json").read_bytes(), ToSend)
    assert (found.chain, found.chain_id, found.made_at) == (FILE.chain, 31337, FILE.made_at)
    assert [one.id for one in found.transactions] == [one.id for one in FILE.transactions]
    return [str(Account.recover_transaction(one.raw)).lower() for one in found.transactions]


def test_a_file_is_signed_where_no_network_is(folder: Path) -> None:
    program = 'cut -d: -f1 -s /proc/net/dev; exec "$0" "$@"'
    done = subprocess.run(  # noqa: S603  our own words
        ["unshare", "--map-root-user", "--net", "sh", "-c", program, CTRIP, *WORDS, *KEYS, "--yes"],  # noqa: S607
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    interfaces, said = done.stdout.split("\n", 1)
    assert interfaces.strip() == "lo", "and that one is down"
    assert said.endswith("signed: signed.json\n")
    assert by_sender(folder) == [one.sender for one in FILE.transactions]


def test_what_a_file_does_is_shown_in_sums_before_it_is_signed(terminal: Terminal) -> None:
    text = run(terminal, *KEYS, "--yes").out
    for line in (
        "chain     anvil, 31337",
        f"account   {SIGNER.fingerprint}",
        f"treasury  {ADDRESS}",
        "1 x  0.001 ETH (1000000000000000 wei)  gas for deposit addresses",
        f"2 x  10.5 USDT (10500000 of {USDT})  to {ADDRESS}",
        f"2 x  0.700000000000000001 ETH (700000000000000001 wei)  to {ADDRESS}",
        "fees, at most  0.001 ETH",
    ):
        assert line in text


REFUNDS: Final = ("--refund-max", "coin=0.5", "--refund-max", f"{USDT}=30000000")


def test_refunds_are_shown_one_by_one_and_signed_only_if_they_were_expected(
    terminal: Terminal,
) -> None:
    whole = a_file_with_refunds(SIGNER)
    keep(terminal.folder / "unsigned.json", write(whole))
    told = refusal(terminal, *KEYS, "--yes")
    assert f"gives back 30000000 of {USDT} in 1 refunds, and --refund-max for that is 0" in told
    done = run(terminal, *KEYS, *REFUNDS, "--yes")
    assert done.code == 0, done.err
    for line in (
        f"1 x  30 USDT (30000000 of {USDT})  REFUNDS, to those below",
        f"  refund  30 USDT (30000000 of {USDT})",
        f"to {checksum(OTHER_PAYER)}, for payment {UUID(int=2)}, asked for at 2026-11-29 12:30",
        f"to {checksum(PAYER)}, for payment {UUID(int=1)}, asked for at 2026-11-29 12:30",
    ):
        assert line in done.out
    signed = read((terminal.folder / "signed.json").read_bytes(), ToSend)
    senders = [str(Account.recover_transaction(one.raw)).lower() for one in signed.transactions]
    assert senders == [one.sender for one in whole.transactions]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("USDT=30", "--refund-max: must be coin=0.5 (whole coins), or a token's contract"),
        ("coin=", "--refund-max: must be coin=0.5"),
        (f"{USDT}=1.5", "--refund-max: must be coin=0.5"),
        ("coin=1", "--refund-max: says twice how much of native may go; say it once"),
    ],
)
def test_how_much_may_be_given_back_is_said_in_units_that_no_file_can_bend(
    terminal: Terminal, given: str, told: str
) -> None:
    assert told in refusal(terminal, *KEYS, *REFUNDS, "--refund-max", given, "--yes")


def test_the_same_is_there_as_json(terminal: Terminal) -> None:
    done = run(terminal, *KEYS, "--yes", "--json")
    assert done.json["treasury"] == ADDRESS
    assert done.json["transactions"] == 5
    assert done.json["fee_max"] == 10**15
    assert {(m["count"], m["is_gas"]) for m in done.json["moves"]} == {(1, True), (2, False)}


def test_a_keystore_signs_as_its_words_do(terminal: Terminal) -> None:
    signer = Signer(words_of(ENTROPY, word_places()))
    keep(terminal.folder / "unsigned.json", write(a_file(signer)))
    sealed = seal(ENTROPY, bytearray(PASSWORD.encode()), "bip39-entropy", n=2)
    keep(terminal.folder / "keystore", sealed)
    keep(terminal.folder / "password", PASSWORD)
    words = ("--keystore-file", "keystore", "--password-file", "password")
    assert run(terminal, *words, "--yes").code == 0
    assert by_sender(terminal.folder)[1:3] == [signer.address(7), signer.address(8)]


def test_a_gas_wallet_of_its_own_signs_for_the_gas(terminal: Terminal) -> None:
    own = Account.from_key(b"\x46" * 32).address.lower()
    text = write(FILE).decode().replace(SIGNER.gas_address, own)
    keep(terminal.folder / "unsigned.json", text)
    assert "the address of its path" in refusal(terminal, *KEYS, "--yes")
    made = Account.encrypt(b"\x46" * 32, PASSWORD, kdf="scrypt", iterations=2)
    keep(terminal.folder / "gas", json.dumps(made))
    keep(terminal.folder / "password", PASSWORD)
    words = ("--gas-keystore-file", "gas", "--gas-password-file", "password")
    assert run(terminal, *KEYS, *words, "--yes").code == 0
    assert by_sender(terminal.folder)[0] == own


def test_nothing_is_signed_unasked_and_nothing_written_over(terminal: Terminal) -> None:
    assert "there is no terminal to ask at" in refusal(terminal, *KEYS)
    keep(terminal.folder / "signed.json", "an older one")
    done = run(terminal, *KEYS, "--yes")
    assert done.code == 2
    assert "is there already" in done.err
    assert (terminal.folder / "signed.json").read_text() == "an older one"


def changed(folder: Path, place: int, **fields: Any) -> None:
    file = json.loads(write(FILE))
    file["transactions"][place] |= fields
    keep(folder / "unsigned.json", json.dumps(file))


def test_a_file_that_was_tampered_with_is_refused_as_a_whole(terminal: Terminal) -> None:
    thief = "0x" + "bad0" * 10
    changed(terminal.folder, 3, to=thief)
    told = refusal(terminal, *KEYS, "--yes")
    assert f"unsigned.json: transaction 4 ({FILE.transactions[3].id}) is not to the treas" in told
    assert told.endswith("nothing was signed\n")
    keep(terminal.folder / "unsigned.json", "\x1b[2J{")
    assert refusal(terminal, *KEYS, "--yes") == "unsigned.json: is no JSON, or was cut off\n"


def test_words_of_a_file_cannot_command_the_terminal(terminal: Terminal) -> None:
    file = json.loads(write(FILE))
    file["chain"] = "anvil\x1b[2J"
    file["units"][0]["symbol"] = "ETH\x1b[2J\nmore"
    keep(terminal.folder / "unsigned.json", json.dumps(file))
    assert "\x1b" not in run(terminal, *KEYS, "--yes").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "give --mnemonic-file, or --keystore-file with --password-file"),
        (("--keystore-file", "words"), "give --mnemonic-file, or --keystore-file with"),
        ((*KEYS, "--chain-id", "1"), "is for the chain 31337"),
        ((*KEYS, "--fee-max", "0.00099"), "could take 0.001 coins of fees"),
        ((*KEYS, "--fee-max", "much"), "--fee-max: must be whole coins"),
        ((*KEYS, "--treasury", "0x" + "11" * 20), "names another treasury than you"),
        ((*KEYS, "--treasury", "0x7e"), "--treasury: must be 0x and 40"),
        ((*KEYS, "--treasury", ADDRESS.swapcase().replace("X", "x")), "has a wrong checksum"),
        (("--mnemonic-file", "unsigned.json"), "run: chmod 600 unsigned.json"),
    ],
)
def test_what_whoever_signs_knows_better_is_believed(
    terminal: Terminal, words: tuple[str, ...], told: str
) -> None:
    assert told in refusal(terminal, *words, "--yes")
