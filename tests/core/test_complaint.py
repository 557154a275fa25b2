"""What became of a payer's transaction: every code has a case, and every case a sentence."""

from collections.abc import Mapping
from typing import Final

import pytest

from ctrip.core.case import Case, Complaint, Look
from ctrip.core.changes import Cancelled
from ctrip.core.explain import explain
from ctrip.core.transaction import Transaction
from tests.core.explaining import (
    FORWARDER,
    MOON,
    NOW,
    OTHER_ID,
    SERVED,
    STRANGER,
    THROUGH,
    TO_OTHER,
    UNLISTED,
    a_case,
    a_payment,
    a_transaction,
    about,
    complained,
    moved,
    raw_of,
)
from tests.support.builders import (
    ADDRESS,
    CHAIN,
    OTHER_ADDRESS,
    TOKEN,
    TOO_LATE,
    WINDOW_END,
    a_token_payment,
    a_transfer,
    clock,
    head,
    lost,
    seen,
    tx_hash,
)

# Code, case, and what the sentence must have.
CASES: Final[Mapping[str, tuple[str, Case, str]]] = {
    "tx counts": ("waiting_for_confirmations", about(a_transaction(moved()), seen()), "1 of 3"),
    "tx counts, settled": (
        "settled",
        about(a_transaction(moved()), seen(), head(12, 12)),
        "complete",
    ),
    "tx counts, not enough": (
        "underpaid",
        about(a_transaction(moved(60)), seen(a_transfer(1, 60))),
        "missing",
    ),
    "tx failed": (
        "failed_transaction",
        about(a_transaction(moved(), succeeded=False, moved=())),
        "The 1 ETH it was to send never left",
    ),
    "tx of an unlisted token": ("wrong_token", about(a_transaction(UNLISTED)), "not listed"),
    "tx of another listed token": (
        "wrong_token",
        about(a_transaction(moved(5, asset=TOKEN.asset))),
        "sent 0.000005 TEST to the right address, but 1 ETH",
    ),
    "tx of another token, seen": (
        "wrong_token",
        about(None, seen(a_transfer(1, 5, asset=TOKEN.asset))),
        "0.000005 TEST",
    ),
    "tx to a stranger": (
        "wrong_address",
        about(a_transaction(moved(to=STRANGER))),
        f"to {STRANGER}, which is not {ADDRESS}",
    ),
    "tx of the right token to a stranger": (
        "wrong_address",
        about(
            a_transaction(moved(to=STRANGER, asset=TOKEN.asset), calls=True),
            payment=a_token_payment(),
        ),
        "0.0001 TEST",
    ),
    "tx on another chain": (
        "wrong_chain",
        a_case(complaint=complained(a_transaction(moved()), MOON)),
        "1 MOON to the right address, but on moon",
    ),
    "tx on another chain, seen": (
        "wrong_chain",
        about(None, seen(a_transfer(chain=MOON))),
        "on moon instead of anvil",
    ),
    "tx in the pool": ("not_mined", about(a_transaction(moved(), block=None)), "too low a fee"),
    "tx behind another": (
        "not_mined",
        about(a_transaction(moved(), block=None, sender_nonce=2)),
        "an earlier transaction",
    ),
    "tx replaced": (
        "replaced",
        about(a_transaction(moved(), block=None, sender_nonce=5)),
        "will never be mined",
    ),
    "tx unknown": ("not_found", about(None), "(anvil, moon) knows this transaction"),
    "tx on a chain that is away": (
        "chain_unreachable",
        a_case(complaint=complained(None, fault="no answer")),
        "could not be looked up on anvil at the moment",
    ),
    "tx dropped by a reorg": ("reorged", about(None, seen(), lost()), "was in block 10 of anvil"),
    "tx late": (
        "late",
        about(None, clock(), seen(a_transfer(block_time=TOO_LATE))),
        "at 2026-01-01 12:31:00 UTC, after the deadline, 2026-01-01 12:30:00 UTC",
    ),
    "tx after it was cancelled": ("late", about(None, Cancelled(), seen()), "was cancelled"),
    "tx late to one that failed": (
        "late",
        about(None, clock(WINDOW_END), seen(a_transfer(block_time=TOO_LATE))),
        "does not count by itself; the shop can give it back.",
    ),
    "tx late, and still to be accepted": (
        "late",
        about(None, clock(), seen(a_transfer(block_time=TOO_LATE))),
        "the shop may accept it or give it back.",
    ),
    "tx not read yet": (
        "not_read_yet",
        about(a_transaction(moved(), block=13)),
        "block 13 of anvil, which was not read yet",
    ),
    "tx that was missed": (
        "not_on_record",
        about(a_transaction(moved())),
        "ctrip rescan --chain anvil --from 10 --to 10",
    ),
    "tx of another payment": (
        "other_payment",
        a_case(
            complaint=complained(a_transaction(TO_OTHER), ours={raw_of(OTHER_ADDRESS): OTHER_ID})
        ),
        str(OTHER_ID),
    ),
    "tx on record of another payment": (
        "other_payment",
        a_case(complaint=complained(None, paid=(OTHER_ID,))),
        str(OTHER_ID),
    ),
    "tx through a contract": ("no_transfer", about(THROUGH), f"it called the contract {FORWARDER}"),
    "tx that moved nothing": ("no_transfer", about(a_transaction()), "shows nothing that went to"),
    "tx of no payment": (
        "wrong_address",
        a_case(complaint=complained(a_transaction(moved(to=STRANGER)))),
        STRANGER,
    ),
}
ALONE: Final[Mapping[str, tuple[str, Complaint]]] = {
    "failed": ("failed_transaction", complained(a_transaction(succeeded=False, moved=()))),
    "elsewhere": ("wrong_address", complained(a_transaction(moved(to=STRANGER)), MOON)),
    "unknown": ("not_found", complained(None)),
    "unmined": ("not_mined", complained(a_transaction(moved(), block=None))),
    "through a contract": ("no_transfer", complained(THROUGH)),
}


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_its_code_and_its_sentence(name: str) -> None:
    code, case, words = CASES[name]
    told = explain(case)
    assert told.code == code
    assert words in told.answer
    assert told.answer.endswith(".")
    assert told.payment_id == a_payment().id


@pytest.mark.parametrize("name", ALONE)
def test_a_transaction_is_explained_where_no_payment_is_known(name: str) -> None:
    code, complaint = ALONE[name]
    told = explain(Case(now=NOW, chains=SERVED, complaint=complaint))
    assert (told.code, told.payment_id, told.status) == (code, None, None)
    assert told.tx_hash == tx_hash(1)
    assert {fact.code.partition("_")[0] for fact in told.facts} == {"transaction"}


def test_a_transaction_on_two_chains_is_told_where_it_matters_most() -> None:
    """Before EIP-155 a transaction could be sent again on another chain as it was."""
    here, there = a_transaction(moved(), succeeded=False, moved=()), a_transaction(moved())
    waits = a_transaction(moved(), block=None)

    def code(home: Transaction, moon: Transaction) -> str:
        looks = (Look(chain=MOON, found=moon), Look(chain=CHAIN, found=home))
        complaint = Complaint(tx_hash=tx_hash(1), looks=looks)
        return explain(a_case(complaint=complaint)).code

    assert code(here, there) == "failed_transaction"
    assert code(waits, there) == "wrong_chain"
    assert code(waits, waits) == "not_mined"
