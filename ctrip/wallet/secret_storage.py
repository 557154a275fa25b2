"""Web3 Secret Storage, version 3: a secret under a password, in JSON, as geth and others write it.

A password is stretched by scrypt (or PBKDF2, which is read and not written) into 32 bytes. The
first half is the key of AES-128 in counter mode, the second proves the password: Keccak-256 over it
and the ciphertext. What is in it is a private key, by custom; ours say what they hold, as they may
hold the entropy of words, from which many keys come.

SCRYPT_N is 2^16: 64 MB for a moment and a sixth of a second. geth's 2^18 takes 256 MB, which ends a
container of 512 MB that serves beside it, and makes each guess four times as dear: two bits more in
the password do the same. Whatever is written elsewhere is read, up to the limits below.
"""

import secrets
from collections.abc import Mapping
from hashlib import pbkdf2_hmac, scrypt
from hmac import compare_digest
from typing import Annotated, Any, Final, Literal
from uuid import uuid4

from coincurve import PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from eth_hash.auto import keccak
from msgspec import Meta, MsgspecError, Struct, convert, json, to_builtins

from ctrip.wallet.derive import address_of
from ctrip.wallet.words import ENTROPY_SIZES, Fault, wipe

Holds = Literal["bip39-entropy", "private-key"]

SCRYPT_N: Final = 2**16
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
SCRYPT_BYTES_MAX: Final = 2**30  # of memory; more is a mistake, or somebody's wish to end us
WORK_MAX: Final = 2**27  # n times r times p: half a minute
PBKDF2_ROUNDS_MAX: Final = 10_000_000  # about as long
KEY_BYTES: Final = 32  # of what a password becomes: AES key and proof
AES_BYTES: Final = 16
BLOCK_BYTES: Final = 16  # of AES: the room that a cipher asks for beyond what it writes
PRIVATE_KEY_BYTES: Final = 32
NOT_READ: Final = "is no Web3 Secret Storage (version 3) that can be read"
NOT_OPENED: Final = "does not open: the password is wrong, or the file is damaged"

Octets = Annotated[str, Meta(pattern="^(0x)?([0-9a-fA-F]{2})+$", max_length=1_024)]
Count = Annotated[int, Meta(ge=1, le=2**31)]


class Scrypt(Struct, frozen=True):
    """RFC 7914, which asks for n < 2^16 where r is 1; OpenSSL holds files to it."""

    n: Count
    r: Count
    p: Count
    salt: Octets
    dklen: Annotated[int, Meta(ge=KEY_BYTES, le=64)] = KEY_BYTES


class Pbkdf2(Struct, frozen=True):
    """RFC 8018."""

    c: Annotated[int, Meta(ge=1, le=PBKDF2_ROUNDS_MAX)]
    salt: Octets
    prf: Literal["hmac-sha256"] = "hmac-sha256"
    dklen: Annotated[int, Meta(ge=KEY_BYTES, le=64)] = KEY_BYTES


class Start(Struct, frozen=True):
    """Where the counter begins."""

    iv: Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{32}$")]


class Sealed(Struct, frozen=True):
    """What is under the password, and how."""

    cipher: Literal["aes-128-ctr"]
    cipherparams: Start
    ciphertext: Octets
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: dict[str, Any]
    mac: Octets


class Note(Struct, frozen=True):
    """What ctrip adds. It is not under the password: whoever changes it gains a wrong account."""

    holds: Holds


class Keystore(Struct, frozen=True, omit_defaults=True):
    """The file."""

    crypto: Sealed
    version: Literal[3]
    id: str = ""
    address: str = ""  # of a private key, without 0x
    ctrip: Note = Note("private-key")


def holds(text: bytes | bytearray) -> Holds | Fault:
    """Return what a keystore holds, without its password."""
    keystore = parse(text)
    return keystore if isinstance(keystore, Fault) else keystore.ctrip.holds


