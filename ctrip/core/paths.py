"""Where keys stand in the tree that grows from an account's words (BIP-32, BIP-44; coin 60).

Deposits, gas and payouts are accounts of their own: a hardened step lies between any two of them,
so that neither an xpub nor a leaked key of one leads to another.
"""

import re
from typing import Final

from ctrip.core.errors import InvariantError

ACCOUNT_PATH: Final = "m/44'/60'/0'"  # of the deposit addresses; the xpub is its public half
DEPOSITS_PATH: Final = f"{ACCOUNT_PATH}/0"  # their parent: BIP-44's chain that is shown to others
GAS_PATH: Final = "m/44'/60'/1'/0/0"
PAYOUT_PATH: Final = "m/44'/60'/2'/0/0"
INDEX_MAX: Final = 2**31 - 1  # BIP-32: above, children are hardened, and no xpub leads to them
DEPOSIT: Final = re.compile(rf"{DEPOSITS_PATH}/(0|[1-9][0-9]{{0,9}})", re.ASCII)


class NoSuchAddress(InvariantError):
    """An index outside of what BIP-32 can derive in public was asked for."""


def deposit_path(index: int) -> str:
    """Return the path of a deposit address."""
    if not 0 <= index <= INDEX_MAX:
        raise NoSuchAddress(f"no address has the index {index}")
    return f"{DEPOSITS_PATH}/{index}"


def index_in(path: str) -> int | None:
    """Return the index of a deposit address; None if the path is of something else."""
    found = DEPOSIT.fullmatch(path)
    return int(found[1]) if found and int(found[1]) <= INDEX_MAX else None
