"""Which addresses the data of transactions names: a glance, not a reading of it.

Who pays a token calls a contract with the recipient's address in the data: transfer and
transferFrom, routers, multisends, smart accounts. The ABI fills an address up to 32 bytes
with zeros on its left, wherever it stands and however calls are packed into one another.
So any 20 bytes behind 12 zeros may be an address; and of those that are none, few are lost
time, and nobody's. An address that begins with two zero bytes, which is one in 65,536, is
not seen. Whoever looks here must look at the logs too, some time.
"""

from collections.abc import Iterable
from typing import Final

from ctrip.core.ids import RawAddress

PADDING: Final = bytes(12)
ADDRESS_BYTES: Final = 20
# Fewer bytes before the next zeros are a number. An address ends with so many zeros in one of 2^32.
BYTES_MIN: Final = 16


def mentioned(inputs: Iterable[str | None]) -> set[RawAddress]:
    """Return all that looks like an address in what some transactions carry, as hex."""
    try:
        data = bytes.fromhex("".join([text[2:] for text in inputs if text]))
    except ValueError:
        return set()  # what cannot be read names nobody
    found = set()
    for piece in data.split(PADDING)[1:]:
        text = piece.lstrip(b"\0")
        if len(text) >= BYTES_MIN:
            digits = text[:ADDRESS_BYTES].ljust(ADDRESS_BYTES, b"\0").hex()
            found |= {RawAddress(f"0x{digits}"), RawAddress(f"0x00{digits[:-2]}")}
    return found
