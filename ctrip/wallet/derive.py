"""Addresses to be paid at, derived one after another from one account.

The account is m/44'/60'/0' (BIP-44, coin 60 on every EVM chain), the n-th address is
its child 0/n. All of them follow from the account's *public* half, the xpub, by
public child derivation (BIP-32), so that is all a Wallet keeps. Where an operator
gives words instead, they become that xpub here and are let go.

Words and keys reach no message: the functions that hold them answer with a Wallet or
with a sentence (a Fault), and errors are raised by a frame that never saw them.
"""

import hmac
from collections.abc import Collection
from hashlib import sha256
from typing import Final

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PublicKey
from eth_hash.auto import keccak

from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, RawAddress
from ctrip.core.paths import ACCOUNT_PATH, INDEX_MAX, NoSuchAddress
from ctrip.settings import Secret
from ctrip.settings import Wallet as WalletSettings
from ctrip.wallet.words import Fault, read_words, seed_of, wipe, word_places

ACCOUNT_DEPTH: Final = 3  # BIP-32 levels below the master key
EXTERNAL: Final = 0  # BIP-44: the chain of addresses that are shown to others
FINGERPRINT_CHARS: Final = 16  # 64 bits: one deployment has a handful of accounts

DEV_CHAIN_ID: Final = 31337  # anvil and hardhat: money there is worth nothing
# Accounts whose words are printed in manuals. Robots empty them within seconds on any real chain.
PUBLIC_ACCOUNTS: Final = frozenset(
    {
        "4af7156fa3d7f6c0",  # anvil, hardhat, foundry: test … junk
        "7c2f11bdf26ee028",  # BIP-39 and most wallets' own tests: abandon … about
        "c5bc687ecc470658",  # SLIP-0014, Trezor's emulator: all … all
        "5a7fe067e7c0373b",  # ganache: myth … collect
        "7d95d7be977d6d6c",  # truffle: candy … treat
    }
)


class Wallet:
    """Derives addresses; holds no private key. `fingerprint` names its account for ever."""

    __slots__ = ("_chain_code", "_parent", "_parent_key", "fingerprint")

    def __init__(self, chain_code: bytes, public_key: bytes) -> None:
        account = BIP32(chain_code, pubkey=public_key)
        self._chain_code, self._parent_key = account.get_extended_pubkey_from_path([EXTERNAL])
        self._parent = PublicKey(self._parent_key)
        # An xpub also carries its parent's fingerprint, which some devices leave at zero. It
        # is left out, or one account in two spellings would hand out every address twice.
        self.fingerprint = fingerprint_of(chain_code, public_key)

    def __repr__(self) -> str:
        return f"Wallet({self.fingerprint})"

    def address(self, index: int) -> Address:
        """Return the address m/44'/60'/0'/0/index; raise NoSuchAddress outside 0..2^31-1.

        BIP-32's public child: one HMAC, one point addition. It says of one index in 2^127
        that it has no key; nobody has met one.
        """
        if not 0 <= index <= INDEX_MAX:
            raise NoSuchAddress(f"no address has the index {index}")
        child = self._parent_key + index.to_bytes(4, "big")
        tweak = hmac.digest(self._chain_code, child, "sha512")[:32]
        return checksum(address_of(self._parent.add(tweak)))

    def addresses(self, first: int, count: int) -> list[Address]:
        """Return `count` addresses, from index `first` upwards."""
        return [self.address(index) for index in range(first, first + count)]


def fingerprint_of(chain_code: bytes, public_key: bytes) -> str:
    """Return the name of an account."""
    return sha256(chain_code + public_key).hexdigest()[:FINGERPRINT_CHARS]


def address_of(key: PublicKey) -> RawAddress:
    """Return the address of whoever signs with the private half of a key."""
    return RawAddress("0x" + keccak(key.format(compressed=False)[1:])[-20:].hex())


def checksum(address: RawAddress) -> Address:
    """Return an address in its EIP-55 spelling. `address` is lower-case, 0x and 40 digits."""
    digits = address[2:]
    marks = keccak(digits.encode()).hex()
    spelt = [d.upper() if mark > "7" else d for d, mark in zip(digits, marks, strict=False)]
    return Address("0x" + "".join(spelt))


def open_wallet(settings: WalletSettings, *, chain_ids: Collection[int]) -> Wallet:
    """Return the wallet of the configured account; raise ConfigError if it must not be used."""
    wallet = read(settings)
    if isinstance(wallet, Fault):
        raise ConfigError(wallet.text)
    if wallet.fingerprint in PUBLIC_ACCOUNTS and set(chain_ids) - {DEV_CHAIN_ID}:
        field = "xpub" if settings.xpub else "mnemonic"
        raise ConfigError(
            f"[wallet] {field}: is printed in manuals, so anyone can take what is paid to it;"
            f" use an account of your own on every chain but anvil ({DEV_CHAIN_ID})"
        )
    return wallet


def read(settings: WalletSettings) -> Wallet | Fault:
    """Make a wallet of whichever of the two fields is given."""
    if settings.xpub and settings.mnemonic:
        return Fault("[wallet] xpub: is given beside mnemonic; keep one, the xpub if you can")
    if settings.xpub:
        return from_xpub(settings.xpub)
    if settings.mnemonic:
        return from_words(settings.mnemonic)
    return Fault(f"[wallet] xpub: is missing; give the xpub of {ACCOUNT_PATH} (or the mnemonic)")


def from_xpub(secret: Secret) -> Wallet | Fault:
    """Read an extended public key (BIP-32, Base58Check) of account level."""
    text = secret.reveal().strip()
    if text[1:4] == "prv":
        return Fault(
            "[wallet] xpub: is a private key (xprv), which ctrip does not want to know; give the"
            f" xpub of {ACCOUNT_PATH}, and move to a new account if others may have read this file"
        )
    if not text.startswith("xpub"):
        return Fault(f"[wallet] xpub: must begin with xpub; export the xpub of {ACCOUNT_PATH}")
    try:
        node = BIP32.from_xpub(text)
    except (ValueError, AssertionError):
        return Fault("[wallet] xpub: is damaged (its checksum is wrong); copy it again, whole")
    if node.depth != ACCOUNT_DEPTH:
        return Fault(
            f"[wallet] xpub: is {node.depth} levels below the master key, an account is"
            f" {ACCOUNT_DEPTH}; export the xpub of {ACCOUNT_PATH}"
        )
    return Wallet(node.chaincode, node.pubkey)


def from_words(secret: Secret) -> Wallet | Fault:
    """Turn English words (BIP-39, without a passphrase) into the public half of their account."""
    places = word_places()
    words = read_words(bytearray(secret.reveal().encode()), places)
    if isinstance(words, Fault):
        return Fault(f"[wallet] mnemonic: {words.text}")
    account = BIP32.from_seed(seed_of(words))
    wipe(words)
    return Wallet(*account.get_extended_pubkey_from_path(ACCOUNT_PATH))
