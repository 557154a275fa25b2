"""/api/v1/keys: an administrator makes keys, looks at them and ends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from msgspec import json

from ctrip.core.keys import LENGTH, PREFIX, PREFIX_SHOWN
from ctrip.flows.keybook import READ_SECONDS
from ctrip.flows.supervise import every
from ctrip.store.pool import Pool
from ctrip.web.keys import CreateKey, KeyView, ListKeys
from tests.support.waiting import until
from tests.web.shop import Answer, Shop, open_shop

KEYS: Final = "/api/v1/keys"
CHAINS: Final = "/api/v1/chains"
PAGE: Final = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


class Admin:
    """A caller with an administrator's key."""

    def __init__(self, shop: Shop, key: str) -> None:
        self.shop = shop
        self.key = key

    async def ask(self, method: str, path: str = "", body: object = None, **more: str) -> Answer:
        headers = {"x-api-key": self.key, "content-type": "application/json"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        data = None if body is None else json.encode(body)
        return await self.shop.call(method, KEYS + path, headers=headers, data=data)

    async def make(self, **asked: Any) -> Any:
        made = await self.ask("POST", body={"name": "till"} | asked)
        assert made.status == 201, made.body
        return made.json

    async def listed(self, **query: object) -> list[Any]:
        """Return every row, page by page."""
        rows: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            said = "&".join(f"{k}={v}" for k, v in ({"cursor": cursor} | query).items())
            page = (await self.ask("GET", f"?{said}")).json
            rows += page["data"]
            cursor = page["next_cursor"]
        return rows


@pytest.fixture
async def keeper(shop: Shop) -> Admin:
    return Admin(shop, await shop.issue("admin"))


async def status_with(shop: Shop, key: str, path: str = CHAINS) -> int:
    """Return how a request with a key is answered."""
    return (await shop.call("GET", path, headers={"x-api-key": key})).status


async def test_a_key_that_was_made_opens_what_its_scopes_say_at_once(keeper: Admin) -> None:
    made = await keeper.make(scopes=["read"])
    text = made.pop("key")
    assert (len(text), text[:PREFIX_SHOWN]) == (LENGTH, made["prefix"])
    assert text.startswith(PREFIX)
    assert (made["name"], made["scopes"], made["allowed_cidrs"]) == ("till", ["read"], [])
    assert [made[f] for f in ("expires_at", "revoked_at", "last_used_at")] == [None] * 3
    assert await status_with(keeper.shop, text) == 200
    assert await status_with(keeper.shop, text, KEYS) == 403


async def test_the_text_of_a_key_is_shown_once(keeper: Admin) -> None:
    made = await keeper.make()
    text = made.pop("key")
    shown = await keeper.ask("GET", f"/{made['id']}")
    assert shown.json == made
    for answer in (shown, await keeper.ask("GET", "?limit=1")):
        assert text[PREFIX_SHOWN:].encode() not in answer.body
        assert "key" not in (answer.json.get("data") or [answer.json])[0]


async def test_a_repeated_create_returns_the_same_key(keeper: Admin) -> None:
    wish = {"idempotency_key": uuid4().hex}
    first, again = [await keeper.ask("POST", body={"name": "x"}, **wish) for _ in range(2)]
    assert (first.status, again.body) == (201, first.body)
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_may_end_by_itself_and_be_bound_to_networks(keeper: Admin) -> None:
    bound = await keeper.make(allowed_cidrs=["127.0.0.1", "::ffff:10.0.0.0/104", "2001:DB8::/32"])
    assert bound["allowed_cidrs"] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
    assert await status_with(keeper.shop, bound["key"]) == 200
    short = await keeper.make(expires_in=60, scopes=["write", "read", "read"])
    assert (short["created_at"][-9:], short["expires_at"][-9:]) == ("12:00:00Z", "12:01:00Z")
    assert short["scopes"] == ["read", "write"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_in": 59}, "expires_in"),
        ({"expires_in": 1e3}, "expires_in"),
        ({"expires_in": 10**30}, "expires_in"),
        ({"allowed_cidrs": ["10.0.0.1/8"]}, "allowed_cidrs"),
        ({"allowed_cidrs": ["10.0.0.0/8"] * 33}, "allowed_cidrs"),
        ({"id": str(uuid4())}, "id"),
        ({"key": PREFIX + "A" * 43}, "key"),
        ({"revoked_at": None}, "revoked_at"),
        ({"digest": "00"}, "digest"),
    ],
)
async def test_what_a_key_cannot_be_is_refused(keeper: Admin, asked: Any, field: str) -> None:
    answer = await keeper.ask("POST", body={"name": "till"} | asked)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


