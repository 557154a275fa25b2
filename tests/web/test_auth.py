"""Who may do what."""

import pytest
from msgspec import json

from ctrip.store.pool import Pool
from ctrip.web.auth import KEY_LENGTH, PREFIX, BadScope, make_key
from tests.support.builders import CREATED
from tests.web.bad_creates import GOOD
from tests.web.shop import CREATE, Shop, open_shop

CHAINS = "/api/v1/chains"
NOT_OURS = PREFIX + "A" * (KEY_LENGTH - len(PREFIX))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {NOT_OURS}"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer ctrip_kurz"},
        {"authorization": "Bearer " + "A" * 10_000},
        {"authorization": "Bearer ctrip_" + "é" * 43},
        {"x-api-key": NOT_OURS},
        {"x-api-key": ""},
    ],
)
async def test_without_a_live_key_nobody_gets_in(shop: Shop, headers: dict[str, str]) -> None:
    before = await shop.written()
    for method, path in (("POST", CREATE), ("GET", CHAINS), ("GET", f"{CREATE}/x")):
        given = {**headers, "content-type": "application/json"}
        answer = await shop.call(method, path, headers=given, data=GOOD)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert "key" in answer.json["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert NOT_OURS not in answer.body.decode()
    assert await shop.written() == before


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "X-Api-Key", "AUTHORIZATION"])
async def test_a_key_may_come_in_either_header(shop: Shop, name: str) -> None:
    scheme = "bearer " if name.lower() == "authorization" else ""
    headers = {name: scheme + shop.key, "content-type": "application/json"}
    assert (await shop.call("POST", CREATE, headers=headers, data=GOOD)).status == 201
    assert (await shop.call("GET", CHAINS, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("scopes", "may_read", "may_write"),
    [
        ({"read"}, 200, 403),
        ({"write"}, 403, 201),
        ({"admin"}, 200, 201),
        ({"read", "write"}, 200, 201),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(
    shop: Shop, scopes: set[str], may_read: int, may_write: int
) -> None:
    headers = {"x-api-key": await shop.issue(*scopes), "content-type": "application/json"}
    read = await shop.call("GET", CHAINS, headers=headers)
    wrote = await shop.call("POST", CREATE, headers=headers, data=GOOD)
    assert (read.status, wrote.status) == (may_read, may_write)
    for answer in (read, wrote):
        if answer.status == 403:
            assert answer.json["code"] == "forbidden"
            assert "scope" in answer.json["detail"]


async def test_a_revoked_key_is_no_key(shop: Shop) -> None:
    headers = {"x-api-key": await shop.issue("read", revoked=True)}
    assert (await shop.call("GET", CHAINS, headers=headers)).status == 401


async def test_a_key_that_was_just_used_ends_within_a_second_of_its_revocation(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        assert (await shop.get(CHAINS)).status == 200
        async with pool.acquire() as conn:
            await conn.execute("UPDATE api_keys SET revoked_at = created_at")
        shop.clock.move(seconds=1)
        assert (await shop.get(CHAINS)).status == 401


async def test_where_the_ingress_checks_no_key_is_asked_for(pool: Pool) -> None:
    async with open_shop(pool, auth_is_off=True) as shop:
        headers = {"content-type": "application/json"}
        created = await shop.call("POST", CREATE, headers=headers, data=GOOD)
        assert created.status == 201
        assert (await shop.call("GET", CHAINS, headers={})).status == 200


async def test_the_key_itself_is_nowhere_in_the_database(shop: Shop) -> None:
    async with shop.pool.acquire() as conn:
        rows = await conn.fetch("SELECT api_keys::text AS text FROM api_keys")
    assert rows
    assert not any(shop.key in row["text"] for row in rows)


@pytest.mark.parametrize("scopes", [frozenset[str](), frozenset({"root"}), frozenset({"read", ""})])
def test_a_key_without_a_known_scope_is_not_made(scopes: frozenset[str]) -> None:
    with pytest.raises(BadScope, match="read, write, admin"):
        make_key("x", scopes, CREATED)


def test_keys_differ_and_their_record_tells_none_of_the_secret() -> None:
    first, record, digest = make_key("x", frozenset({"read"}), CREATED)
    second, _, other = make_key("x", frozenset({"read"}), CREATED)
    assert len(first) == len(second) == KEY_LENGTH
    assert first != second
    assert digest != other
    assert first not in json.encode(record).decode()
    assert first.startswith(record.prefix)
