"""From files to a Signer. Keys come from files alone: variables are shown by many programs.

The keys of an account grow from words. These stand in a file as they are, or their entropy lies in
a keystore under a password, which stands in a file of its own. The gas wallet may have a keystore
with one private key, made by any program that makes such.

Functions that saw a secret answer with what was asked for, or with a Fault; errors are raised by
frames that never saw one, and name a file, never what is in it.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PrivateKey
from msgspec import Struct
from msgspec.structs import fields

from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address
from ctrip.core.paths import ACCOUNT_PATH
from ctrip.settings import Settlement
from ctrip.wallet.derive import checksum
from ctrip.wallet.private_files import read_private, write_private
from ctrip.wallet.secret_storage import holds, seal, unseal
from ctrip.wallet.sign import Signer
from ctrip.wallet.words import Fault, read_words, seed_of, wipe, word_places, words_of

NEW_ENTROPY_BYTES: Final = 32  # 24 words
PASSWORD_BYTES_MIN: Final = 12  # of a new keystore; `openssl rand -base64 24` gives 32

Places = Mapping[bytes, int]


class Vault(Struct, frozen=True):
    """Where the words of an account lie: the file, and that of its password if it is a keystore."""

    file: Path
    password_file: Path | None = None


class Account(Struct, frozen=True, kw_only=True):
    """What may be known of an account by those who must not spend."""

    xpub: str
    fingerprint: str
    first_address: Address
    gas_address: Address
    payout_address: Address


def load_signer(settings: Settlement, *, expected_fingerprint: str) -> Signer:
    """Return the signer of the configured files; raise ConfigError if it is of another account."""
    signer = open_signer(settings)
    if signer.fingerprint != expected_fingerprint:
        raise ConfigError(
            f"[settlement] {named(settings)[0]}: is of another account than [wallet] xpub, and"
            " could move none of its deposits; give the words that the xpub was made of"
        )
    return signer


def open_signer(settings: Settlement) -> Signer:
    """Return the signer of the configured files, whichever account they are of."""
    vault = vault_of(settings)
    gas = gas_vault_of(settings)
    found = opened(vault, gas, word_places())
    if isinstance(found, Fault):
        raise ConfigError(found.text)
    return found


def named(settings: Settlement) -> list[str]:
    """Return which of the two ways to words is configured; exactly one is right."""
    ways = {"mnemonic_file": settings.mnemonic_file, "keystore_file": settings.keystore_file}
    return [name for name, file in ways.items() if file]


def vault_of(settings: Settlement) -> Vault:
    """Return where the words are, or raise what is missing, or given twice."""
    ways = named(settings)
    if not ways:
        raise ConfigError(
            "[settlement] keystore_file: is missing; give it with password_file, or mnemonic_file"
        )
    if len(ways) > 1:
        raise ConfigError("[settlement] mnemonic_file: is given beside keystore_file; keep one")
    if ways == ["mnemonic_file"]:
        if settings.password_file:
            raise ConfigError("[settlement] password_file: is given, and no keystore_file to open")
        return Vault(Path(settings.mnemonic_file))
    if not settings.password_file:
        raise ConfigError("[settlement] password_file: is missing, and keystore_file needs it")
    return Vault(Path(settings.keystore_file), Path(settings.password_file))


def gas_vault_of(settings: Settlement) -> Vault | None:
    """Return where the gas wallet's own key is, if it has one."""
    keystore, password = settings.gas_keystore_file, settings.gas_password_file
    if bool(keystore) != bool(password):
        name, other = "gas_keystore_file", "gas_password_file"
        if keystore:
            name, other = other, name
        raise ConfigError(f"[settlement] {name}: is missing, and {other} is given")
    return Vault(Path(keystore), Path(password)) if keystore else None


def opened(vault: Vault, gas: Vault | None, places: Places) -> Signer | Fault:
    """Read everything, and keep the signer only."""
    key = gas_key(gas) if gas else None
    if isinstance(key, Fault):
        return key
    words = words_in(vault, places)
    if isinstance(words, Fault):
        return words
    signer = Signer(words, gas=key)
    wipe(words)
    return signer


def words_in(vault: Vault, places: Places) -> bytearray | Fault:
    """Return the words of an account; the caller wipes them."""
    content = read_private(vault.file)
    if isinstance(content, Fault):
        return content
    if is_keystore(content):
        entropy = entropy_in(vault, content)
        if isinstance(entropy, Fault):
            return entropy
        words: bytearray | Fault = words_of(entropy, places)
        wipe(entropy)
        return words
    if vault.password_file:
        wipe(content)
        return Fault(f"{vault.file}: is no keystore; if it holds words, leave the password out")
    words = read_words(content, places)
    wipe(content)
    return Fault(f"{vault.file}: {words.text}") if isinstance(words, Fault) else words


