"""Whether a transaction that comes back signed is the one that was sent away, by its sender."""

from typing import Final

from coincurve import PublicKey
from eth_hash.auto import keccak

from ctrip.core.envelope import signature_in, unsigned
from ctrip.core.outgoing import Outgoing, Signed
from ctrip.wallet.derive import address_of

S_MAX: Final = (
    0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2: half the order
)


def is_genuine(outgoing: Outgoing, done: Signed) -> bool:
    """Tell whether these bytes are this transaction, signed by its sender, and have this hash."""
    raw = bytes.fromhex(done.raw.removeprefix("0x"))
    found = signature_in(outgoing, raw)
    if found is None or done.tx_hash != "0x" + keccak(raw).hex():
        return False
    y_parity, r, s = found
    if not 0 < s <= S_MAX:
        return False
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        key = PublicKey.from_signature_and_message(signature, unsigned(outgoing), hasher=keccak)
    except (ValueError, TypeError):
        return False  # no point of the curve
    return address_of(key) == outgoing.sender
