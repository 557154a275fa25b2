"""Cancel, accept, extend: what a shop may do by hand, and how it is told that it may not."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import json

from ctrip.core.changes import TransferSeen
from ctrip.core.ids import Address, PaymentId
from ctrip.flows.apply import apply
from ctrip.store.pool import transaction
from tests.support.builders import CREATED, a_transfer
from tests.web.shop import CREATE, Answer, Shop

DAY: Final = timedelta(days=1)


async def act(shop: Shop, payment: Any, verb: str, body: Any = None, **headers: str) -> Answer:
    given = {"authorization": f"Bearer {shop.key}", **headers}
    data = None
    if body is not None:
        given["content-type"] = "application/json"
        data = body if isinstance(body, bytes) else json.encode(body)
    path = f"{CREATE}/{payment['id']}/{verb}"
    return await shop.call("POST", path, headers=given, data=data)


async def pays(shop: Shop, payment: Any, amount: int) -> None:
    """Let money reach a payment, in the newest block that was read."""
    to = Address(payment["address"])
    transfer = a_transfer(payment["amount"], amount, 9, to=to, block_time=CREATED)
    changes = {PaymentId(UUID(payment["id"])): [TransferSeen(transfer)]}
    async with transaction(shop.pool) as conn:
        await apply(conn, changes, now=CREATED)


async def test_a_payment_is_cancelled_once_however_often_it_is_asked_for(shop: Shop) -> None:
    payment = await shop.create()
    answer = await act(shop, payment, "cancel")
    assert (answer.status, answer.json) == (
        200, payment | {"status": "expired", "flags": ["cancelled"]},
    )  # fmt: skip
    assert (await shop.get(f"{CREATE}/{payment['id']}")).json == answer.json
    again = await act(shop, payment, "cancel")
    assert (again.status, again.body) == (200, answer.body)


async def test_a_part_is_accepted_as_the_whole(shop: Shop) -> None:
    payment = await shop.create(amount=100_001)
    await pays(shop, payment, 60)
    answer = await act(shop, payment, "accept")
    assert answer.status == 200
    accepted = answer.json
    assert (accepted["status"], accepted["amount"], accepted["amount_received"]) == (
        "detected", 100_001, 60,
    )  # fmt: skip
    assert accepted["flags"] == []
    assert accepted["transfers"][0]["counted"] is True


@pytest.mark.parametrize(
    ("body", "expires_at"),
    [
        ({"expires_in": 604_800}, CREATED + 7 * DAY),
        ({"expires_at": "2026-01-01T13:30:00+01:00"}, CREATED + timedelta(minutes=30)),
        ({"expires_at": "2026-01-02T14:00:00+02:00"}, CREATED + DAY),
        ({"expires_at": "2026-01-08T12:00:00Z", "expires_in": None}, CREATED + 7 * DAY),
        ({"expires_in": 1}, CREATED + timedelta(minutes=30)),  # takes no time away
    ],
    ids=repr,
)
async def test_a_payment_is_given_more_time(shop: Shop, body: Any, expires_at: Any) -> None:
    payment = await shop.create()
    answer = await act(shop, payment, "extend", body)
    assert answer.status == 200, answer.body
    spelt = expires_at.isoformat().replace("+00:00", "Z")
    assert answer.json == payment | {"expires_at": spelt}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "expires_at"),
        ({"expires_at": "2026-01-02T12:00:00Z", "expires_in": 60}, "expires_at"),
        ({"expires_at": "2026-01-01T12:00:00Z"}, "expires_at"),
        ({"expires_at": "2026-01-08T12:00:00.000001Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": "2026-01-02T12:00:00"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": 604_801}, "expires_in"),
        ({"expires_in": 1.5}, "expires_in"),
        ({"expires_in": "60"}, "expires_in"),
        ({"expires_in": 60, "status": "paid"}, "status"),
    ],
    ids=repr,
)
async def test_a_deadline_that_makes_no_sense_is_refused(shop: Shop, body: Any, field: str) -> None:
    payment = await shop.create()
    answer = await act(shop, payment, "extend", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [fault["field"] for fault in answer.json["errors"]] == [field]
    assert (await shop.get(f"{CREATE}/{payment['id']}")).json == payment


async def test_a_refusal_says_the_state_and_what_is_allowed(shop: Shop) -> None:
    payment = await shop.create(amount=100_002)
    new = await act(shop, payment, "accept")
    await pays(shop, payment, 7)
    part = await act(shop, payment, "cancel")
    await act(shop, payment, "accept")
    taken = [
        await act(shop, payment, "cancel"),
        await act(shop, payment, "extend", {"expires_in": 9_000}),
    ]
    assert {answer.status for answer in (new, part, *taken)} == {409}
    assert new.json == {
        "detail": "Only an underpaid or late payment can be accepted; this one is pending and has "
        "received nothing",
        "code": "wrong_state",
        "status": "pending",
        "allowed": ["cancel", "extend"],
    }
    assert (part.json["status"], part.json["allowed"]) == ("pending", ["accept", "extend"])
    assert "has received 7 of 100002" in part.json["detail"]
    for answer in taken:
        assert (answer.json["status"], answer.json["allowed"]) == ("detected", [])


async def test_an_act_is_answered_as_before_to_whoever_repeats_it_with_its_key(shop: Shop) -> None:
    payment = await shop.create()
    body, key = {"expires_in": 7_200}, {"idempotency-key": f"extend-{payment['id']}"}
    first = await act(shop, payment, "extend", body, **key)
    await act(shop, payment, "cancel")
    again = await act(shop, payment, "extend", body, **key)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("verb", ["cancel", "accept", "extend"])
async def test_an_act_needs_a_key_that_may_write(shop: Shop, verb: str) -> None:
    payment = await shop.create()
    reader = {"authorization": f"Bearer {await shop.issue('read')}"}
    answer = await act(shop, payment, verb, {"expires_in": 60}, **reader)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    for one in ("00000000-0000-4000-8000-000000000000", "x"):
        missing = await act(shop, {"id": one}, verb, {"expires_in": 60})
        assert (missing.status, missing.json["code"]) == (404, "not_found")
