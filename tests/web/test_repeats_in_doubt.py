"""Requests of which nobody knows whether they were done: done once, and told what can be told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec import json

from ctrip.core.idempotency import AnswerLost
from ctrip.flows.repeat import CLAIMED_FOR, LIVELY_FOR
from ctrip.settings import Secret, Webhooks
from ctrip.store import pool as store
from ctrip.store.pool import Pool, connection
from tests.support.tcp_proxy import AFTER, BEFORE, Proxy, When, proxy_before
from tests.web.operator import ENDPOINTS, Operator, an_operator
from tests.web.shop import SEALING, Answer, Shop, open_shop
from tests.web.test_repeats import A_CREATE, ENDPOINT, a_key, count, later, say

KEYS: Final = "/api/v1/keys"
A_KEY: Final = json.encode({"name": "till"})
LOST: Final = AnswerLost.code


@pytest.fixture
async def op(shop: Shop) -> Operator:
    return await an_operator(shop)


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    async with proxy_before(database) as proxy:
        yield proxy


@pytest.fixture
async def behind(proxy: Proxy) -> AsyncIterator[Operator]:
    """An operator of a shop whose commits may be lost."""
    pool = await store.connect(Secret(proxy.url), size_max=4)
    async with open_shop(pool) as shop:
        yield await an_operator(shop)
    pool.terminate()


async def forget_the_answer(op: Operator, key: str) -> None:
    """Leave what there is when a process dies after the work, before its answer is kept."""
    async with connection(op.shop.pool) as conn:
        await conn.execute(
            "UPDATE idempotency_keys SET claim_id = gen_random_uuid(), status = NULL,"
            " answer = NULL WHERE key = $1",
            key,
        )


async def after_the_claim(op: Operator, key: str, path: str, body: bytes) -> Answer:
    await forget_the_answer(op, key)
    with later(op.shop, CLAIMED_FOR):
        return await say(op, key, path, body)


@pytest.mark.parametrize("when", [BEFORE, AFTER])
async def test_an_endpoint_whose_commit_was_not_heard_is_made_once(
    behind: Operator, proxy: Proxy, when: When
) -> None:
    key = a_key()
    proxy.loses(when)
    assert (await say(behind, key)).status == 503
    made = await say(behind, key)
    assert (made.status, proxy.lost) == (201, 1), "at once: nobody is at work on it"
    again = await say(behind, key)
    assert (again.body, again.headers["idempotent-replayed"]) == (made.body, "true")
    assert await count(behind.shop, "endpoints WHERE kind = 'api'") == 1
    assert await count(behind.shop, "endpoint_secrets") == 1
    other = await say(behind, a_key())
    assert other.json["id"] != made.json["id"]


async def test_a_rotation_whose_commit_was_not_heard_is_done_once(
    behind: Operator, proxy: Proxy
) -> None:
    made = await behind.make()
    key, path = a_key(), f"{ENDPOINTS}/{made['id']}/rotate-secret"
    proxy.loses(AFTER)
    assert (await say(behind, key, path, b"{}")).status == 503
    rotated = await say(behind, key, path, b"{}")
    assert rotated.status == 200
    assert rotated.json["secret"] != made["secret"]
    assert await count(behind.shop, "endpoint_secrets") == 2
    later_one = await say(behind, a_key(), path, b"{}")
    assert later_one.json["secret"] not in {made["secret"], rotated.json["secret"]}


async def test_what_a_dead_process_made_is_found_again(op: Operator) -> None:
    key = a_key()
    made = await say(op, key)
    endpoints = await count(op.shop, "endpoints")
    again = await after_the_claim(op, key, ENDPOINTS, ENDPOINT)
    assert (again.status, again.body) == (201, made.body)
    assert await count(op.shop, "endpoints") == endpoints


async def test_a_key_whose_text_is_lost_is_named_and_not_made_twice(op: Operator) -> None:
    key = a_key()
    made = (await say(op, key, KEYS, A_KEY)).json
    keys = await count(op.shop, "api_keys")
    for _ in range(2):
        told = await after_the_claim(op, key, KEYS, A_KEY)
        assert (told.status, told.json["code"]) == (409, LOST)
        assert made["id"] in told.json["detail"]
        assert "revoke it" in told.json["detail"]
    other = await say(op, key, KEYS, A_KEY + b" ")
    assert other.json["code"] == "idempotency_key_reused", "a refusal in doubt frees no key"
    assert await count(op.shop, "api_keys") == keys


async def test_a_secret_that_nothing_opens_any_more_is_said_to_be_lost(pool: Pool) -> None:
    key, rotation = a_key(), a_key()
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        made = (await say(op, key)).json
        path = f"{ENDPOINTS}/{made['id']}/rotate-secret"
        await say(op, rotation, path, b"{}")
    async with open_shop(pool, webhooks=Webhooks(secrets_key=Secret("0dd1" * 16))) as shop:
        op.shop = shop
        answers: list[Any] = [
            await say(op, key),
            await after_the_claim(op, key, ENDPOINTS, ENDPOINT),
            await after_the_claim(op, rotation, path, b"{}"),
        ]
    assert [(a.status, a.json["code"]) for a in answers] == [(409, LOST)] * 3
    assert "secrets_key" in answers[0].json["detail"]
    assert all(made["id"] in answer.json["detail"] for answer in answers[1:])
    async with open_shop(pool, webhooks=SEALING) as shop:
        op.shop = shop
        with later(shop, CLAIMED_FOR):
            assert (await say(op, key)).json["secret"] == made["secret"], "the key is back"


async def test_whoever_comes_again_is_told_when_a_dead_ones_claim_is_over(op: Operator) -> None:
    key = a_key()
    await say(op, key)
    await forget_the_answer(op, key)
    for passed, wait in ((timedelta(), 1), (LIVELY_FOR, 55), (timedelta(seconds=59.5), 1)):
        with later(op.shop, passed):
            told = await say(op, key)
        assert told.json["code"] == "idempotency_key_in_use"
        assert int(told.headers["retry-after"]) == wait


async def test_the_key_of_a_payment_is_the_key_of_nothing_else(shop: Shop) -> None:
    key = a_key()
    made = (await shop.post(A_CREATE, idempotency_key=key)).json
    given = {"authorization": f"Bearer {shop.key}", "idempotency-key": key}
    path = f"/api/v1/payments/{made['id']}/cancel"
    told = await shop.call("POST", path, headers=given)
    assert (told.status, told.json["code"]) == (409, "idempotency_key_reused")
    assert (await shop.get(f"/api/v1/payments/{made['id']}")).json["status"] == "pending"


@pytest.mark.parametrize("path", ["/api/v1/payments", ENDPOINTS])
async def test_two_keys_in_one_request_are_none(op: Operator, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    for name, value in op.keyed("a").items():
        head += f"{name}: {value}\r\n"
    body = A_CREATE if path.endswith("payments") else ENDPOINT
    sent = f"{head}idempotency-key: b\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", op.shop.port)
        writer.write(sent)
        heard = await reader.read()
        writer.close()
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"invalid_idempotency_key" in heard
