"""Idempotency-Key, as callers use it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec import json

from ctrip.flows.prune import Pruner
from ctrip.flows.repeat import CLAIMED_FOR, KEPT_FOR
from ctrip.settings import Webhooks
from ctrip.store.pool import Pool, connection
from tests.web.operator import ENDPOINTS, URL, Operator, an_operator
from tests.web.shop import Answer, Shop, open_shop

A_CREATE = json.encode({"chain": "anvil", "amount": 7, "order_id": "A-1"})
ENDPOINT = json.encode({"url": URL})


@pytest.fixture
async def op(shop: Shop) -> Operator:
    return await an_operator(shop)


def a_key() -> str:
    return f"key-{uuid4()}"


async def say(op: Operator, key: str, path: str = ENDPOINTS, body: bytes = ENDPOINT) -> Answer:
    return await op.shop.call("POST", path, headers=op.keyed(key), data=body)


@contextmanager
def later(shop: Shop, by: timedelta) -> Iterator[None]:
    """Let time pass, for as long as the block lasts: the site is everybody's."""
    now = shop.clock.now()
    shop.clock.set(now + by)
    yield
    shop.clock.set(now)


async def count(shop: Shop, table: str) -> int:
    async with connection(shop.pool) as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_payment_is_made_once_and_answered_twice(shop: Shop) -> None:
    key = a_key()
    first = await shop.post(A_CREATE, idempotency_key=key)
    before = await shop.written()
    again = await shop.post(A_CREATE, idempotency_key=key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await shop.written() == before | {"next_index": before["next_index"] + 1}


async def test_a_slash_at_the_end_is_no_other_request(shop: Shop) -> None:
    key = a_key()
    first = await shop.post(A_CREATE, idempotency_key=key)
    given = {
        "authorization": f"Bearer {shop.key}",
        "content-type": "application/json",
        "idempotency-key": key,
    }
    again = await shop.call("POST", "/api/v1/payments/", headers=given, data=A_CREATE)
    assert (again.status, again.body) == (201, first.body)


async def test_another_body_is_refused(shop: Shop) -> None:
    key = a_key()
    await shop.post(A_CREATE, idempotency_key=key)
    other = await shop.post(A_CREATE + b" ", idempotency_key=key)
    assert (other.status, other.json["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "a" * 256, "kéy"])
async def test_a_key_that_is_none_is_told(shop: Shop, op: Operator, key: str) -> None:
    before = await shop.written()
    for answer in (await shop.post(A_CREATE, idempotency_key=key), await say(op, key)):
        assert (answer.status, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert await shop.written() == before


async def test_what_was_refused_may_be_asked_again(op: Operator) -> None:
    key = a_key()
    bad = await say(op, key, body=json.encode({"url": "http://10.0.0.1/"}))
    assert bad.status == 400
    assert (await say(op, key)).status == 201


async def test_an_endpoint_is_made_once_and_its_secret_told_again(op: Operator) -> None:
    key = a_key()
    first = await say(op, key)
    made = await count(op.shop, "endpoints")
    again = await say(op, key)
    assert (again.status, again.body) == (201, first.body)
    assert again.json["secret"].startswith("whsec_")
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(op.shop, "endpoints") == made
    async with connection(op.shop.pool) as conn:
        kept = await conn.fetchval("SELECT answer FROM idempotency_keys WHERE key = $1", key)
    assert b"whsec_" not in kept, "what holds a secret is sealed"


async def test_a_key_of_another_path_is_refused(op: Operator) -> None:
    key, endpoint = a_key(), (await op.make())["id"]
    assert (await say(op, key, f"{ENDPOINTS}/{endpoint}/disable", b"")).status == 200
    other = await say(op, key, f"{ENDPOINTS}/{endpoint}/enable", b"")
    assert (other.status, other.json["code"]) == (409, "idempotency_key_reused")


async def test_of_twins_one_works_and_the_others_are_told_to_wait(op: Operator) -> None:
    key, made = a_key(), await count(op.shop, "endpoints")
    answers = await asyncio.gather(*(say(op, key) for _ in range(12)))
    assert await count(op.shop, "endpoints") == made + 1
    assert {answer.status for answer in answers} <= {201, 409}
    told = [answer for answer in answers if answer.status == 409]
    assert {answer.json["code"] for answer in told} <= {"idempotency_key_in_use"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in told)


async def test_a_claim_whose_process_died_lapses(op: Operator) -> None:
    key = a_key()
    await say(op, key)
    async with connection(op.shop.pool) as conn:
        await conn.execute(
            "UPDATE idempotency_keys SET claim_id = gen_random_uuid(), status = NULL,"
            " answer = NULL WHERE key = $1",
            key,
        )
    assert (await say(op, key)).json["code"] == "idempotency_key_in_use"
    with later(op.shop, CLAIMED_FOR):
        assert (await say(op, key)).status == 201


async def test_keys_are_kept_for_a_day(op: Operator) -> None:
    key, kept = a_key(), "SELECT count(*) FROM idempotency_keys WHERE key = $1"
    await say(op, key)
    async with connection(op.shop.pool) as conn:
        for age, left in ((KEPT_FOR, 1), (KEPT_FOR + CLAIMED_FOR, 0)):
            with later(op.shop, age):
                await Pruner(op.shop.pool, op.shop.clock, Webhooks()).run_once()
            assert await conn.fetchval(kept, key) == left


async def test_a_secret_is_not_kept_where_nothing_seals_it(pool: Pool) -> None:
    async with open_shop(pool, webhooks=Webhooks()) as shop:
        op = await an_operator(shop)
        answer = await say(op, a_key())
        assert (answer.status, answer.json["code"]) == (409, "secrets_key_missing")
        assert await count(shop, "idempotency_keys") == 0
