"""The only thing that holds private keys: it signs what it is given, for the senders it knows.

From one set of words come three accounts, each behind a hardened step of its own, so that neither
an xpub nor a leaked key of one leads to another:

    m/44'/60'/0'/0/n    deposit addresses, the ones that a Wallet of the xpub derives
    m/44'/60'/1'/0/0    the gas wallet, which pays for what deposits cannot pay for themselves
    m/44'/60'/2'/0/0    the payout wallet, which refunds and payouts come from

Of the first the parent of the deposit keys is kept, of the others a key each; words and seed are
let go. A key is a PrivateKey, whose repr shows nothing, wherever an error may be raised. Nothing is
signed for an address that the key at hand does not have.

libsecp256k1 signs (through coincurve): nonces by RFC 6979 and low s (EIP-2), so that the same
transaction has the same bytes, whoever signs it again.
"""

import hmac
from typing import NoReturn, SupportsIndex

from bip32 import BIP32  # type: ignore[import-untyped]
from coincurve import PrivateKey
from eth_hash.auto import keccak

from ctrip.core.envelope import authorization, signed, unsigned
from ctrip.core.errors import InvariantError
from ctrip.core.ids import RawAddress, TxHash
from ctrip.core.outgoing import Authorization, Outgoing, Signed
from ctrip.core.paths import (
    ACCOUNT_PATH,
    DEPOSITS_PATH,
    GAS_PATH,
    INDEX_MAX,
    PAYOUT_PATH,
    NoSuchAddress,
)
from ctrip.wallet.derive import address_of, fingerprint_of
from ctrip.wallet.words import seed_of


class WrongSender(InvariantError):
    """A signature was asked for in the name of an address that the key does not have."""


class Kept(InvariantError):
    """Somebody tried to write a signer down, or to hand it to another process."""


class Signer:
    """Signs for the deposit addresses of one account, its gas wallet and its payout wallet."""

    __slots__ = ("_chain_code", "_gas", "_parent", "_parent_key", "_payout", "fingerprint",
                 "gas_address", "payout_address")  # fmt: skip

    def __init__(self, words: bytearray, *, gas: PrivateKey | None = None) -> None:
        """Take the keys of checked words, and for the gas wallet a key of its own if there is one.

        The words stay the caller's to wipe.
        """
        root = BIP32.from_seed(seed_of(words))
        self.fingerprint = fingerprint_of(*root.get_extended_pubkey_from_path(ACCOUNT_PATH))
        self._chain_code, self._parent = parent_of_deposits(root)
        self._parent_key = self._parent.public_key.format()
        self._gas = gas or PrivateKey(root.get_privkey_from_path(GAS_PATH))
        self._payout = PrivateKey(root.get_privkey_from_path(PAYOUT_PATH))
        self.gas_address = address_of(self._gas.public_key)
        self.payout_address = address_of(self._payout.public_key)

    def __repr__(self) -> str:
        return f"Signer({self.fingerprint})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise Kept("a signer is not copied and not written down")

    def address(self, index: int) -> RawAddress:
        """Return the deposit address of an index; raise NoSuchAddress outside 0..2^31-1."""
        return address_of(self._deposit(index).public_key)

    def sign(self, outgoing: Outgoing, *, index: int | None) -> Signed:
        """Sign a transaction of a deposit address or, without an index, of the other wallets."""
        key = self._deposit(index) if index is not None else self._wallet(outgoing.sender)
        if address_of(key.public_key) != outgoing.sender:
            raise WrongSender(f"the key of index {index} is not that of {outgoing.sender}")
        raw = signed(outgoing, *signature(key, unsigned(outgoing)))
        return Signed(TxHash("0x" + keccak(raw).hex()), "0x" + raw.hex())

    def authorize(
        self, chain_id: int, delegate: RawAddress, nonce: int, *, index: int
    ) -> Authorization:
        """Let a contract act for a deposit address on one chain (EIP-7702)."""
        text = authorization(chain_id, delegate, nonce)
        y_parity, r, s = signature(self._deposit(index), text)
        return Authorization(
            chain_id=chain_id, delegate=delegate, nonce=nonce, y_parity=y_parity, r=r, s=s
        )

    def _deposit(self, index: int) -> PrivateKey:
        """Return the key of a deposit address (BIP-32, private child that is not hardened)."""
        if not 0 <= index <= INDEX_MAX:
            raise NoSuchAddress(f"no address has the index {index}")
        child = self._parent_key + index.to_bytes(4, "big")
        tweak = hmac.digest(self._chain_code, child, "sha512")[:32]
        found: PrivateKey = self._parent.add(tweak)
        return found

    def _wallet(self, sender: RawAddress) -> PrivateKey:
        """Return the key of the wallet that has this address."""
        if sender == self.gas_address:
            return self._gas
        if sender == self.payout_address:
            return self._payout
        raise WrongSender(f"{sender} is neither the gas wallet nor the payout wallet")


def parent_of_deposits(root: BIP32) -> tuple[bytes, PrivateKey]:
    """Return the chain code and the key that deposit keys are children of."""
    chain_code, key = root.get_extended_privkey_from_path(DEPOSITS_PATH)
    return chain_code, PrivateKey(key)


def signature(key: PrivateKey, text: bytes) -> tuple[int, int, int]:
    """Return y_parity, r and s of a text's keccak-256."""
    rsv = key.sign_recoverable(text, hasher=keccak)
    return rsv[64], int.from_bytes(rsv[:32], "big"), int.from_bytes(rsv[32:64], "big")