def unseal(text: bytes | bytearray, password: bytearray) -> bytearray | Fault:
    """Return what is under the password, or a sentence that never says more than it must."""
    keystore = parse(text)
    if isinstance(keystore, Fault):
        return keystore
    crypto = keystore.crypto
    key = stretched(crypto, password)
    if isinstance(key, Fault):
        return key
    ciphertext = octets(crypto.ciphertext)
    if not compare_digest(keccak(key[AES_BYTES:KEY_BYTES] + ciphertext), octets(crypto.mac)):
        return Fault(NOT_OPENED)
    found = in_counter_mode(ciphertext, key[:AES_BYTES], octets(crypto.cipherparams.iv))
    sizes = {"bip39-entropy": ENTROPY_SIZES, "private-key": (PRIVATE_KEY_BYTES,)}
    if len(found) not in sizes[keystore.ctrip.holds]:
        return Fault("holds something else than it says")
    return found


def seal(secret: bytearray, password: bytearray, what: Holds, *, n: int = SCRYPT_N) -> bytes:
    """Return a new file that holds a secret under a password."""
    salt, iv = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(BLOCK_BYTES)
    params = Scrypt(n=n, r=SCRYPT_R, p=SCRYPT_P, salt=salt.hex())
    key = by_scrypt(params, password)
    ciphertext = in_counter_mode(secret, key[:AES_BYTES], iv)
    address = address_of(PrivateKey(bytes(secret)).public_key) if what == "private-key" else ""
    keystore = Keystore(
        version=3,
        id=str(uuid4()),
        address=address.removeprefix("0x"),
        ctrip=Note(what),
        crypto=Sealed(
            cipher="aes-128-ctr",
            cipherparams=Start(iv.hex()),
            ciphertext=ciphertext.hex(),
            kdf="scrypt",
            kdfparams=to_builtins(params),
            mac=keccak(key[AES_BYTES:] + ciphertext).hex(),
        ),
    )
    return json.format(json.encode(keystore)) + b"\n"


def parse(text: bytes | bytearray) -> Keystore | Fault:
    """Read the JSON; names in it may be in capitals, as old clients wrote them."""
    try:
        return convert(lowered(json.decode(text)), Keystore)
    except (MsgspecError, RecursionError):
        return Fault(NOT_READ)


def lowered(value: Any) -> Any:
    """Return JSON with all its names in small letters."""
    if isinstance(value, Mapping):
        return {str(name).lower(): lowered(inner) for name, inner in value.items()}
    return value


def stretched(crypto: Sealed, password: bytearray) -> bytes | Fault:
    """Return what a password becomes."""
    try:
        if crypto.kdf == "pbkdf2":
            rounds = convert(crypto.kdfparams, Pbkdf2)
            salt = octets(rounds.salt)
            return pbkdf2_hmac("sha256", password, salt, rounds.c, rounds.dklen)
        params = convert(crypto.kdfparams, Scrypt)
        if params.n * params.r * params.p > WORK_MAX or memory(params) > SCRYPT_BYTES_MAX:
            return Fault(f"{NOT_READ}: opening it would take over 1 GB of memory, or too long")
        return by_scrypt(params, password)
    except (MsgspecError, ValueError):
        return Fault(NOT_READ)
    except MemoryError:
        return Fault("needs more memory to be opened than there is")


def by_scrypt(params: Scrypt, password: bytearray) -> bytes:
    """Stretch a password."""
    return scrypt(
        password,
        salt=octets(params.salt),
        n=params.n,
        r=params.r,
        p=params.p,
        dklen=params.dklen,
        maxmem=memory(params) + 2**20,
    )


def memory(params: Scrypt) -> int:
    """Return the bytes that scrypt takes."""
    return 128 * params.r * (params.n + params.p + 2)


def in_counter_mode(text: bytes | bytearray, key: bytes, iv: bytes) -> bytearray:
    """Encrypt or decrypt: in counter mode the two are one."""
    room = bytearray(len(text) + BLOCK_BYTES)
    size = Cipher(AES(key), CTR(iv)).encryptor().update_into(text, room)
    found = room[:size]
    wipe(room)
    return found


def octets(text: str) -> bytes:
    """Read hex, with 0x or without."""
    return bytes.fromhex(text.removeprefix("0x"))
