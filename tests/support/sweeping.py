"""Builders of sweeps and of what is sent for them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from ctrip.core.fees import Price
from ctrip.core.ids import (
    NATIVE,
    Amount,
    Asset,
    BlockHash,
    BlockNumber,
    PaymentId,
    RawAddress,
    SendingId,
    SweepId,
)
from ctrip.core.outgoing import Mined, Outcome, Signed
from ctrip.core.sending import Purpose, Sending, Version
from ctrip.core.sweep import Sweep, View
from tests.support.builders import CHAIN, CREATED, tx_hash

TOKEN = Asset("0x" + "cc" * 20)
DEPOSIT = RawAddress("0x" + "d1" * 20)
TREASURY = RawAddress("0x" + "7e" * 20)
GAS_WALLET = RawAddress("0x" + "6a" * 20)
GWEI = 10**9
PRICE = Price(10 * GWEI, GWEI)


def a_version(n: int = 1, *, value: int = 0, price: Price = PRICE, minutes: float = 0) -> Version:
    return Version(
        signed=Signed(tx_hash(n), f"0x{n:02x}"),
        value=Amount(value),
        price=price,
        created_at=CREATED + timedelta(minutes=minutes),
    )


def a_sending(purpose: Purpose = Purpose.SWEEP, **changes: Any) -> Sending:
    is_fuel = purpose is Purpose.FUEL
    fields: dict[str, Any] = {
        "id": SendingId(UUID(int=7)),
        "chain": CHAIN,
        "sender": GAS_WALLET if is_fuel else DEPOSIT,
        "derivation_index": None if is_fuel else 3,
        "nonce": 0,
        "purpose": purpose,
        "sweep_id": SweepId(UUID(int=5)),
        "asset": NATIVE,
        "amount": Amount(100),
        "beneficiary": DEPOSIT if is_fuel else TREASURY,
        "recipient": DEPOSIT if is_fuel else TREASURY,
        "data": "0x",
        "gas": 21_000,
        "created_at": CREATED,
        "versions": (a_version(value=100),),
    }
    return Sending(**{**fields, **changes})


def a_sweep(asset: Asset = NATIVE, **changes: Any) -> Sweep:
    fields: dict[str, Any] = {
        "id": SweepId(UUID(int=5)),
        "chain": CHAIN,
        "payment_id": PaymentId(UUID(int=1)),
        "address": DEPOSIT,
        "derivation_index": 3,
        "asset": asset,
        "created_at": CREATED,
        "due_at": CREATED,
    }
    return Sweep(**{**fields, **changes})


def a_view(**changes: Any) -> View:
    fields: dict[str, Any] = {
        "balance": Amount(10**18),
        "coin": Amount(10**18),
        "recorded": Amount(10**18),
        "price": PRICE,
        "going_rate": 5 * GWEI,
        "gas": 21_000,
        "fuel_gas": 21_000,
        "purse": Amount(10**18),
    }
    return View(**{**fields, **changes})


def mined(n: int = 1, block: int = 10, *, succeeded: bool = True, fee: int = 21_000) -> Outcome:
    return Outcome(
        tx_hash=tx_hash(n),
        mined=Mined(
            block_number=BlockNumber(block),
            block_hash=BlockHash(f"0x{block:064x}"),
            succeeded=succeeded,
            gas_used=21_000,
            fee=Amount(fee),
        ),
    )


def in_pool(n: int = 1) -> Outcome:
    return Outcome(tx_hash=tx_hash(n), known=True)


def unknown(n: int = 1) -> Outcome:
    return Outcome(tx_hash=tx_hash(n))
