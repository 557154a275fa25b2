"""Where a payment stands: every code has a case, and every case a sentence."""

from collections.abc import Mapping
from typing import Final

import pytest
from msgspec.structs import replace

from ctrip.core.case import (
    Case,
    Reading,
)
from ctrip.core.changes import Cancelled, TransferSwept
from ctrip.core.explain import explain
from ctrip.core.ids import (
    BlockNumber,
)
from ctrip.core.payment import Settles, Status
from tests.core.explaining import (
    BY_TAG,
    CONFIRMED,
    HOUR,
    LAGS,
    MOON,
    NOW,
    READING,
    STOOD_STILL,
    a_case,
    a_payment,
    paid,
)
from tests.support.builders import (
    TOO_LATE,
    WINDOW_END,
    a_transfer,
    after,
    an_other_transfer,
    clock,
    head,
    lost,
    seen,
    tx_hash,
)

SWEPT: Final = TransferSwept(a_transfer().key, BlockNumber(17), tx_hash(17))

# Code, case, and what the sentence must have.
CASES: Final[Mapping[str, tuple[str, Case, str]]] = {
    "nothing came": ("waiting_for_money", a_case(), "No money has reached 0x70997970C5"),
    "a part came": ("underpaid", paid(seen(a_transfer(1, 60))), "Too little has come"),
    "not deep enough": (
        "waiting_for_confirmations",
        paid(seen(), head(11)),
        "2 of 3 confirmations are there, 1 block to go, which takes about 12 seconds",
    ),
    "not finalized": (
        "waiting_for_confirmations",
        paid(seen(), head(40, 4), **BY_TAG),
        "its block 10 waits until the chain calls it finalized, 6 blocks to go",
    ),
    "a tag that stands still": (
        "waiting_for_confirmations",
        a_case(
            after(a_payment(**BY_TAG), seen(), head(40, 4)),
            reading=replace(READING, pace_seconds=1e12),
        ),
        "which takes about 168 hours",
    ),
    "deep enough any moment": (
        "waiting_for_confirmations",
        a_case(replace(after(a_payment(), seen()), head=BlockNumber(99))),
        "at any moment now",
    ),
    "one endpoint's word": (
        "waiting_for_second_opinion",
        paid(seen(), head(30), needs_vouching=True),
        "a second endpoint",
    ),
    "confirmed": (
        "confirmed",
        a_case(replace(after(a_payment(), seen(), head(12)), status=Status.CONFIRMED)),
        "is confirmed",
    ),
    "paid": ("paid", paid(seen(), head(12)), "It is final when"),
    "settled": ("settled", paid(seen(), head(12, 12)), "complete and final"),
    "too late": (
        "late",
        paid(clock(), seen(a_transfer(block_time=TOO_LATE))),
        "after the deadline",
    ),
    "confirmed, and to be swept": (
        "confirmed",
        paid(seen(), head(12), settles=Settles.SWEEP),
        "It is on its way to the treasury.",
    ),
    "swept, and not final": (
        "paid",
        paid(seen(), head(12), SWEPT, settles=Settles.SWEEP),
        "It is final when the chain has finalized block 17.",
    ),
    "late to one that failed": (
        "late",
        paid(clock(WINDOW_END), seen(a_transfer(block_time=TOO_LATE))),
        "does not count by itself; the shop can give it back.",
    ),
    "late, and still to be accepted": (
        "late",
        paid(clock(), seen(a_transfer(block_time=TOO_LATE))),
        "the shop may accept it or give it back.",
    ),
    "the deadline has just passed": (
        "waiting_for_money",
        a_case(now=TOO_LATE),
        "was awaited until 2026-01-01 12:30:00 UTC; it expires once anvil is read that far",
    ),
    "a part came, and the deadline has just passed": (
        "underpaid",
        replace(paid(seen(a_transfer(1, 60))), now=TOO_LATE),
        "The rest was awaited until 2026-01-01 12:30:00 UTC; it expires once anvil",
    ),
    "half in time": (
        "late",
        paid(seen(a_transfer(1, 60)), clock(), seen(a_transfer(2, 50, block_time=TOO_LATE))),
        "and only 0.6 ETH before it",
    ),
    "after it was cancelled": (
        "late",
        paid(Cancelled(), seen()),
        "came after the payment was cancelled",
    ),
    "late, by the chain's clock only": (
        "late",
        paid(seen(a_transfer(block_time=TOO_LATE))),
        "What comes late does not count by itself",
    ),
    "expired with a part": (
        "expired_underpaid",
        paid(seen(a_transfer(1, 60)), clock()),
        "and the deadline passed",
    ),
    "expired": ("expired_unpaid", paid(clock()), "No money reached"),
    "failed unpaid": ("expired_unpaid", paid(clock(WINDOW_END)), "nor in the time after it"),
    "cancelled": ("cancelled", paid(Cancelled()), "The shop cancelled"),
    "another token": (
        "wrong_token",
        paid(seen(an_other_transfer())),
        "100 base units of a token that is not listed",
    ),
    "another token, expired": (
        "wrong_token",
        paid(seen(an_other_transfer()), clock()),
        "but 1 ETH was asked for",
    ),
    "another chain": ("wrong_chain", paid(seen(a_transfer(chain=MOON))), "came on moon"),
    "taken back": ("reorged", paid(seen(), lost()), "replaced the block"),
    "taken back, expired": ("reorged", paid(seen(), lost(), clock()), "replaced the block"),
    "taken back when confirmed": (
        "reversed",
        a_case(after(a_payment(), seen(), head(12), lost()), announced=CONFIRMED),
        "was confirmed, and then",
    ),
    "chain away": ("chain_unreachable", a_case(reading=STOOD_STILL), "the deadline waits"),
    "chain away, detected": (
        "chain_unreachable",
        a_case(after(a_payment(), seen()), reading=STOOD_STILL),
        "The whole amount has come, but anvil cannot be read",
    ),
    "chain never read": ("chain_unreachable", a_case(reading=Reading(pace_seconds=1)), "anvil"),
    "chain not served": (
        "chain_unreachable",
        a_case(reading=None),
        "anvil is not served here any more",
    ),
    "chain behind": ("chain_behind", a_case(reading=LAGS, now=NOW + HOUR), "was read up to"),
    "gap": (
        "chain_behind",
        a_case(reading=replace(READING, has_gap=True), now=NOW + HOUR),
        "12:01:00 UTC",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_its_code_and_its_sentence(name: str) -> None:
    code, case, words = CASES[name]
    told = explain(case)
    assert told.code == code
    assert words in told.answer
    assert told.answer.endswith(".")
    assert told.payment_id == a_payment().id
