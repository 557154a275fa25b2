"""A payment and its news in the exact words that receivers and clients were promised."""

import json
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import format as reformat
from msgspec.structs import replace

from ctrip.core.events import EventType, PaymentEvent, created
from ctrip.core.ids import AMOUNT_MAX, ChainName
from ctrip.core.payment import Payment
from ctrip.core.view import event_body, payment_body
from tests.support.builders import (
    CREATED,
    TOKEN,
    TOO_LATE,
    a_payment,
    a_token_payment,
    a_transfer,
    after,
    an_other_transfer,
    clock,
    head,
    lost,
    run,
    seen,
)

GOLDEN: Final = Path(__file__).parent.parent / "golden"
# In a receiver's hands from the first webhook on: add to it, never rename or reorder a word.
RICH: Final = a_token_payment(
    chain=ChainName("anvil"),
    amount=2**255,
    order_id="A-1001",
    description="Käse für 10 €, \"frisch\"",
    metadata={"cart": "77", "née": "Zoë"},
    redirect_url="https://shop.example/thanks?order=A-1001",
    webhook_url="https://shop.example/hooks/ctrip",
)  # fmt: skip
OWN: Final = a_transfer(1, 2**255, 10, asset=TOKEN.asset, log_index=0)
GONE: Final = a_transfer(2, 7, 11, asset=TOKEN.asset, log_index=4)
FOREIGN: Final = an_other_transfer(3, 5, 11, log_index=2)
LATE: Final = a_transfer(4, 1, 12, asset=TOKEN.asset, log_index=1, block_time=TOO_LATE)


def golden(name: str) -> bytes:
    """Return a golden body: the file is spread over lines to be read, the body is not."""
    return reformat((GOLDEN / f"{name}.json").read_bytes(), indent=-1)


def a_history() -> tuple[Payment, list[PaymentEvent]]:
    changes = (seen(OWN), seen(GONE), seen(FOREIGN), lost(GONE), seen(LATE), head(13, 9))
    return run(RICH, *changes)


def shown(payment: Payment) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(payment_body(payment))
    return answer


def test_the_golden_payment_is_shown_byte_for_byte() -> None:
    assert payment_body(a_history()[0]) == golden("payment")


def test_the_golden_event_is_sent_byte_for_byte() -> None:
    detected = a_history()[1][0]
    assert event_body(detected, CREATED + timedelta(seconds=61)) == golden("event_body")


def test_an_event_carries_the_payment_as_the_api_shows_it() -> None:
    payment, news = run(a_payment(), seen())
    data = json.loads(event_body(news[-1], CREATED))["data"]
    assert data == shown(payment)


def test_an_event_shows_the_payment_as_it_was_then() -> None:
    _, news = run(a_payment(), seen(), head(20, finalized=10))
    bodies = [json.loads(event_body(event, CREATED)) for event in news]
    assert [b["data"]["status"] for b in bodies] == ["detected", "confirmed", "paid", "settled"]
    assert [b["sequence"] for b in bodies] == [2, 3, 4, 5]


def test_the_first_event_is_the_creation() -> None:
    body = json.loads(event_body(created(a_payment()), CREATED))
    assert (body["type"], body["sequence"]) == ("payment.created", 1)
    assert body["data"]["status"] == "pending"


def test_the_same_news_always_has_the_same_id_and_other_news_another() -> None:
    first, second = created(a_payment()), created(a_payment(sequence=2))
    assert (
        first.id == created(a_payment(status="paid")).id == "evt_d1b8411f70302290b7e6a51f1d2a6456"
    )
    assert second.id != first.id
    assert "." not in first.id


@given(st.integers(1, AMOUNT_MAX))
def test_amounts_of_any_length_are_exact_json_integers(amount: int) -> None:
    payment = after(a_payment(amount=amount), seen(a_transfer(amount=amount)))
    answer = shown(payment)
    assert answer["amount"] == answer["amount_received"] == amount
    assert answer["transfers"][0]["amount"] == amount
    assert f'"amount":{amount},'.encode() in payment_body(payment)


def test_times_are_utc_and_end_in_z() -> None:
    assert shown(a_payment())["created_at"] == "2026-01-01T12:00:00Z"
    body = json.loads(event_body(created(a_payment()), CREATED + timedelta(microseconds=1)))
    assert body["created_at"] == "2026-01-01T12:00:00.000001Z"


def test_native_coin_has_no_token() -> None:
    answer = shown(a_payment(amount=15 * 10**17))
    assert (answer["token_id"], answer["currency"]) == (None, "ETH")
    assert (answer["amount"], answer["amount_decimal"]) == (15 * 10**17, "1.5")
    assert answer["payment_uri"].startswith(f"ethereum:{answer['address']}@31337?value=")


def test_flags_are_listed_in_order() -> None:
    both = after(a_payment(), seen(an_other_transfer(3)), seen(a_transfer(amount=150)), clock())
    assert shown(both)["flags"] == ["overpaid", "wrong_token"]


@pytest.mark.parametrize("order", list(permutations([OWN, FOREIGN, LATE, GONE])))
def test_transfers_are_listed_in_the_order_of_the_chain(order: tuple[Any, ...]) -> None:
    answer = shown(a_token_payment(transfers=order))
    assert [t["log_index"] for t in answer["transfers"]] == [0, 2, 4, 1]


def test_coin_is_listed_before_the_first_log_of_its_block() -> None:
    coin, token = a_transfer(1), an_other_transfer(2)
    for transfers in ((coin, token), (token, coin)):
        answer = shown(a_payment(transfers=transfers))
        assert [t["log_index"] for t in answer["transfers"]] == [None, 0]


def test_only_money_that_counts_is_said_to_count() -> None:
    answer = shown(a_history()[0])
    counted = {t["tx_hash"]: t["counted"] for t in answer["transfers"]}
    orphaned = {t["tx_hash"]: t["orphaned"] for t in answer["transfers"]}
    assert [counted[t.key.tx_hash] for t in (OWN, GONE, FOREIGN, LATE)] == [True] + [False] * 3
    assert [orphaned[t.key.tx_hash] for t in (OWN, GONE, FOREIGN, LATE)] == [
        False, True, False, False,
    ]  # fmt: skip


def test_a_transfer_in_a_dropped_block_has_no_confirmations() -> None:
    payment = replace(after(RICH, seen(OWN), lost(OWN)), head=20)
    assert [t["confirmations"] for t in shown(payment)["transfers"]] == [0]


def test_a_transfer_above_the_head_that_was_read_has_no_confirmations() -> None:
    payment = after(a_payment(), seen(), head(8))
    assert [t["confirmations"] for t in shown(payment)["transfers"]] == [0]
    assert shown(payment)["confirmations"] == 0


def test_every_event_type_has_a_body() -> None:
    for kind in EventType:
        event = PaymentEvent(type=kind, payment=a_payment())
        assert json.loads(event_body(event, CREATED))["type"] == kind
