"""Builders of refunds, and of what payments are told of them.

asked_back(1, 40)      the shop gives 40 back; without an amount, all that is left
paid_back(1, 20)       block 20 paid that out; None: none does any more
"""

from typing import Any, Final
from uuid import UUID

from ctrip.core.changes import RefundAsked, Refunded
from ctrip.core.ids import NATIVE, Amount, BlockNumber, PaymentId, RawAddress, RefundId, raw
from ctrip.core.refund import Refund, View
from tests.support.builders import CHAIN, CREATED, OTHER_ADDRESS, OWNER, tx_hash
from tests.support.sweeping import PRICE

PAYOUT_WALLET: Final = RawAddress("0x" + "9a" * 20)


def refund_id(n: int = 1) -> RefundId:
    return RefundId(UUID(int=n))


def asked_back(n: int = 1, amount: int | None = None) -> RefundAsked:
    wanted = None if amount is None else Amount(amount)
    return RefundAsked(refund_id=refund_id(n), to=OTHER_ADDRESS, amount=wanted)


def paid_back(n: int = 1, block: int | None = 20) -> Refunded:
    if block is None:
        return Refunded(refund_id=refund_id(n), tx_hash=None, block_number=None)
    return Refunded(
        refund_id=refund_id(n), tx_hash=tx_hash(100 + n), block_number=BlockNumber(block)
    )


def a_refund(**changes: Any) -> Refund:
    fields: dict[str, Any] = {
        "id": refund_id(),
        "chain": CHAIN,
        "payment_id": PaymentId(UUID(int=1)),
        "asset": NATIVE,
        "amount": Amount(100),
        "recipient": raw(OTHER_ADDRESS),
        "asked_by": OWNER,
        "created_at": CREATED,
        "due_at": CREATED,
    }
    return Refund(**{**fields, **changes})


def a_refund_view(**changes: Any) -> View:
    fields: dict[str, Any] = {
        "wallet": PAYOUT_WALLET,
        "free": Amount(10**18),
        "coin": Amount(10**18),
        "backed": True,
        "price": PRICE,
        "gas": 21_000,
    }
    return View(**{**fields, **changes})
