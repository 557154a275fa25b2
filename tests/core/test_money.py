"""Amounts as people and programs write them."""

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.ids import AMOUNT_MAX
from ctrip.core.money import BadAmount, in_coins, parse_amount, payment_uri
from tests.support.builders import ADDRESS, CONTRACT

BAD: Final[dict[str, object]] = {
    "zero": 0,
    "zero as text": "0",
    "zeros": "000",
    "negative": -1,
    "negative as text": "-1",
    "plus": "+1",
    "2^256": 2**256,
    "2^256 as text": str(2**256),
    "79 digits": "0" * 78 + "1",
    "a million digits": "9" * 1_000_000,
    "float": 1.0,
    "float as text": "1.0",
    "comma": "1,000",
    "exponent": "1e18",
    "NaN": float("nan"),
    "NaN as text": "NaN",
    "infinity": float("inf"),
    "infinity as text": "Infinity",
    "true": True,
    "false": False,
    "null": None,
    "empty": "",
    "blank": " ",
    "blank before": " 1",
    "line end": "1\n",
    "underscore": "1_000",
    "Arabic digits": "\u0661\u0662\u0663",
    "full-width digits": "\uff11",
    "superscript": "\u00b2",
    "zero width space": "1\u200b",
    "NUL": "1\x00",
    "hex": "0x64",
    "octal": "0o17",
    "currency": "1 ETH",
    "bytes": b"1",
    "Decimal": Decimal(1),
    "list": [1],
    "object": {"amount": 1},
}
GOOD: Final[dict[object, int]] = {
    1: 1,
    "1": 1,
    "0100": 100,
    2**53 + 1: 2**53 + 1,
    str(2**53 + 1): 2**53 + 1,
    2**255: 2**255,
    AMOUNT_MAX: AMOUNT_MAX,
    str(AMOUNT_MAX): AMOUNT_MAX,
}
amounts = st.integers(1, AMOUNT_MAX)


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_what_is_no_amount_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(BadAmount, match=r"^amount ") as caught:
        parse_amount(value)
    assert (caught.value.status, caught.value.code) == (400, "invalid_amount")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(("value", "amount"), GOOD.items(), ids=map(repr, GOOD))
def test_digits_are_an_amount(value: object, amount: int) -> None:
    assert parse_amount(value) == amount


@given(amounts)
def test_an_integer_and_its_digits_are_the_same_amount(amount: int) -> None:
    assert parse_amount(amount) == parse_amount(str(amount)) == amount


@given(st.text(max_size=5).filter(lambda text: not text.isascii() or not text.isdigit()))
def test_no_other_text_is_an_amount(text: str) -> None:
    with pytest.raises(BadAmount):
        parse_amount(text)


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (1, 18, "0.000000000000000001"),
        (10**18, 18, "1"),
        (15 * 10**17, 18, "1.5"),
        (1_000_000, 6, "1"),
        (1_010_000, 6, "1.01"),
        (100, 0, "100"),
        (100, 2, "1"),
        (1000, 2, "10"),
        (0, 18, "0"),
        (AMOUNT_MAX, 18,
         "115792089237316195423570985008687907853269984665640564039457.584007913129639935"),
    ],
)  # fmt: skip
def test_coins_are_written_exactly(amount: int, decimals: int, text: str) -> None:
    assert in_coins(amount, decimals) == text


@given(st.integers(0, AMOUNT_MAX), st.integers(0, 77))
def test_coins_lead_back_to_base_units(amount: int, decimals: int) -> None:
    text = in_coins(amount, decimals)
    whole, _, part = text.partition(".")
    assert int(whole + part.ljust(decimals, "0")) == amount
    assert len(part) <= decimals
    assert not part.endswith("0")
    assert "." not in text or part
    assert whole == str(int(whole))


def test_a_wallet_is_asked_for_coin_as_eip_681_says() -> None:
    assert payment_uri(1, None, ADDRESS, 2_014_000_000_000_000_000) == (
        "ethereum:0x70997970C51812dc3A010C7d01b50e0d17dc79C8@1?value=2014000000000000000"
    )


def test_a_wallet_is_asked_for_a_token_as_eip_681_says() -> None:
    assert payment_uri(31337, CONTRACT, ADDRESS, 1) == (
        "ethereum:0x5FbDB2315678afecb367f032d93F642f64180aa3@31337/transfer"
        "?address=0x70997970C51812dc3A010C7d01b50e0d17dc79C8&uint256=1"
    )
