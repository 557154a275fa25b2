"""Who signed a transaction that comes back, and whether it is the one that was sent away."""

from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak

from ctrip.core.envelope import signature_in, unsigned
from ctrip.core.ids import RawAddress, TxHash
from ctrip.core.outgoing import Outgoing, Signed
from ctrip.wallet.derive import address_of

S_MAX: Final = (
    0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2: half the order
)
R_END: Final = 2**256  # a word; beyond the order of the curve no key is found


def is_genuine(outgoing: Outgoing, done: Signed) -> bool:
    """Tell whether these bytes are this transaction, signed by its sender, and have this hash."""
    raw = bytes.fromhex(done.raw.removeprefix("0x"))
    found = signature_in(outgoing, raw)
    if found is None or done.tx_hash != hash_of(raw):
        return False
    return signer_of(outgoing, *found) == outgoing.sender


def signer_of(outgoing: Outgoing, y_parity: int, r: int, s: int) -> RawAddress | None:
    """Return whose signature of a transaction this is; None if it is nobody's."""
    if y_parity not in {0, 1} or not 0 < r < R_END or not 0 < s <= S_MAX:
        return None
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        key = PublicKey.from_signature_and_message(signature, unsigned(outgoing), hasher=keccak)
    except (ValueError, TypeError):
        return None  # no point of the curve
    return address_of(key)


def hash_of(raw: bytes) -> TxHash:
    """Return the hash that a transaction is known by."""
    return TxHash("0x" + keccak(raw).hex())
