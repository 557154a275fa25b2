"""A wrong create is told why, in words and by a code, and leaves nothing behind."""

import sys
from collections.abc import AsyncIterator

import pytest
from msgspec import json

from tests.web.bad_creates import BAD_CREATES, BODIES, GOOD, Bad
from tests.web.shop import Answer, Shop


@pytest.fixture
async def unmoved(shop: Shop) -> AsyncIterator[None]:
    """Nothing is written while the test runs, not even an index taken."""
    before = await shop.written()
    yield
    assert await shop.written() == before


async def send(shop: Shop, it: Bad) -> Answer:
    headers = {"authorization": f"Bearer {shop.key}"}
    if it.content_type is not None:
        headers["content-type"] = it.content_type
    return await shop.call("POST", "/api/v1/payments", headers=headers, data=it.body)


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("it", BAD_CREATES, ids=lambda it: it.name)
async def test_a_bad_create_is_answered_with_what_is_wrong(shop: Shop, it: Bad) -> None:
    answer = await send(shop, it)
    said = answer.json
    assert (answer.status, said["code"]) == (it.status, it.code), said
    assert said.keys() <= {"detail", "code", "errors"}
    assert said["detail"].strip()
    for word in it.words:
        assert word in said["detail"]
    if it.field:
        assert it.field in [error["field"] for error in said["errors"]]
        assert all(error["detail"] for error in said["errors"])
    assert answer.headers["content-type"] == "application/json"
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize("it", [it for it in BAD_CREATES if it.code.startswith("unsup")][:2])
async def test_the_words_of_the_contract_stand_alone(shop: Shop, it: Bad) -> None:
    answer = await send(shop, it)
    assert answer.json["detail"] == it.words[0]


@pytest.mark.usefixtures("unmoved")
async def test_all_faults_are_told_at_once(shop: Shop) -> None:
    answer = await shop.post(b'{"amount":0,"expires_in":1,"foo":2,"order_id":"a\\u0000"}')
    fields = sorted(error["field"] for error in answer.json["errors"])
    assert fields == ["amount", "chain", "expires_in", "foo", "order_id"]


@pytest.mark.usefixtures("unmoved")
async def test_a_body_without_a_length_is_bounded_too(shop: Shop) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b" " * 65_536

    answer = await shop.post(pieces())
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


async def test_a_good_body_without_a_length_is_read(shop: Shop) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in GOOD:
            yield bytes([byte])

    assert (await shop.post(pieces())).status == 201


@pytest.mark.usefixtures("unmoved")
async def test_a_key_is_asked_for_before_a_body_is_read(shop: Shop) -> None:
    for it in BODIES:
        answer = await shop.call("POST", "/api/v1/payments", headers={}, data=it.body)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"chain":"anvil","amount":1,"amount":1}', "amount"),
        (b'{"chain":"anvil","amount":1,"amo\\u0075nt":1}', "amount"),
        (b'{"chain":"anvil","amount":1,"metadata":{"a":"b","a":"b"}}', "a"),
    ],
)
async def test_a_name_that_is_there_twice_is_refused(shop: Shop, body: bytes, name: str) -> None:
    answer = await shop.post(body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["errors"] == [{"field": name, "detail": "is there twice"}]


@pytest.mark.usefixtures("unmoved")
async def test_a_field_that_was_wrong_at_first_is_refused_though_it_was_mended(shop: Shop) -> None:
    answer = await shop.post(b'{"chain":1,"amount":7,"chain":"anvil"}')
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.usefixtures("unmoved")
async def test_a_refusal_does_not_grow_with_what_was_refused(shop: Shop) -> None:
    body = json.encode({f"x{n}": 1 for n in range(6_000)})
    answer = await shop.post(body)
    assert answer.status == 400
    assert len(answer.body) < 10_000


@pytest.mark.usefixtures("unmoved")
async def test_deep_json_does_not_end_the_process_that_a_library_let_recurse(shop: Shop) -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # as py_ecc does when it is imported
    try:
        body = b'{"chain":"anvil","amount":' + b"[" * 60_000
        answer = await send(shop, Bad(name="deepest", body=body))
    finally:
        sys.setrecursionlimit(before)
    assert answer.status == 400
    assert "nested" in answer.json["detail"]
