"""What the contract that sweeps in batches is told, and when."""

from datetime import timedelta

from eth_abi.abi import encode

from ctrip.core.batch import (
    PACKED_MAX,
    PARTS_MAX,
    SWEEP,
    Company,
    Order,
    batch_sweep,
    delegate_in,
    fits,
    waits_until,
)
from ctrip.core.ids import Amount, Asset, RawAddress
from tests.support.builders import CREATED

TOKEN = Asset("0x" + "cc" * 20)
DEPOSIT = RawAddress("0x00" + "d1" * 19)


def test_a_batch_is_encoded_as_the_abi_has_it() -> None:
    orders = [Order(DEPOSIT, Amount(70)), Order(RawAddress(TOKEN), Amount(PACKED_MAX))]
    words = [int(DEPOSIT, 16) << 96 | 70, int(TOKEN, 16) << 96 | PACKED_MAX]
    arguments = encode(["uint256", "uint256[]"], [int(TOKEN, 16) << 96 | 60_000, words])
    assert batch_sweep(TOKEN, 60_000, orders) == f"0x{SWEEP}{arguments.hex()}"


def test_an_amount_fits_that_leaves_the_address_beside_it_alone() -> None:
    assert fits(Amount(1))
    assert fits(Amount(PACKED_MAX))
    assert not fits(Amount(PACKED_MAX + 1))
    assert not fits(Amount(0))


def test_whose_code_acts_for_an_address_is_read_off_its_own() -> None:
    assert delegate_in(f"0xef0100{DEPOSIT[2:]}") == DEPOSIT
    assert delegate_in("0x") is None
    assert delegate_in("0x6001") is None


WINDOW = timedelta(minutes=15)


def test_sweeps_wait_for_company_as_long_as_the_oldest_may() -> None:
    two = Company(2, CREATED)
    early, late = CREATED + timedelta(minutes=14), CREATED + WINDOW
    assert waits_until(two, WINDOW, PARTS_MAX, now=early) == late
    assert waits_until(two, WINDOW, PARTS_MAX, now=late) is None


def test_nobody_waits_where_no_time_is_given() -> None:
    assert waits_until(Company(1, CREATED), timedelta(0), PARTS_MAX, now=CREATED) is None


def test_as_many_as_go_at_once_wait_for_nobody() -> None:
    nearly, enough = Company(PARTS_MAX - 1, CREATED), Company(PARTS_MAX, CREATED)
    assert waits_until(nearly, WINDOW, PARTS_MAX, now=CREATED) == CREATED + WINDOW
    assert waits_until(enough, WINDOW, PARTS_MAX, now=CREATED) is None
