"""Transactions as bytes: the forms of RLP, and what is refused before anybody signs it."""

from typing import Any

import pytest
import rlp as theirs  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ctrip.core.envelope import (
    CHAIN_ID_MAX,
    GAS_MAX,
    NONCE_MAX,
    NoTransaction,
    authorization,
    rlp,
    unsigned,
)
from ctrip.core.ids import AMOUNT_MAX, Amount, RawAddress
from ctrip.core.outgoing import Authorization, Outgoing

SENDER = RawAddress("0x" + "5a" * 20)
DELEGATE = RawAddress("0x" + "de" * 20)
LENT = Authorization(chain_id=1, delegate=DELEGATE, nonce=0, y_parity=0, r=1, s=1)
PLAIN = Outgoing(
    chain_id=1,
    sender=SENDER,
    nonce=0,
    to=RawAddress("0x" + "35" * 20),
    value=Amount(1),
    gas=21_000,
    max_fee=10,
    priority_fee=1,
)
items = st.recursive(
    st.integers(0, AMOUNT_MAX) | st.binary(max_size=70),
    lambda inner: st.lists(inner, max_size=20).map(tuple),
    max_leaves=40,
)


@given(items)
def test_rlp_is_what_ethereum_reads(item: Any) -> None:
    assert rlp(item) == theirs.encode(item)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 70_000])
def test_rlp_counts_bytes_at_every_border(size: int) -> None:
    assert rlp(bytes(size)) == theirs.encode(bytes(size))
    assert rlp((bytes(size),)) == theirs.encode([bytes(size)])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chain_id": 0}, "has chain_id 0"),
        ({"chain_id": CHAIN_ID_MAX + 1}, "has chain_id"),
        ({"nonce": -1}, "has nonce -1"),
        ({"nonce": NONCE_MAX + 1}, "has nonce"),
        ({"value": -1}, "has value -1"),
        ({"value": AMOUNT_MAX + 1}, "has value"),
        ({"gas": 0}, "has gas 0"),
        ({"gas": GAS_MAX + 1}, "has gas"),
        ({"max_fee": -1, "priority_fee": None}, "has max_fee -1"),
        ({"priority_fee": 11}, "has priority_fee 11"),
        ({"to": ""}, "no 0x and hex"),
        ({"to": "0x"}, "is no address"),
        ({"to": "0x" + "35" * 19}, "is no address"),
        ({"data": "a9059cbb"}, "no 0x and hex"),
        ({"data": "0xa9 05"}, "no 0x and hex"),
        ({"data": "0xa"}, "no 0x and hex"),
        ({"authorizations": (LENT,), "priority_fee": None}, "is a legacy one"),
        ({"authorizations": (replace(LENT, chain_id=2),)}, "for another chain"),
        ({"authorizations": (replace(LENT, chain_id=0),)}, "for another chain"),
    ],
)
def test_what_no_chain_should_take_is_not_made_ready_for_signing(
    change: dict[str, Any], told: str
) -> None:
    assert unsigned(PLAIN)
    with pytest.raises(NoTransaction, match=told):
        unsigned(replace(PLAIN, **change))


def test_what_no_chain_could_mistake_for_a_transaction_begins_an_authorization() -> None:
    assert authorization(1, DELEGATE, 0)[0] == 5
    assert unsigned(PLAIN)[0] == 2
    assert unsigned(replace(PLAIN, authorizations=(LENT,)))[0] == 4
    assert unsigned(replace(PLAIN, priority_fee=None))[0] >= 0xC0


@pytest.mark.parametrize(("chain_id", "nonce"), [(0, 0), (-1, 0), (1, -1), (1, NONCE_MAX + 1)])
def test_an_authorization_for_all_chains_or_no_nonce_is_refused(chain_id: int, nonce: int) -> None:
    with pytest.raises(NoTransaction):
        authorization(chain_id, DELEGATE, nonce)
