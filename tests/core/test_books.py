"""What a difference between the books and the chain means."""

import pytest

from ctrip.core.books import Booked, Role, Verdict, compare
from ctrip.core.ids import NATIVE, Amount, RawAddress
from tests.support.builders import CHAIN

ADDRESS = RawAddress("0x" + "0a" * 20)


def booked(role: Role = Role.DEPOSIT, **changes: object) -> Booked:
    given = {"amount": 100, "asset": NATIVE, "is_left_alone": False, "deviation": None} | changes
    return Booked(role=role, address=ADDRESS, **given)  # type: ignore[arg-type]  # fields by name


def holding(one: Booked, has: int, *, accept: bool = False) -> Verdict:
    return compare(CHAIN, [one], [Amount(has)], accept=accept)


def test_what_agrees_is_no_difference() -> None:
    assert holding(booked(), 100) == Verdict()


@pytest.mark.parametrize("has", [0, 99])
def test_less_on_an_address_that_we_sweep_holds_the_asset(has: int) -> None:
    [one] = holding(booked(), has).differences
    assert (one.holds, one.asset) == (True, NATIVE)
    assert f"holds {has}, {100 - has} less than it should" in one.what
    assert "--accept" in one.remedy


def test_more_holds_nothing_because_anybody_can_send_it() -> None:
    [one] = holding(booked(), 101).differences
    assert not one.holds
    assert "1 more than is on record" in one.what


def test_money_that_is_left_alone_may_be_moved_by_its_owner() -> None:
    assert holding(booked(is_left_alone=True), 0) == Verdict(left_alone=1)
    assert len(holding(booked(is_left_alone=True), 101).differences) == 1


def test_what_was_accepted_is_no_difference_any_more() -> None:
    assert holding(booked(), 40, accept=True).deviations == [(booked(), -60)]
    assert holding(booked(deviation=-60), 40) == Verdict()
    assert holding(booked(deviation=-60), 39).differences[0].holds
    assert not holding(booked(deviation=-60), 41).differences[0].holds


def test_more_is_never_accepted() -> None:
    assert holding(booked(), 101, accept=True).deviations == []


@pytest.mark.parametrize("role", [Role.GAS, Role.PAYOUT])
def test_a_wallet_may_be_filled_up_and_never_be_lower(role: Role) -> None:
    first = holding(booked(role, amount=-5), 1_000)
    assert (first.differences, first.deviations[0][1]) == ([], 1_005)
    assert holding(booked(role, amount=-9, deviation=1_005), 996) == Verdict()
    filled = holding(booked(role, amount=-9, deviation=1_005), 1_996)
    assert (filled.differences, filled.deviations[0][1]) == ([], 2_005)
    [gone] = holding(booked(role, amount=-9, deviation=1_005), 990).differences
    assert gone.holds
    assert "6 less than it should" in gone.what
    accepted = holding(booked(role, amount=-9, deviation=1_005), 990, accept=True)
    assert accepted.deviations[0][1] == 999
