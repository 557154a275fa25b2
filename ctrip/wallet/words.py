"""The words of an account (BIP-39, English, without a passphrase): judged, read and made.

Words are bytearrays here, so that whoever holds some can wipe them, and the functions that saw them
answer with a sentence (a Fault) where something is wrong: a crash report with local variables then
has no frame to show them from.
"""

from collections.abc import Mapping
from hashlib import pbkdf2_hmac, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

from ctrip.core.errors import ConfigError

WORD_COUNTS: Final = (12, 15, 18, 21, 24)  # BIP-39
WORD_BITS: Final = 11
ENTROPY_SIZES: Final = tuple(count * 4 // 3 for count in WORD_COUNTS)  # bytes
SEED_ROUNDS: Final = 2048  # BIP-39
WORDS_SHA256: Final = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"


class Fault(Struct, frozen=True):
    """What is wrong with what an operator gave, in words that betray nothing of it."""

    text: str


def read_words(text: bytearray, places: Mapping[bytes, int]) -> bytearray | Fault:
    """Return words as BIP-39 spells them, with one blank between two, or what is wrong."""
    lowered = text.lower()
    words = lowered.split()
    wipe(lowered)
    found = bytearray(b" ").join(words)
    fault = fault_of([places.get(bytes(word)) for word in words])
    for word in words:
        wipe(word)
    if fault:
        wipe(found)
        return Fault(fault)
    return found


def fault_of(places: list[int | None]) -> str:
    """Say what is wrong with words, given the place of each in the list; "" if nothing is."""
    if len(places) not in WORD_COUNTS:
        return f"has {len(places)} words; BIP-39 knows 12, 15, 18, 21 and 24"
    for position, place in enumerate(places, start=1):
        if place is None:
            return f"word {position} is not in the English BIP-39 list; correct it"
    if not checksum_holds([place for place in places if place is not None]):
        return "its checksum is wrong; look for a mistaken word or a wrong order"
    return ""


def checksum_holds(places: list[int]) -> bool:
    """Tell whether the last bits of a phrase are the digest of the bits before them (BIP-39)."""
    bits = 0
    for place in places:
        bits = bits << WORD_BITS | place
    check_bits = len(places) // 3
    entropy = (bits >> check_bits).to_bytes(check_bits * 4, "big")
    return sha256(entropy).digest()[0] >> (8 - check_bits) == bits & ((1 << check_bits) - 1)


def words_of(entropy: bytearray, places: Mapping[bytes, int]) -> bytearray:
    """Return the words that stand for 16 to 32 random bytes."""
    words = list(places)
    check_bits = len(entropy) // 4
    digest = sha256(entropy).digest()[0] >> (8 - check_bits)
    bits = int.from_bytes(entropy, "big") << check_bits | digest
    count = (len(entropy) * 8 + check_bits) // WORD_BITS
    numbers = [bits >> WORD_BITS * left & (1 << WORD_BITS) - 1 for left in reversed(range(count))]
    return bytearray(b" ").join(words[number] for number in numbers)


def seed_of(words: bytearray) -> bytes:
    """Return what the keys of checked words grow from."""
    return pbkdf2_hmac("sha512", words, b"mnemonic", SEED_ROUNDS)


def wipe(secret: bytearray) -> None:
    """Overwrite a secret that nobody needs any more."""
    secret[:] = bytes(len(secret))


def word_places() -> dict[bytes, int]:
    """Return each English BIP-39 word with its place in the list, in the list's order.

    It is asked for before any secret is at hand, as it may raise. The list is read from
    eth-account's files: importing eth-account costs 0.7 s.
    """
    package = find_spec("eth_account")
    folder = Path(package.origin or "").parent if package else Path()
    try:
        text = (folder / "hdaccount" / "wordlist" / "english.txt").read_bytes()
    except OSError:
        text = b""
    if sha256(text).hexdigest() != WORDS_SHA256:
        raise ConfigError("the BIP-39 words of eth-account are missing or altered; install it anew")
    return {word: place for place, word in enumerate(text.split())}