def is_keystore(content: bytes | bytearray) -> bool:
    """Tell a keystore from words: it is JSON."""
    return content.lstrip()[:1] == b"{"


def entropy_in(vault: Vault, content: bytearray) -> bytearray | Fault:
    """Return what the words of a keystore stand for."""
    if vault.password_file is None:
        return Fault(f"{vault.file}: is a keystore; give the file of its password, too")
    if holds(content) == "private-key":
        return Fault(
            f"{vault.file}: holds a single private key, and deposits need the words of an account;"
            " `ctrip keys wallet new --keystore` makes such a keystore"
        )
    return under_password(content, vault.file, vault.password_file)


def gas_key(vault: Vault) -> PrivateKey | Fault:
    """Return the gas wallet's own key."""
    content = read_private(vault.file)
    if isinstance(content, Fault):
        return content
    if holds(content) == "bip39-entropy" or vault.password_file is None:
        return Fault(f"{vault.file}: holds words; the gas wallet is given a single private key")
    secret = under_password(content, vault.file, vault.password_file)
    if isinstance(secret, Fault):
        return secret
    try:
        return PrivateKey(bytes(secret))
    except ValueError:
        return Fault(f"{vault.file}: holds no private key")
    finally:
        wipe(secret)


def under_password(content: bytearray, file: Path, password_file: Path) -> bytearray | Fault:
    """Open a keystore that was read."""
    password = password_in(password_file)
    if isinstance(password, Fault):
        return password
    found = unseal(content, password)
    wipe(password)
    return Fault(f"{file}: {found.text}") if isinstance(found, Fault) else found


def password_in(file: Path) -> bytearray | Fault:
    """Return the first line of a file, as clients read it; the caller wipes it."""
    content = read_private(file)
    if isinstance(content, Fault):
        return content
    ends = [at for end in b"\r\n" if (at := content.find(end)) >= 0]
    password = content[: min(ends, default=len(content))]
    wipe(content)
    return password or Fault(f"{file}: its first line is empty, and must be the password")


def read_password(file: Path) -> bytearray:
    """Return the password in a file, or raise ConfigError; the caller wipes it."""
    found = password_in(file)
    if isinstance(found, Fault):
        raise ConfigError(found.text)
    return found


def make_account(file: Path, password: bytearray | None) -> bytearray:
    """Make new words and leave them in a file, as words or under a password; return the words.

    The caller shows them, or not, and wipes them and the password.
    """
    if password is not None and len(password) < PASSWORD_BYTES_MIN:
        raise ConfigError(
            f"a password of under {PASSWORD_BYTES_MIN} bytes could be guessed; make one with:"
            " openssl rand -base64 24"
        )
    found = made(file, password, word_places())
    if isinstance(found, Fault):
        raise ConfigError(found.text)
    return found


def made(file: Path, password: bytearray | None, places: Places) -> bytearray | Fault:
    """Make new words, and write them down before anybody relies on them."""
    entropy = bytearray(secrets.token_bytes(NEW_ENTROPY_BYTES))
    words = words_of(entropy, places)
    content = words + b"\n" if password is None else seal(entropy, password, "bip39-entropy")
    fault = write_private(file, content)
    wipe(entropy)
    if isinstance(content, bytearray):
        wipe(content)
    if fault:
        wipe(words)
        return fault
    return words


def account_in(vault: Vault) -> Account:
    """Return what may be known of the account whose words are in a file; raise ConfigError."""
    found = read_account(vault, word_places())
    if isinstance(found, Fault):
        raise ConfigError(found.text)
    return found


def read_account(vault: Vault, places: Places) -> Account | Fault:
    """Return the public side of an account, or what is wrong with its file."""
    words = words_in(vault, places)
    if isinstance(words, Fault):
        return words
    account = account_of(words)
    wipe(words)
    return account


def account_of(words: bytearray) -> Account:
    """Return the public side of checked words."""
    signer = Signer(words)
    return Account(
        xpub=str(BIP32.from_seed(seed_of(words)).get_xpub_from_path(ACCOUNT_PATH)),
        fingerprint=signer.fingerprint,
        first_address=checksum(signer.address(0)),
        gas_address=checksum(signer.gas_address),
        payout_address=checksum(signer.payout_address),
    )


def faults_of(settings: Settlement) -> dict[str, str]:
    """Return the files that are configured, by field, each with what keeps it from being read."""
    files = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return {
        name: unreadable(Path(file))
        for name, file in files.items()
        if file and name.endswith("_file")
    }


def unreadable(file: Path) -> str:
    """Say why a file cannot be read, or may not be; "" if it can."""
    found = read_private(file)
    if isinstance(found, Fault):
        return found.text
    wipe(found)
    return ""
