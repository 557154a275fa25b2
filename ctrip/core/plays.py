"""The cases that an integrator must handle, by name; a dev gateway plays them on its chain."""

from enum import StrEnum
from typing import Final


class Case(StrEnum):
    """What happens to a payment that is made with `test_case`."""

    PAID = "paid"
    PAID_IN_PARTS = "paid_in_parts"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    EXPIRED = "expired"
    LATE = "late"
    WRONG_TOKEN = "wrong_token"  # noqa: S105  a case, not a password
    THROUGH_CONTRACT = "through_contract"
    FAILED_TRANSACTION = "failed_transaction"
    REORGED = "reorged"
    REVERSED = "reversed"
    SWEEP_STUCK = "sweep_stuck"


# Seconds until a payment expires, where the case is about that and nobody wants to wait.
EXPIRES_IN: Final = {Case.UNDERPAID: 15, Case.EXPIRED: 3, Case.LATE: 3}

# Cases of gateways that sweep.
SWEPT: Final = {Case.SWEEP_STUCK}

WHAT: Final = {
    Case.PAID: "the whole amount in one transaction",
    Case.PAID_IN_PARTS: "the amount in three transactions",
    Case.UNDERPAID: "half of the amount, and no more until it expires",
    Case.OVERPAID: "twice the amount",
    Case.EXPIRED: "nothing",
    Case.LATE: "the amount, after it expired",
    Case.WRONG_TOKEN: "an asset that was not asked for",
    Case.THROUGH_CONTRACT: "the amount in coin, forwarded by a contract",
    Case.FAILED_TRANSACTION: "a transaction that fails, then one that does not",
    Case.REORGED: "the amount; a reorg drops it once it was detected, and it is mined again",
    Case.REVERSED: "the amount; a reorg drops it after it was confirmed, for good",
    Case.SWEEP_STUCK: "the amount; the treasury refuses it for a while",
}
