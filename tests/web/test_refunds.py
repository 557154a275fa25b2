"""Money that is given back over the API: who may, how much, to whom, and how they are told no."""

from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import json

from ctrip.core.changes import Refunded
from ctrip.core.ids import BlockNumber, PaymentId, RefundId, TxHash
from ctrip.flows.apply import apply
from ctrip.store.pool import transaction
from tests.support.builders import CREATED, OTHER_ADDRESS, tx_hash
from tests.web.shop import CREATE, OTHER, REFUND_PER_DAY_MAX, SIGNER, TREASURY, Answer, Shop, paid

TO: Final = str(OTHER_ADDRESS)


@pytest.fixture
async def admin(shop: Shop) -> str:
    return await shop.issue("admin")


async def ask(shop: Shop, key: str, payment: Any, body: Any, **headers: str) -> Answer:
    given = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
    data = body if isinstance(body, bytes) else json.encode(body)
    return await shop.call("POST", f"{CREATE}/{payment['id']}/refund", headers=given, data=data)


async def listed(shop: Shop, key: str, payment: Any) -> Any:
    path = f"{CREATE}/{payment['id']}/refunds"
    answer = await shop.call("GET", path, headers={"authorization": f"Bearer {key}"})
    assert answer.status == 200, answer.body
    return answer.json["data"]


async def test_a_part_goes_back_and_then_the_rest(shop: Shop, admin: str) -> None:
    payment = await paid(shop)
    answer = await ask(shop, admin, payment, {"to": TO.lower(), "amount": "40"})
    assert answer.status == 201, answer.body
    refund = answer.json
    assert refund == {
        "id": refund["id"],
        "payment_id": payment["id"],
        "to": TO,
        "amount": 40,
        "state": "queued",
        "why": None,
        "tx_hash": None,
        "block_number": None,
        "created_at": "2026-01-01T12:00:00Z",
        "ended_at": None,
    }
    rest = (await ask(shop, admin, payment, {"to": TO})).json
    assert rest["amount"] == 60
    assert await listed(shop, admin, payment) == [refund, rest]
    shown = (await shop.get(f"{CREATE}/{payment['id']}")).json
    assert (shown["amount_received"], shown["amount_refunded"]) == (100, 0)
    assert [(back["id"], back["amount"]) for back in shown["refunds"]] == [
        (refund["id"], 40), (rest["id"], 60),
    ]  # fmt: skip


async def test_what_a_block_paid_is_shown_with_it(shop: Shop, admin: str) -> None:
    payment = await paid(shop)
    refund = (await ask(shop, admin, payment, {"to": TO})).json
    news = Refunded(
        refund_id=RefundId(UUID(refund["id"])),
        tx_hash=TxHash(tx_hash(5)),
        block_number=BlockNumber(12),
    )
    async with transaction(shop.pool) as conn:
        await apply(conn, {PaymentId(UUID(payment["id"])): [news]}, now=CREATED)
    [shown] = await listed(shop, admin, payment)
    assert (shown["tx_hash"], shown["block_number"]) == (tx_hash(5), 12)
    whole = (await shop.get(f"{CREATE}/{payment['id']}")).json
    assert whole["amount_refunded"] == 100
    events = (await shop.get(f"{CREATE}/{payment['id']}/events")).json["data"]
    assert events[-1]["type"] == "payment.refunded"
    assert events[-1]["data"]["refunds"] == whole["refunds"]


async def test_a_request_that_is_repeated_refunds_once(shop: Shop, admin: str) -> None:
    payment = await paid(shop)
    once = {"idempotency-key": "return-1"}
    first = await ask(shop, admin, payment, {"to": TO, "amount": 30}, **once)
    again = await ask(shop, admin, payment, {"to": TO, "amount": 30}, **once)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await listed(shop, admin, payment)) == 1
    other = await ask(shop, admin, payment, {"to": TO, "amount": 31}, **once)
    assert (other.status, other.json["code"]) == (409, "idempotency_key_reused")


async def test_only_an_administrator_gives_money_back(shop: Shop) -> None:
    payment = await paid(shop)
    answer = await ask(shop, shop.key, payment, {"to": TO})
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert await listed(shop, shop.key, payment) == []


