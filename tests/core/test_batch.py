"""What the contract that sweeps in batches is told."""

from eth_abi.abi import encode

from ctrip.core.batch import PACKED_MAX, SWEEP, Order, batch_sweep, delegate_in, fits
from ctrip.core.ids import Amount, Asset, RawAddress

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
