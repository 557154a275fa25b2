"""Web3 Secret Storage against its definition's own files and against eth-account."""

import json
from functools import cache
from typing import Any, Final

import pytest
from eth_account import Account

from ctrip.wallet.secret_storage import NOT_OPENED, NOT_READ, SCRYPT_N, holds, seal, unseal
from ctrip.wallet.words import Fault

PASSWORD: Final = "canary password 71"  # noqa: S105  planted
KEY: Final = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")

# What the definition of the format prints for PBKDF2. Its file for scrypt has r = 1 and n = 2^18,
# which the RFC on scrypt rules out.
PRINTED_PASSWORD: Final = "testpassword"  # noqa: S105  printed
ROUNDS: Final = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def text_of(keystore: Any) -> bytes:
    return json.dumps(keystore).encode()


def opened(text: bytes, password: str = PASSWORD) -> bytes:
    found = unseal(text, bytearray(password.encode()))
    assert not isinstance(found, Fault), found
    return bytes(found)


def refusal(text: bytes, password: str = PASSWORD) -> str:
    found = unseal(text, bytearray(password.encode()))
    assert isinstance(found, Fault)
    assert "canary" not in found.text
    assert KEY.hex()[:8] not in found.text
    return found.text


@cache
def quick() -> dict[str, Any]:
    """Return a keystore that opens in a millisecond, made by eth-account."""
    made = Account.encrypt(KEY, PASSWORD, kdf="scrypt", iterations=2)
    assert isinstance(made, dict)
    return made


def quick_with(**crypto: Any) -> bytes:
    keystore = quick()
    return text_of({**keystore, "crypto": {**keystore["crypto"], **crypto}})


def test_the_printed_file_opens() -> None:
    assert opened(text_of(ROUNDS), PRINTED_PASSWORD) == KEY


def test_names_in_capitals_are_read_and_so_is_hex_with_0x() -> None:
    assert opened(text_of({k.upper(): v for k, v in quick().items()})) == KEY
    assert opened(quick_with(mac="0x" + quick()["crypto"]["mac"])) == KEY


def test_what_eth_account_wrote_is_read() -> None:
    assert opened(text_of(quick())) == KEY
    assert opened(text_of(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2))) == KEY
    assert holds(text_of(quick())) == "private-key"


def test_what_is_written_eth_account_reads() -> None:
    text = seal(bytearray(KEY), bytearray(PASSWORD.encode()), "private-key")
    written = json.loads(text)
    assert Account.decrypt(written, PASSWORD) == KEY
    assert written["address"] == quick()["address"].lower()
    assert written["crypto"]["kdfparams"]["n"] == SCRYPT_N


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_the_entropy_of_any_number_of_words_comes_back_and_is_named_so(size: int) -> None:
    entropy = bytearray(range(size))
    text = seal(entropy, bytearray(PASSWORD.encode()), "bip39-entropy", n=2)
    assert opened(text) == entropy
    assert holds(text) == "bip39-entropy"
    assert json.loads(text)["ctrip"] == {"holds": "bip39-entropy"}
    assert "address" not in json.loads(text)


def test_the_same_secret_is_never_sealed_the_same_way_twice() -> None:
    texts = {seal(bytearray(KEY), bytearray(b"x"), "private-key", n=2) for _ in range(2)}
    found = [json.loads(text)["crypto"] for text in texts]
    assert len({one["cipherparams"]["iv"] for one in found}) == 2
    assert len({one["kdfparams"]["salt"] for one in found}) == 2


@pytest.mark.parametrize("password", ["", "canary password 72", "Canary password 71", PASSWORD * 2])
def test_a_wrong_password_is_told_as_damage_would_be(password: str) -> None:
    assert refusal(text_of(quick()), password) == NOT_OPENED


@pytest.mark.parametrize("field", ["ciphertext", "mac"])
def test_damage_is_noticed(field: str) -> None:
    value = quick()["crypto"][field]
    other = ("1" if value[0] == "0" else "0") + value[1:]
    assert refusal(quick_with(**{field: other})) == NOT_OPENED


SCRYPT: Final = {"n": 2, "r": 8, "p": 1, "dklen": 32, "salt": "ab" * 16}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"crypto": {}, "version": 3}',
        b'{"a":' * 2_000,
        quick_with(cipher="aes-256-cbc"),
        quick_with(kdf="argon2id"),
        quick_with(ciphertext=""),
        quick_with(ciphertext="zz"),
        quick_with(ciphertext="abc"),
        quick_with(cipherparams={"iv": "ab"}),
        quick_with(kdfparams={}),
        quick_with(kdfparams={**SCRYPT, "n": 3}),
        quick_with(kdfparams={**SCRYPT, "n": 2**16, "r": 1}),
        quick_with(kdfparams={**SCRYPT, "n": 1}),
        quick_with(kdfparams={**SCRYPT, "n": 2.5}),
        quick_with(kdfparams={**SCRYPT, "dklen": 16}),
        quick_with(kdf="pbkdf2", kdfparams={"c": 10**12, "salt": "ab"}),
        quick_with(kdf="pbkdf2", kdfparams={"c": 1, "salt": "ab", "prf": "hmac-sha1"}),
        text_of({**quick(), "version": 4}),
        text_of({**quick(), "ctrip": {"holds": "something"}}),
    ],
)
def test_what_is_no_keystore_is_told(text: bytes) -> None:
    assert refusal(text) == NOT_READ


@pytest.mark.parametrize("change", [{"n": 2**24}, {"n": 2**18, "r": 64}, {"n": 2**20, "p": 2**20}])
def test_a_file_cannot_ask_for_all_memory_or_all_day(change: dict[str, int]) -> None:
    text = quick_with(kdfparams={**SCRYPT, **change})
    assert "over 1 GB of memory, or too long" in refusal(text)


def test_what_a_file_says_it_holds_it_must_hold() -> None:
    entropy = json.loads(seal(bytearray(16), bytearray(b"x"), "bip39-entropy", n=2))
    entropy["ctrip"]["holds"] = "private-key"
    assert refusal(text_of(entropy), "x") == "holds something else than it says"
