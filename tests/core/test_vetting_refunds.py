"""Refunds are signed as far as whoever signs has said, and from the payout wallet alone."""

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from ctrip.core.abi import erc20_transfer
from ctrip.core.bundles import BadBundle, ToSign, in_all_forms, read, write
from ctrip.core.errors import InvariantError
from ctrip.core.ids import NATIVE, Amount, Asset
from ctrip.core.paths import GAS_PATH, deposit_path
from ctrip.core.vetting import NOTHING, Total, faults_of, move_of, totals
from tests.core.test_vetting import SIGNER, THIEF
from tests.support.bundling import PAYER, TREASURY, USDT, a_file_with_refunds

GOOD: Final = a_file_with_refunds(SIGNER)
PLAIN: Final = to_builtins(GOOD)
ENOUGH: Final = {NATIVE: Amount(5), Asset(USDT): Amount(30_000_000)}
COIN, TOKENS = 5, 6  # places in the file


def with_change(place: int, **fields: Any) -> ToSign:
    """Return the file with some fields of one of its transactions changed, in all its forms."""
    transactions = [dict(one) for one in PLAIN["transactions"]]
    transactions[place] |= fields
    bundle = read(json.dumps({**PLAIN, "transactions": transactions}).encode(), ToSign)
    redone = tuple(in_all_forms(one, bundle.chain_id) for one in bundle.transactions)
    return replace(bundle, transactions=redone)


def test_refunds_are_signed_where_so_much_was_said_and_no_more() -> None:
    assert read(write(GOOD), ToSign) == GOOD
    assert faults_of(GOOD, TREASURY, SIGNER, ENOUGH) == []
    for asset in ENOUGH:
        less = {**ENOUGH, asset: Amount(ENOUGH[asset] - 1)}
        (told,) = faults_of(GOOD, TREASURY, SIGNER, less)
        assert f"gives back {ENOUGH[asset]} of" in told
        assert f"--refund-max for that is {less[asset]}" in told


def test_where_nothing_was_said_none_is_signed() -> None:
    told = faults_of(GOOD, TREASURY, SIGNER)
    assert [fault.partition(" of ")[0] for fault in told] == [
        "gives back 5", "gives back 30000000",
    ]  # fmt: skip
    assert NOTHING == {}


def test_they_are_summed_apart_from_what_goes_to_the_treasury() -> None:
    refunds = [one for one in totals(GOOD) if one.is_refund]
    assert refunds == [
        Total(asset=NATIVE, is_gas=False, is_refund=True, count=1, amount=Amount(5)),
        Total(asset=Asset(USDT), is_gas=False, is_refund=True, count=1, amount=Amount(30_000_000)),
    ]


@pytest.mark.parametrize(
    ("place", "change", "told"),
    [
        (COIN, {"refund": None}, "is not to the treasury but to"),
        (COIN, {"from": SIGNER.gas_address, "path": GAS_PATH}, "not from the payout wallet"),
        (3, {"refund": PLAIN["transactions"][COIN]["refund"]}, "not from the payout wallet"),
        (COIN, {"to_path": deposit_path(7)}, "not from the payout wallet alone"),
        (TOKENS, {"refund": PLAIN["transactions"][COIN]["refund"]}, "a refund that another pays"),
        (TOKENS, {"data": "0x095ea7b3" + "0" * 128}, "is neither coin alone nor a transfer"),
        (TOKENS, {"value": "1"}, "is neither coin alone nor a transfer"),
        (COIN, {"value": "6"}, "gives back 6 of coin (wei) in 1 refunds"),
        (TOKENS, {"nonce": 1}, "has the sender and nonce of another"),
    ],
)
def test_what_is_no_refund_of_the_payout_wallet_is_refused(
    place: int, change: dict[str, Any], told: str
) -> None:
    found = faults_of(with_change(place, **change), TREASURY, SIGNER, ENOUGH)
    assert any(told in fault for fault in found), found


values = st.one_of(
    st.sampled_from([THIEF, TREASURY, PAYER, USDT, SIGNER.address(0), SIGNER.payout_address]),
    st.sampled_from([None, "0", "4", "6", deposit_path(0), GAS_PATH, 0, 1]),
    st.sampled_from([one["refund"] for one in PLAIN["transactions"]]),
    st.sampled_from([erc20_transfer(THIEF, Amount(n)) for n in (1, 30_000_000, 10**12)]),
)
names: Final = sorted(PLAIN["transactions"][0])
changes = st.lists(
    st.tuples(st.integers(0, TOKENS), st.sampled_from(names), values), min_size=1, max_size=4
)


@given(changes=changes)
@settings(deadline=None, max_examples=300)
def test_whatever_is_changed_no_more_goes_to_strangers_than_was_said(changes: Any) -> None:
    transactions = [dict(one) for one in PLAIN["transactions"]]
    for place, name, value in changes:
        transactions[place][name] = value
    text = json.dumps({**PLAIN, "transactions": transactions}).encode()
    try:
        bundle = read(text, ToSign)
        redone = tuple(in_all_forms(one, bundle.chain_id) for one in bundle.transactions)
    except (BadBundle, InvariantError):
        return
    bundle = replace(bundle, transactions=redone)
    if faults_of(bundle, TREASURY, SIGNER, ENOUGH):
        return
    ours = {TREASURY, *map(SIGNER.address, range(20))}
    for asset, most in ENOUGH.items():
        moves = [move for one in bundle.transactions if (move := move_of(one))]
        lost = [move.amount for move in moves if move.to not in ours and move.asset == asset]
        assert sum(lost) <= most
