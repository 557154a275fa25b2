"""GET /api/v1/payments, and what belongs to one payment: its events and its transfers."""

from typing import Any
from uuid import UUID

import pytest
from msgspec import Raw, Struct, json

from ctrip.store.pool import Pool, connection
from ctrip.web.lists import Cursor, write_cursor
from tests.support.builders import CREATED
from tests.web.shop import CREATE, OTHER, Shop, open_shop
from tests.web.test_acts import act, pays


class Page(Struct):
    """A page, with its events as the bytes they are."""

    data: list[Raw]
    next_cursor: str | None


async def ask(shop: Shop, query: str = "") -> Any:
    answer = await shop.get(f"{CREATE}?{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_payments_are_listed_as_they_are_shown_the_newest_first(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        made: list[Any] = []
        for _ in range(23):
            shop.clock.move(seconds=1)
            made.insert(0, await shop.create())
        first = await ask(shop)
        assert first["data"] == made[:20]
        rest = await ask(shop, f"cursor={first['next_cursor']}")
        assert rest == {"data": made[20:], "next_cursor": None}
        assert await ask(shop, "limit=23") == {"data": made, "next_cursor": None}
        page = await ask(shop, "limit=4")
        whole = page["data"]
        while page["next_cursor"]:
            page = await ask(shop, f"limit=4&cursor={page['next_cursor']}")
            whole += page["data"]
        assert whole == made


async def test_filters_leave_out_what_they_say(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        plain = await shop.create()
        shop.clock.move(seconds=60)
        ordered = await shop.create(order_id="A 1", chain=OTHER)
        cancelled = await shop.create()
        cancelled = (await act(shop, cancelled, "cancel")).json
        after, before = plain["created_at"], ordered["created_at"]
        for query, found in [
            ("status=expired", [cancelled]),
            ("status=settled", []),
            ("chain=other", [ordered]),
            ("chain=nowhere", []),
            ("order_id=A%201", [ordered]),
            ("order_id=A%201&status=pending&chain=other", [ordered]),
            ("order_id=A%201&status=paid", []),
            (f"created_before={before}", [plain]),
            (f"created_after={after}&chain=other", [ordered]),
            (f"created_after={after}&created_before={before}", []),
            (
                "created_after=0001-01-01T00:00:00Z&created_before=2026-01-01T13:00:30%2B01:00",
                [plain],
            ),
        ]:
            assert (await ask(shop, query))["data"] == found, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("status=", "status"),
        ("status=null", "status"),
        ("chain=", "chain"),
        ("chain=" + "c" * 21, "chain"),
        ("order_id=", "order_id"),
        ("order_id=" + "o" * 501, "order_id"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-01-01T00:00:00", "created_before"),
        ("created_before=0.5", "created_before"),
        ("created_before=9999-12-31T23:59:59-14:00", "created_before"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("owner=1", "owner"),
        ("cursor=x", "cursor"),
        (f"cursor={write_cursor(Cursor('endpoints', CREATED, str(UUID(int=1))))}", "cursor"),
        (f"cursor={write_cursor(Cursor('payments', CREATED, 'x'))}", "cursor"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(shop: Shop, query: str, field: str) -> None:
    answer = await shop.get(f"{CREATE}?{query}")
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


async def test_a_payments_events_are_the_bytes_that_were_signed_in_order(shop: Shop) -> None:
    payment = await shop.create(amount=100_003)
    await pays(shop, payment, 1)
    await act(shop, payment, "accept")
    path = f"{CREATE}/{payment['id']}/events"
    async with connection(shop.pool) as conn:
        rows = await conn.fetch(
            "SELECT body FROM events WHERE payment_id = $1 ORDER BY sequence", payment["id"]
        )
    signed = [row["body"] for row in rows]
    assert len(signed) == 3
    whole = json.decode((await shop.get(path)).body, type=Page)
    assert ([bytes(body) for body in whole.data], whole.next_cursor) == (signed, None)
    first = json.decode((await shop.get(f"{path}?limit=2")).body, type=Page)
    rest = json.decode((await shop.get(f"{path}?cursor={first.next_cursor}")).body, type=Page)
    assert [bytes(body) for body in first.data + rest.data] == signed
    assert rest.next_cursor is None


@pytest.mark.parametrize("of", ["-1", "x", "9" * 60, "٣", ""])
async def test_a_cursor_of_events_names_a_sequence(shop: Shop, of: str) -> None:
    payment = await shop.create()
    cursor = write_cursor(Cursor("payment_events", CREATED, of))
    answer = await shop.get(f"{CREATE}/{payment['id']}/events?cursor={cursor}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor")


async def test_a_payments_transfers_are_those_that_it_shows(shop: Shop) -> None:
    payment = await shop.create(amount=100_004)
    path = f"{CREATE}/{payment['id']}"
    assert (await shop.get(f"{path}/transfers")).json == {"data": []}
    await pays(shop, payment, 2)
    shown = (await shop.get(path)).json["transfers"]
    assert len(shown) == 1
    assert (await shop.get(f"{path}/transfers")).json == {"data": shown}
