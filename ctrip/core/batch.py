"""Sweeps of one token from many addresses in one transaction (EIP-7702), as its contract reads it.

The contract is chain/contracts/BatchSweep.sol. An order is one word: a deposit address, and in the
lower 96 bits an amount. What was ordered and did not happen, it logs.

One alone costs nearly twice what each of fifty does. So where the operator gives them time, sweeps
wait for company: as long as the oldest of them may, until there are as many as go at once, or
until gas is so cheap that company could not save as much as that does.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ctrip.core.abi import number
from ctrip.core.ids import Amount, Asset, RawAddress
from ctrip.core.sweep import Sweep, Wait, after

SWEEP: Final = "3bc81666"  # sweep(uint256,uint256[])
# Kept(address indexed deposit, address indexed token)
KEPT: Final = "0x523d0b8138bfd7257fac441f5377fc702720ed62391bbd05bfbf903b483482aa"
# Swept(address indexed token, uint256 moved)
SWEPT: Final = "0xc36b5179cb9c303b200074996eab2b3473eac370fdd7eba3bec636fe35109696"
PARTS_MAX: Final = 50  # 2 million gas for a simple token; more saves nothing more
PACKED_BITS: Final = 96  # what a word has beside an address
PACKED_MAX: Final = 2**PACKED_BITS - 1  # base units: with 18 decimals, 79 billion of a token
ARGUMENTS_BYTES: Final = 64  # from where the ABI counts to the list of orders
DELEGATED: Final = "0xef0100"  # how the code of an address begins that lets another's act for it


class Company(Struct, frozen=True):
    """Sweeps of one token that could go in one transaction."""

    count: int
    since: datetime  # when the oldest of them was planned


class Order(Struct, frozen=True):
    """What one address is to move to the treasury."""

    deposit: RawAddress
    amount: Amount


def waits_until(
    company: Company, window: timedelta, parts_max: int, *, now: datetime
) -> datetime | None:
    """Return until when sweeps wait for others, unless gas is cheap before; None if they go now."""
    until = company.since + window
    return None if now >= until or company.count >= parts_max else until


def keeping_company(sweep: Sweep, until: datetime, *, now: datetime) -> Sweep:
    """Return a sweep that could go, and waits for others to share a transaction with."""
    why = (
        f"it waits until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} for others of its token to"
        " share a transaction with (batch_window_seconds), or until gas is cheap"
    )
    return replace(after(sweep, Wait(why), now=now), due_at=until, in_company=True)


def batch_sweep(token: Asset, gas_each: int, orders: Sequence[Order]) -> str:
    """Return the data of the call that moves a token of many addresses."""
    words: Iterable[int] = (
        packed(RawAddress(token), gas_each),
        ARGUMENTS_BYTES,
        len(orders),
        *(packed(one.deposit, one.amount) for one in orders),
    )
    return f"0x{SWEEP}{''.join(map(number, words))}"


def packed(address: RawAddress, value: int) -> int:
    """Put an address and a number into one word."""
    return int(address, 16) << PACKED_BITS | value


def fits(amount: Amount) -> bool:
    """Tell whether a batch can order an amount."""
    return 0 < amount <= PACKED_MAX


def delegate_in(code: str) -> RawAddress | None:
    """Return whose code acts for an address, by its own code; None if it is no such address."""
    if not code.startswith(DELEGATED):
        return None
    return RawAddress(f"0x{code.removeprefix(DELEGATED)}")
