"""Files of transactions to sign: one that is right, with every kind of transaction in it."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from ctrip.core.abi import erc20_transfer
from ctrip.core.bundles import RefundOf, ToSign, Unit, Unsigned, in_all_forms
from ctrip.core.ids import Amount, ChainName, RawAddress
from ctrip.core.paths import GAS_PATH, PAYOUT_PATH, deposit_path
from ctrip.core.vetting import Keys

TREASURY: Final = RawAddress("0x" + "7e" * 20)
USDT: Final = RawAddress("0x" + "d5" * 20)
PAYER: Final = RawAddress("0x" + "4e" * 20)
OTHER_PAYER: Final = RawAddress("0x" + "4f" * 20)
GWEI: Final = 10**9
CHAIN_ID: Final = 31337


def a_file(keys: Keys) -> ToSign:
    """Return coin of one deposit, and tokens of two, of which one is sent gas before."""
    return ToSign(
        chain=ChainName("anvil"),
        chain_id=CHAIN_ID,
        treasury=TREASURY,
        made_at=datetime(2026, 11, 30, tzinfo=UTC),
        units=(
            Unit(symbol="ETH", decimals=18),
            Unit(contract=USDT, symbol="USDT", decimals=6),
        ),
        transactions=(
            unsigned(1, keys.gas_address, GAS_PATH, keys.address(7), value=str(10**15),
                     to_path=deposit_path(7)),
            unsigned(2, keys.address(7), deposit_path(7), USDT, depends_on=UUID(int=1),
                     data=erc20_transfer(TREASURY, Amount(10_000_000))),
            unsigned(3, keys.address(8), deposit_path(8), USDT,
                     data=erc20_transfer(TREASURY, Amount(500_000))),
            unsigned(4, keys.address(0), deposit_path(0), TREASURY, value=str(7 * 10**17)),
            unsigned(5, keys.payout_address, PAYOUT_PATH, TREASURY, value="1",
                     max_priority_fee_per_gas=None),
        ),
    )  # fmt: skip


def a_file_with_refunds(keys: Keys) -> ToSign:
    """Return the same, and coin and tokens that go back to two payers."""
    whole = a_file(keys)
    refunds = (
        unsigned(6, keys.payout_address, PAYOUT_PATH, PAYER, value="5", nonce=1, refund=of(1)),
        unsigned(7, keys.payout_address, PAYOUT_PATH, USDT, nonce=2, refund=of(2),
                 data=erc20_transfer(OTHER_PAYER, Amount(30_000_000))),
    )  # fmt: skip
    return replace(whole, transactions=(*whole.transactions, *refunds))


def of(number: int) -> RefundOf:
    """Return a refund of a payment."""
    asked_at = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
    return RefundOf(id=UUID(int=100 + number), payment_id=UUID(int=number), asked_at=asked_at)


def unsigned(number: int, sender: RawAddress, path: str, to: RawAddress, **more: Any) -> Unsigned:
    """Return a transaction of 100,000 gas at 2 gwei."""
    plain = {"value": "0", "max_priority_fee_per_gas": str(GWEI), "nonce": 0}
    one = Unsigned(
        id=UUID(int=number),
        why="a sweep of a test",
        sender=sender,
        path=path,
        to=to,
        gas=100_000,
        max_fee_per_gas=str(2 * GWEI),
        **{**plain, **more},
    )
    return in_all_forms(one, CHAIN_ID)
