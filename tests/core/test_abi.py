"""Calls as hex, held against eth_abi, and what contracts say when they refuse."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core import abi
from ctrip.core.ids import Amount, RawAddress

SHOP = RawAddress("0x" + "5a" * 20)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: RawAddress("0x" + raw.hex()))


def error(text: str) -> str:
    return f"0x{abi.ERROR}{encode(['string'], [text]).hex()}"


@pytest.mark.parametrize(
    ("selector", "signature"),
    [
        (abi.TRANSFER, "transfer(address,uint256)"),
        (abi.BALANCE_OF, "balanceOf(address)"),
        (abi.ERROR, "Error(string)"),
        (abi.PANIC, "Panic(uint256)"),
    ],
)
def test_a_selector_is_the_beginning_of_a_hash(selector: str, signature: str) -> None:
    assert selector == keccak(text=signature)[:4].hex()


@given(addresses, st.integers(0, 2**256 - 1))
def test_a_transfer_is_what_eth_abi_makes_of_it(to: RawAddress, amount: int) -> None:
    arguments = encode(["address", "uint256"], [to, amount]).hex()
    assert abi.erc20_transfer(to, Amount(amount)) == f"0x{abi.TRANSFER}{arguments}"


def test_a_question_for_a_balance_is_what_eth_abi_makes_of_it() -> None:
    arguments = encode(["address"], [SHOP]).hex()
    assert abi.erc20_balance_of(SHOP) == f"0x{abi.BALANCE_OF}{arguments}"


@given(st.binary(max_size=100))
def test_bytes_are_what_eth_abi_makes_of_them(data: bytes) -> None:
    assert abi.with_bytes("49948e0e", data) == f"0x49948e0e{encode(['bytes'], [data]).hex()}"


def test_a_number_is_what_eth_abi_makes_of_it() -> None:
    assert abi.with_number("275aedd2", 7) == f"0x275aedd2{encode(['uint256'], [7]).hex()}"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (error("ERC20: transfer amount exceeds balance"), "ERC20: transfer amount exceeds balance"),
        (error("two\nlines \x1b[31mand a terminal"), "two lines [31mand a terminal"),
        (error("x" * 999), "x" * 200),
        (f"0x{abi.PANIC}{0x11:064x}", "panic 0x11: a number overflowed"),
        (f"0x{abi.PANIC}{0x51:064x}", "panic 0x51: see the Solidity manual"),
        ("0xe450d38c" + "00" * 96, "custom error 0xe450d38c"),
        (f"0x{abi.ERROR}", "custom error 0x08c379a0"),
        (f"0x{abi.ERROR}{2**255:064x}{1:064x}", "custom error 0x08c379a0"),
        (error("cut off")[:150], "cut of"),
        ("0x", ""),
        ("0x123456", ""),
        ("no hex", ""),
    ],
)
def test_a_contract_says_why_it_refuses(data: str, why: str) -> None:
    assert abi.revert_reason(data) == why


@given(st.binary(max_size=200), st.sampled_from(["", abi.ERROR, abi.PANIC]))
def test_whatever_a_contract_says_can_be_shown(data: bytes, selector: str) -> None:
    why = abi.revert_reason(f"0x{selector}{data.hex()}")
    assert len(why) <= abi.TEXT_SIZE_MAX
    assert why.isprintable()
