"""Which addresses a glance at the data of transactions shows."""

from random import Random

import pytest
from eth_abi.abi import encode

from ctrip.chain.mentions import mentioned
from ctrip.core import abi
from ctrip.core.ids import Amount, RawAddress

SHOP = RawAddress("0x5a1b00c0ffee00000000c0ffeec0ffee0000c0f1")
OTHER = RawAddress("0x" + "ca" * 20)
SHAPES = [
    "0x00" + "5a" * 19,  # in one of 256
    "0x" + "5a" * 19 + "00",
    "0x" + "5a" * 16 + "00000000",
    "0x0" + "5" * 39,
    "0x" + "5a" * 19 + "50",
    SHOP,
]


def transfer(to: RawAddress, amount: int = 10**18) -> str:
    return abi.erc20_transfer(to, Amount(amount))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("amount", [0, 1, 7, 255, 2**96, 2**160 - 1, 2**256 - 1])
def test_a_transfer_names_its_recipient(shape: str, amount: int) -> None:
    to = RawAddress(shape)
    assert to in mentioned(["0x", transfer(to, amount), transfer(OTHER)])
    assert to in mentioned([transfer(OTHER, amount), None, transfer(to, amount)])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_within_a_call_within_a_call_names_its_recipient(shape: str) -> None:
    inner = bytes.fromhex(transfer(RawAddress(shape))[2:])
    execute = "b61d27f6" + encode(["address", "uint256", "bytes"], [OTHER, 0, inner]).hex()
    calls = encode(["(address,bytes)[]"], [[(OTHER, bytes.fromhex(execute))]]).hex()
    assert RawAddress(shape) in mentioned([f"0x12345678{calls}"])


@pytest.mark.parametrize("shape", SHAPES)
def test_calls_that_are_packed_without_padding_name_the_recipients_of_tokens(shape: str) -> None:
    """As a Safe's multiSend packs them: an operation, a target, a value, a length, the data."""
    inner = bytes.fromhex(transfer(RawAddress(shape))[2:])
    target = bytes.fromhex(OTHER[2:])
    packed = b"\0" + target + bytes(32) + len(inner).to_bytes(32) + inner
    data = "8d80ff0a" + encode(["bytes"], [packed * 3]).hex()
    assert RawAddress(shape) in mentioned([f"0x{data}"])


def test_many_recipients_are_all_named() -> None:
    chance = Random(5)
    many = [RawAddress("0x" + chance.randbytes(20).hex()) for _ in range(200)]
    amounts = [chance.randrange(2**200) for _ in many]
    data = encode(["address[]", "uint256[]"], [many, amounts]).hex()
    assert mentioned([f"0x12345678{data}"]) >= set(many)


def test_numbers_are_no_addresses() -> None:
    data = encode(["uint256", "uint256", "uint256"], [10**18, 32, 2**90]).hex()
    assert not mentioned([f"0x12345678{data}"])


def test_hex_of_any_case_is_read_and_what_is_none_names_nobody() -> None:
    assert SHOP in mentioned([transfer(SHOP).upper().replace("0X", "0x")])
    assert mentioned(["0xnot hex", transfer(SHOP)]) == set()
    assert mentioned(["0x0", transfer(SHOP)]) == set()
    assert mentioned([None, "", "0x", "\0"]) == set()
