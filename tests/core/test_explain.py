"""Why isn't this paid: the facts, in their order, and that nothing makes it fail."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from ctrip.core.case import (
    About,
    Case,
    Complaint,
    Delivery,
    Look,
    Reading,
    Trouble,
    read_about,
)
from ctrip.core.changes import Accepted, Cancelled, Change
from ctrip.core.events import EventType
from ctrip.core.explain import Explanation, Fact, explain
from ctrip.core.ids import (
    NATIVE,
    Amount,
    BlockNumber,
    ChainName,
    raw,
)
from ctrip.core.payment import Payment, Source
from ctrip.core.reasons import FactCode, Reason
from ctrip.core.transaction import Moved
from tests.core import test_complaint, test_verdict
from tests.core.explaining import (
    CONFIRMED,
    MOON,
    NOW,
    OTHER_ID,
    READING,
    SERVED,
    STOOD_STILL,
    STRANGER,
    a_case,
    a_payment,
    a_transaction,
    complained,
    moved,
    paid,
    raw_of,
)
from tests.core.histories import chaos, happen
from tests.core.histories import payments as any_payments
from tests.support.builders import (
    ADDRESS,
    CHAIN,
    CREATED,
    DEADLINE,
    IN_TIME,
    OTHER_ADDRESS,
    OTHER_ASSET,
    PAYER,
    TOKEN,
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


def codes(told: Explanation) -> list[str]:
    return [fact.code for fact in told.facts]


def fact(told: Explanation, code: str) -> Fact:
    return next(one for one in told.facts if one.code == code)


def test_the_facts_stand_in_order() -> None:
    case = a_case(
        after(a_payment(), seen(an_other_transfer(2)), seen(), head(11)),
        reading=replace(READING, troubles=(Trouble("anvil, endpoint 2 of 2", "it is behind"),)),
        announced=CONFIRMED,
        deliveries=(
            Delivery(
                type="payment.created",
                endpoint_id="we_1",
                state="delivered",
                attempts=1,
                outcome="200",
                at=IN_TIME,
            ),
            Delivery(
                type="payment.detected",
                endpoint_id="we_1",
                state="waiting",
                attempts=2,
                outcome="timeout",
                at=NOW,
            ),
        ),
        complaint=complained(a_transaction(moved())),
    )
    told = explain(case)
    assert codes(told) == [
        "created",
        "watched",
        "chain_read",
        "transfer_wrong_token",
        "transfer_counted",
        "confirmations",
        "endpoint_trouble",
        "announced",
        "deliveries",
        "delivery_failing",
        "transaction_mined",
        "transaction_unknown",
    ]
    assert fact(told, "created").at == CREATED
    assert "since block 9" in fact(told, "watched").text
    assert "block 12; its newest block is 12" in fact(told, "chain_read").text
    assert "(until 2026-01-01 12:01:17 UTC)" in fact(told, "confirmations").text
    assert "1 delivered, 1 waiting" in fact(told, "deliveries").text
    assert fact(told, "delivery_failing").text == (
        "payment.detected to we_1: 2 attempts, the last one: timeout; tried again at "
        "2026-01-01 12:01:05 UTC."
    )


FACTS: Final = [
    (paid(), "nothing_came"),
    (paid(seen(), lost()), "transfer_reorged"),
    (paid(seen(a_transfer(source=Source.BALANCE)), seen(a_transfer(2, block=9))), "transfer_named"),
    (paid(seen(a_transfer(chain=MOON))), "transfer_wrong_chain"),
    (paid(clock(), seen(a_transfer(block_time=TOO_LATE))), "transfer_late"),
    (paid(Cancelled(), seen()), "cancelled"),
    (paid(seen(a_transfer(1, 60)), Accepted()), "accepted"),
    (paid(extended_seconds=9), "extended"),
    (a_case(after(a_payment(), clock()), now=TOO_LATE), "deadline"),
    (paid(clock(WINDOW_END)), "closed"),
    (paid(seen(), head(12), needs_vouching=True), "second_opinion"),
    (a_case(reading=STOOD_STILL), "chain_trouble"),
    (a_case(reading=replace(READING, has_gap=True)), "chain_gap"),
    (a_case(reading=Reading(pace_seconds=1)), "chain_unread"),
    (a_case(reading=None), "chain_unserved"),
    (a_case(announced=CONFIRMED), "no_receiver"),
    (a_case(complaint=complained(None, fault="no answer")), "transaction_unasked"),
    (a_case(complaint=complained(a_transaction(block=None))), "transaction_unmined"),
    (a_case(complaint=complained(a_transaction(succeeded=False))), "transaction_failed"),
    (a_case(complaint=complained(None, paid=(OTHER_ID,) * 2)), "transaction_paid_several"),
]


@pytest.mark.parametrize(("case", "expected"), FACTS)
def test_what_matters_is_among_the_facts(case: Case, expected: str) -> None:
    assert expected in codes(explain(case))


def test_every_reason_and_every_fact_has_a_case() -> None:
    cases = [case for _, case, _ in (*test_verdict.CASES.values(), *test_complaint.CASES.values())]
    told = [explain(case) for case in (*cases, *(case for case, _ in FACTS))]
    assert {one.code for one in told} == set(Reason)
    rare = {FactCode.MORE_TRANSFERS, FactCode.ENDPOINT_TROUBLE}
    shown = {fact.code for one in told for fact in one.facts}
    assert shown >= set(FactCode) - rare - {FactCode.DELIVERIES, FactCode.DELIVERY_FAILING}


def test_a_payment_of_dust_is_told_in_short() -> None:
    changes = [seen(a_transfer(n, 1, ordinal=n)) for n in range(120)]
    told = explain(a_case(after(a_payment(amount=1_000), *changes)))
    assert codes(told).count("transfer_counted") == 100
    assert "20 more" in fact(told, "more_transfers").text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (str(a_payment().id), About(payment_id=a_payment().id)),
        (f" {ADDRESS}\n", About(address=raw(ADDRESS))),
        (tx_hash(1).upper().replace("X", "x"), About(tx_hash=tx_hash(1))),
        ("", None),
        ("0x1234", None),
        ("order-17", None),
        (tx_hash(1)[2:], None),
    ],
)
def test_what_is_asked_about_is_told_by_its_shape(text: str, expected: About | None) -> None:
    assert read_about(text) == expected


addresses = st.sampled_from([raw(ADDRESS), raw_of(OTHER_ADDRESS), STRANGER, PAYER])
moves = st.builds(
    Moved,
    asset=st.sampled_from([NATIVE, TOKEN.asset, OTHER_ASSET]),
    sender=addresses,
    recipient=addresses,
    amount=st.integers(1, 2**256 - 1).map(Amount),
)
transactions = st.builds(
    a_transaction,
    moves,
    block=st.none() | st.integers(0, 30),
    recipient=st.none() | addresses,
    calls=st.booleans(),
    offered=st.lists(moves, max_size=2).map(tuple),
    nonce=st.integers(0, 3),
    sender_nonce=st.none() | st.integers(0, 3),
    succeeded=st.booleans(),
    moved=st.lists(moves, max_size=5).map(tuple),
)
readings = st.builds(
    Reading,
    read=st.none() | st.integers(0, 30).map(BlockNumber),
    read_until=st.none() | st.sampled_from([CREATED, IN_TIME, TOO_LATE]),
    head=st.none() | st.integers(0, 30).map(BlockNumber),
    has_gap=st.booleans(),
    fault=st.sampled_from(["", "it is down"]),
    pace_seconds=st.floats(0.001, 1e12),
    since=st.none() | st.integers(0, 30).map(BlockNumber),
    troubles=st.just((Trouble("anvil", "late"),)),
)
complaints = st.builds(
    Complaint,
    tx_hash=st.integers(0, 4).map(tx_hash),
    looks=st.lists(
        st.builds(
            Look,
            chain=st.sampled_from([CHAIN, MOON, ChainName("gone")]),
            found=st.none() | transactions,
            fault=st.sampled_from(["", "no answer"]),
        ),
        max_size=3,
    ).map(tuple),
    ours=st.dictionaries(addresses, st.sampled_from([a_payment().id, OTHER_ID])),
    paid=st.lists(st.sampled_from([a_payment().id, OTHER_ID]), max_size=2).map(tuple),
)


@given(any_payments, chaos, st.none() | readings, st.none() | complaints, st.booleans())
def test_every_history_has_an_explanation(
    payment: Payment,
    drawn: list[Change],
    reading: Reading | None,
    complaint: Complaint | None,
    known: bool,  # noqa: FBT001  drawn
) -> None:
    for moment in happen(payment, drawn):
        payment = moment.after
    news = tuple((kind.value, IN_TIME) for kind in list(EventType)[: payment.sequence % 5])
    told = explain(
        Case(
            now=DEADLINE,
            chains=SERVED,
            payment=payment if known or complaint is None else None,
            reading=reading,
            announced=news,
            complaint=complaint,
        )
    )
    assert told.code
    assert told.answer.endswith(".")
    assert json.decode(json.encode(told), type=Explanation) == told
    for told_fact in told.facts:
        assert told_fact.text.endswith(".")