async def test_why_a_refund_waits_is_for_administrators(shop: Shop, admin: str) -> None:
    payment = await paid(shop)
    refund = (await ask(shop, admin, payment, {"to": TO})).json
    async with transaction(shop.pool) as conn:
        await conn.execute("UPDATE refunds SET why = 'no coin' WHERE id = $1", refund["id"])
    assert [one["why"] for one in await listed(shop, admin, payment)] == ["no coin"]
    assert [one["why"] for one in await listed(shop, shop.key, payment)] == [None]


async def test_a_payment_that_is_not_there_or_another_keys_is_not_found(
    shop: Shop, admin: str
) -> None:
    stranger = await shop.issue("read", "write")
    payment = await paid(shop)
    path = f"{CREATE}/{payment['id']}/refunds"
    theirs = await shop.call("GET", path, headers={"authorization": f"Bearer {stranger}"})
    nowhere = await ask(shop, admin, {"id": str(UUID(int=1))}, {"to": TO})
    nothing = await ask(shop, admin, {"id": "x"}, {"to": TO})
    assert {theirs.status, nowhere.status, nothing.status} == {404}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({}, "to", "is required"),
        ({"to": None}, "to", "0x and 40 hexadecimal digits"),
        ({"to": TO[:-1]}, "to", "0x and 40 hexadecimal digits"),
        ({"to": TO + "\n"}, "to", "0x and 40 hexadecimal digits"),
        ({"to": TO[:-1] + "c"}, "to", "wrong checksum"),
        ({"to": "0x" + "0" * 40}, "to", "zero address"),
        ({"to": TREASURY.lower()}, "to", "a wallet of this gateway"),
        ({"to": SIGNER.payout_address}, "to", "a wallet of this gateway"),
        ({"to": SIGNER.gas_address}, "to", "a wallet of this gateway"),
        ({"to": TO, "amount": 0}, "amount", "between 1 and 2^256-1"),
        ({"to": TO, "amount": -1}, "amount", "between 1 and 2^256-1"),
        ({"to": TO, "amount": 1.0}, "amount", "integer"),
        ({"to": TO, "amount": None}, "amount", "integer"),
        ({"to": TO, "from": TO}, "from", "unknown field"),
    ],
    ids=repr,
)
async def test_what_makes_no_sense_names_the_field(
    shop: Shop, admin: str, body: Any, field: str, says: str
) -> None:
    payment = await paid(shop)
    answer = await ask(shop, admin, payment, body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    [fault] = answer.json["errors"]
    assert fault["field"] == field
    assert says in fault["detail"]
    assert await listed(shop, admin, payment) == []


async def test_a_payments_own_address_is_refused(shop: Shop, admin: str) -> None:
    payment, other = await paid(shop), await shop.create()
    for to in (payment["address"], other["address"].lower()):
        answer = await ask(shop, admin, payment, {"to": to})
        assert answer.status == 400
        assert answer.json["errors"][0]["detail"] == "is the address of a payment"


async def test_more_than_there_is_is_refused_with_what_there_is(shop: Shop, admin: str) -> None:
    payment = await paid(shop)
    await ask(shop, admin, payment, {"to": TO, "amount": 90})
    answer = await ask(shop, admin, payment, {"to": TO, "amount": 11})
    assert answer.status == 409
    assert answer.json == {
        "detail": "At most 10 can be refunded: 100 came, 100 of it for good, and 90 is given back"
        " already",
        "code": "refund_too_large",
    }


async def test_a_payment_that_waits_says_its_state_and_what_is_allowed(
    shop: Shop, admin: str
) -> None:
    payment = await shop.create(amount=7)
    answer = await ask(shop, admin, payment, {"to": TO})
    assert answer.status == 409
    told = answer.json
    assert (told["code"], told["status"], told["allowed"]) == (
        "wrong_state", "pending", ["cancel", "extend"],
    )  # fmt: skip


async def test_a_days_limit_is_told(shop: Shop, admin: str) -> None:
    payment = await paid(shop, REFUND_PER_DAY_MAX + 1)
    answer = await ask(shop, admin, payment, {"to": TO})
    assert (answer.status, answer.json["code"]) == (409, "refund_limit_reached")
    assert "refund_per_day_max" in answer.json["detail"]


async def test_where_refunds_are_off_it_is_said_what_would_turn_them_on(
    shop: Shop, admin: str
) -> None:
    elsewhere = await shop.create(chain=OTHER)
    answer = await ask(shop, admin, elsewhere, {"to": TO})
    assert (answer.status, answer.json["code"]) == (409, "refunds_off")
    assert 'in the mode "hold"; refunds need "sweep"' in answer.json["detail"]
