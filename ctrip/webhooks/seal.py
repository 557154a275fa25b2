"""Keeps the secrets of endpoints unreadable in the database, its backups and its dumps.

AES-256-GCM under a key that only the configuration has. A sealed secret is

    version (1 byte) | nonce (12 bytes, random) | ciphertext and tag

and it belongs to its owner: the owner's name is authenticated with it, so that a secret
copied into another endpoint's row does not open. A random nonce may be used for 2^32
secrets under one key (NIST SP 800-38D, 8.3), which no gateway comes near.

The AES key is made from the configured text by HKDF with SHA-256 (RFC 5869). That keeps
uses of one text apart; it does not make a weak text strong, hence KEY_SIZE_MIN.

To change the text, put the new one in front of the old: new secrets are sealed with the
first, and each is tried to open. When reseal() has nothing left to do, the old one may go.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ctrip.core.errors import ConfigError
from ctrip.settings import Secret

VERSION: Final = b"\x01"
NONCE_SIZE: Final = 12  # bytes; the size that GCM is made for
AES_KEY_SIZE: Final = 32  # bytes
KEY_SIZE_MIN: Final = 32  # bytes of text: 128 bits even if it is hex
PURPOSE: Final = b"ctrip: secrets of webhook endpoints, version 1"


class Unsealable(ConfigError):
    """A secret was sealed with a key that is not configured (or the row was tampered with)."""


class UnusableKey(ConfigError):
    """[webhooks] secrets_key cannot seal anything."""


class Sealer:
    """Seals with the newest key, which comes first, and opens with any."""

    __slots__ = ("_ciphers",)

    def __init__(self, *keys: Secret) -> None:
        faults = [key_fault(key.reveal()) for key in keys] or ["must be set"]
        if fault := next(filter(None, faults), None):
            raise UnusableKey(f"[webhooks] secrets_key: {fault}")
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    def seal(self, plain: bytes, *, owner: str) -> bytes:
        """Return bytes that only open() with the same owner turns back."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        return VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, _bound(owner))

    def open(self, sealed: bytes, *, owner: str) -> bytes:
        """Return what was sealed; raise Unsealable if no key fits."""
        return self._open(sealed, owner)[0]

    def reseal(self, sealed: bytes, *, owner: str) -> bytes | None:
        """Return the same secret under the newest key, or None if it has that already."""
        plain, is_newest = self._open(sealed, owner)
        return None if is_newest else self.seal(plain, owner=owner)

    def _open(self, sealed: bytes, owner: str) -> tuple[bytes, bool]:
        nonce, text = sealed[1 : 1 + NONCE_SIZE], sealed[1 + NONCE_SIZE :]
        if sealed[:1] == VERSION and len(nonce) == NONCE_SIZE:
            for cipher in self._ciphers:
                try:
                    return cipher.decrypt(nonce, text, _bound(owner)), cipher is self._ciphers[0]
                except InvalidTag:
                    continue
        raise Unsealable(
            f"[webhooks] secrets_key is not the key that the secrets of {owner} were sealed with."
            " Put that key back, behind the new one, or give the endpoint new secrets"
        )


def key_fault(key_text: str) -> str | None:
    """Return what is wrong with a key, for whoever configures it, or None."""
    if len(key_text.encode()) < KEY_SIZE_MIN:
        return f"must hold at least {KEY_SIZE_MIN} bytes, all of them random: openssl rand -hex 32"
    return None


def _derived(key: Secret) -> bytes:
    # No salt: the text is random already, and a second thing to keep would be one to lose.
    derivation = HKDF(algorithm=SHA256(), length=AES_KEY_SIZE, salt=None, info=PURPOSE)
    return derivation.derive(key.reveal().encode())


def _bound(owner: str) -> bytes:
    return VERSION + owner.encode()