async def test_the_list_is_newest_first_and_goes_on_where_it_ended(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        keeper = Admin(shop, await shop.issue("admin"))
        made = []
        for minutes in (0, 0, 1, 1, 2):  # some at the same moment
            shop.clock.move(minutes=minutes)
            made.append((await keeper.make())["id"])
        whole = await keeper.listed()
        assert set(made) < {row["id"] for row in whole}
        assert [row["created_at"] for row in whole] == sorted(
            (row["created_at"] for row in whole), reverse=True
        )
        assert whole[0]["id"] == made[-1]
        assert await keeper.listed(limit=2) == whole


async def test_a_cursor_of_another_list_is_refused(keeper: Admin) -> None:
    first = await keeper.ask("GET", "?limit=1")
    cursor = first.json["next_cursor"]
    assert (await keeper.ask("GET", f"?cursor={cursor}&limit=1")).status == 200
    other = await keeper.shop.call(
        "GET",
        f"/api/v1/webhook-endpoints?cursor={cursor}",
        headers={"x-api-key": keeper.key},
    )
    for answer in (other, await keeper.ask("GET", "?cursor=WyJrZXlzIiwi")):
        assert (answer.status, answer.json["code"]) == (400, "invalid_request")


async def test_a_revoked_key_ends_here_at_once_and_stays_on_the_list(keeper: Admin) -> None:
    made = await keeper.make()
    assert await status_with(keeper.shop, made["key"]) == 200
    keeper.shop.clock.move(minutes=1)
    ended = await keeper.ask("POST", f"/{made['id']}/revoke")
    assert ended.status == 200
    assert ended.json["revoked_at"] > made["created_at"]
    assert await status_with(keeper.shop, made["key"]) == 401
    keeper.shop.clock.move(minutes=1)
    again = await keeper.ask("POST", f"/{made['id']}/revoke")
    assert (again.status, again.json) == (200, ended.json)
    assert ended.json in await keeper.listed()


async def test_an_administrator_may_revoke_itself(keeper: Admin) -> None:
    own = next(k for k in await keeper.listed() if k["prefix"] == keeper.key[:PREFIX_SHOWN])
    assert (await keeper.ask("POST", f"/{own['id']}/revoke")).status == 200
    assert (await keeper.ask("GET")).status == 401


async def test_when_a_key_was_used_is_shown_later(keeper: Admin) -> None:
    made = await keeper.make()
    await status_with(keeper.shop, made["key"])
    used_at = json.encode(keeper.shop.clock.now()).decode().strip('"')
    assert (await keeper.ask("GET", f"/{made['id']}")).json["last_used_at"] is None
    await keeper.shop.parts.keybook.uses.run_once()
    assert (await keeper.ask("GET", f"/{made['id']}")).json["last_used_at"] == used_at


@pytest.mark.parametrize(
    "key_id", ["0197a000-0000-4000-8000-00000000dead", "x", "%2e%2e", "' OR 1=1 --"]
)
async def test_a_key_that_is_not_there_is_not_found(keeper: Admin, key_id: str) -> None:
    for method, path in (("GET", f"/{key_id}"), ("POST", f"/{key_id}/revoke")):
        answer = await keeper.ask(method, path)
        assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("scopes", [("read",), ("write",), ("read", "write")])
async def test_keys_are_for_administrators_only(
    shop: Shop, keeper: Admin, scopes: tuple[str, ...]
) -> None:
    caller = Admin(shop, await shop.issue(*scopes))
    made = await keeper.make()
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"name": "mine", "scopes": ["admin"]}),
        ("GET", f"/{made['id']}", None),
        ("POST", f"/{made['id']}/revoke", None),
    ):
        answer = await caller.ask(method, path, body)
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert await status_with(shop, made["key"]) == 200


async def test_what_is_revoked_in_one_process_ends_within_a_second_in_another(pool: Pool) -> None:
    """By the real clock, with the duty of each process running as it does there."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(in_service(pool))
        there = await stack.enter_async_context(in_service(pool))
        keeper = Admin(here, await here.issue("admin"))
        made = await keeper.make()
        assert await status_with(there, made["key"]) == 200
        loop = asyncio.get_running_loop()
        assert (await keeper.ask("POST", f"/{made['id']}/revoke")).status == 200
        revoked_at = loop.time()
        assert await status_with(here, made["key"]) == 401

        async def is_refused() -> bool:
            return await status_with(there, made["key"]) == 401

        await until("the other process refuses the key", is_refused)
        assert loop.time() - revoked_at < 1.0


@asynccontextmanager
async def in_service(pool: Pool) -> AsyncIterator[Shop]:
    """Serve, and read the book as the gateway does."""
    async with open_shop(pool) as shop:
        read = shop.parts.keybook.run_once
        duty = asyncio.create_task(every(READ_SECONDS, read, task="keys", health=shop.health))
        yield shop
        duty.cancel()


def test_every_field_of_a_key_is_told() -> None:
    section = PAGE.partition("\n## Keys\n")[2].partition("\n## ")[0]
    for kind in (CreateKey, KeyView, ListKeys):
        for field in kind.__struct_fields__:
            assert f"`{field}`" in section, field
