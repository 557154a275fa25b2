"""Amounts as people and programs write them.

Inside ctrip an amount is an int of base units, and nothing else. Only ASCII digits are
read: int() would take Arabic digits, underscores and spaces, Decimal would take NaN.
"""

import re
from typing import Final

from ctrip.core.errors import RequestError
from ctrip.core.ids import AMOUNT_MAX, Address, Amount

DIGITS: Final = re.compile(r"[0-9]{1,78}", re.ASCII)  # 2**256 - 1 has 78 digits


class BadAmount(RequestError):
    """Not an amount."""

    code = "invalid_amount"


def parse_amount(value: object) -> Amount:
    """Read base units from JSON: an integer, or a string of digits; 1 to 2**256 - 1."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadAmount("amount must be an integer of base units, or a string of digits")
    if isinstance(value, str):
        if not DIGITS.fullmatch(value):
            raise BadAmount("amount as a string must be 1 to 78 digits 0-9 of base units")
        value = int(value)
    if not 0 < value <= AMOUNT_MAX:
        raise BadAmount("amount must be between 1 and 2^256-1 base units")
    return Amount(value)


def in_coins(amount: int, decimals: int) -> str:
    """Write base units as whole coins, exactly, without an exponent or trailing zeros."""
    if decimals == 0:
        return str(amount)
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")


def payment_uri(chain_id: int, contract: Address | None, to: Address, amount: int) -> str:
    """Return what a wallet opens to pay (EIP-681)."""
    if contract is None:
        return f"ethereum:{to}@{chain_id}?value={amount}"
    return f"ethereum:{contract}@{chain_id}/transfer?address={to}&uint256={amount}"
