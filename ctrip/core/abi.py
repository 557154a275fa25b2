"""Calls of contracts as hex, and what a contract says when it refuses (Solidity's ABI).

A selector is the first four bytes of the keccak-256 of a function's signature. They are constants,
because the core has no keccak; the tests hold them against one.
"""

import re
from typing import Final

from ctrip.core.ids import Amount, RawAddress

TRANSFER: Final = "a9059cbb"  # transfer(address,uint256)
BALANCE_OF: Final = "70a08231"  # balanceOf(address)
ERROR: Final = "08c379a0"  # Error(string): require(…, "why")
PANIC: Final = "4e487b71"  # Panic(uint256): what the compiler checks

WORD_DIGITS: Final = 64  # hex digits of 32 bytes
SELECTOR_DIGITS: Final = 8
TEXT_SIZE_MAX: Final = 200  # characters of a reason: contracts of strangers choose them
BYTES: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
# Of Solidity's panics, those that a call to a token meets.
PANICS: Final = {
    0x01: "an assertion failed",
    0x11: "a number overflowed",
    0x12: "a division by zero",
    0x32: "an index is out of bounds",
}


def erc20_transfer(to: RawAddress, amount: Amount) -> str:
    """Return the data of a call that moves tokens of the caller."""
    return f"0x{TRANSFER}{address(to)}{number(amount)}"


def erc20_balance_of(owner: RawAddress) -> str:
    """Return the data of a call that asks what an address holds."""
    return f"0x{BALANCE_OF}{address(owner)}"


def with_bytes(selector: str, argument: bytes) -> str:
    """Return the data of a call whose one argument is `bytes`."""
    digits = argument.hex()
    padded = digits + "0" * (-len(digits) % WORD_DIGITS)
    return f"0x{selector}{number(WORD_DIGITS // 2)}{number(len(argument))}{padded}"


def with_number(selector: str, argument: int) -> str:
    """Return the data of a call whose one argument is a `uint256`."""
    return f"0x{selector}{number(argument)}"


def address(of: RawAddress) -> str:
    """Return an address as a word, without 0x."""
    return f"{of.removeprefix('0x'):0>{WORD_DIGITS}}"


def number(value: int) -> str:
    """Return a number as a word, without 0x."""
    return f"{value:0{WORD_DIGITS}x}"


def revert_reason(data: str) -> str:
    """Return why a contract reverted, from what it returned; nothing if it gave no reason."""
    found = BYTES.fullmatch(data)
    digits = found[1].lower() if found else ""
    selector, arguments = digits[:SELECTOR_DIGITS], digits[SELECTOR_DIGITS:]
    if len(selector) < SELECTOR_DIGITS:
        return ""
    if selector == ERROR and (text := text_in(arguments)):
        return text
    if selector == PANIC and len(arguments) == WORD_DIGITS:
        code = int(arguments, 16)
        return f"panic {code:#04x}: {PANICS.get(code, 'see the Solidity manual')}"
    return f"custom error 0x{selector}"


def text_in(arguments: str) -> str:
    """Return the one string of some arguments, on one line; nothing if it is none."""
    at, size = (arguments[i : i + WORD_DIGITS] for i in (0, WORD_DIGITS))
    if len(size) < WORD_DIGITS or int(at, 16) * 2 != WORD_DIGITS:
        return ""
    start = 2 * WORD_DIGITS
    said = bytes.fromhex(arguments[start:])[: min(int(size, 16), 4 * TEXT_SIZE_MAX)]
    return on_one_line(said.decode(errors="replace"))


def on_one_line(text: str) -> str:
    """Return foreign text as it may be shown: printable, short, on one line."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:TEXT_SIZE_MAX]
