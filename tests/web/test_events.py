"""GET /api/v1/events: the stream that misses nothing, and one event with all its attempts."""

import asyncio

import pytest
from msgspec import Raw, Struct, json

from ctrip.core.endpoints import CONFIG
from ctrip.store.pool import Pool, connection
from tests.web.operator import Operator, an_operator
from tests.web.shop import Answer, Shop, open_shop
from tests.web.test_endpoints_sent import all_ended

EVENTS = "/api/v1/events"


class Page(Struct):
    """The answer, with its events as the bytes they are."""

    data: list[Raw]
    next_after: int
    has_more: bool


def page_of(answer: Answer) -> Page:
    assert answer.status == 200, answer.body
    return json.decode(answer.body, type=Page)


async def ask(shop: Shop, query: str = "") -> Page:
    return page_of(await shop.get(f"{EVENTS}?{query}"))


async def test_events_are_the_bytes_that_are_signed_in_the_order_they_came(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        payments = []
        for _ in range(3):
            shop.clock.move(seconds=1)
            payments.append((await shop.create(description="é\U0001f600"))["id"])
        page = await ask(shop)
        async with connection(pool) as conn:
            stored = {row["body"] for row in await conn.fetch("SELECT body FROM events")}
        assert {bytes(body) for body in page.data} == stored
        assert [json.decode(body)["data"]["id"] for body in page.data] == payments
        assert (page.next_after, page.has_more) == (3, False)


async def test_a_reader_goes_on_where_it_stopped(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        for _ in range(5):
            await shop.create()
        whole = await ask(shop)
        after, seen = 0, []
        for more in (True, True, False):
            page = await ask(shop, f"after={after}&limit=2")
            assert page.has_more is more
            seen += [bytes(body) for body in page.data]
            after = page.next_after
        assert seen == [bytes(body) for body in whole.data]
        assert await ask(shop, f"after={after}") == Page([], 5, has_more=False)
        assert await ask(shop, "after=77") == Page([], 77, has_more=False)


async def test_the_end_is_behind_all_that_was_committed(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        assert await ask(shop, "after=end") == Page([], 0, has_more=False)
        await shop.create()
        end = await ask(shop, "after=end")
        assert end == Page([], 1, has_more=False)
        await shop.create()
        assert len((await ask(shop, f"after={end.next_after}")).data) == 1


async def test_a_filter_passes_by_what_it_does_not_let_through(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        shop.key = await shop.issue("admin")  # others see what is of their own payments
        await shop.create()
        await op.ask("POST", f"/{CONFIG}/test")
        await shop.create()
        assert (await ask(shop, "types=payment.paid")) == Page([], 3, has_more=False)
        (test,) = (await ask(shop, "types=payment.paid,webhook.*")).data
        assert json.decode(test)["type"] == "webhook.test"
        assert len((await ask(shop, "types=*")).data) == 3


async def test_a_reader_waits_for_news(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        waits = asyncio.create_task(ask(shop, "wait=20"))
        await asyncio.sleep(0.1)  # until it waits
        assert not waits.done()
        payment = await shop.create()
        (event,) = (await asyncio.wait_for(waits, 5)).data
        assert json.decode(event)["data"]["id"] == payment["id"]


async def test_a_reader_waits_no_longer_than_it_asked_to(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        await shop.create()
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await ask(shop, "after=1&wait=0.3") == Page([], 1, has_more=False)
        assert 0.3 <= loop.time() - began < 3


async def test_readers_that_wait_are_let_go_when_the_process_ends(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        waits = [asyncio.create_task(ask(shop, "wait=30")) for _ in range(3)]
        await asyncio.sleep(0.1)  # until they wait
        shop.parts.tidings.stop()
        assert all(not page.data for page in await asyncio.wait_for(asyncio.gather(*waits), 5))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"), ("after=x", "after"), ("after=" + "9" * 19, "after"),
        ("limit=0", "limit"), ("limit=101", "limit"), ("wait=31", "wait"), ("wait=nan", "wait"),
        ("wait=-1", "wait"), ("types=payment.x", "types"), ("types=a,,b", "types"),
        ("type=payment.paid", "type"),
    ],
)  # fmt: skip
async def test_a_query_that_is_wrong_is_told_by_field(shop: Shop, query: str, field: str) -> None:
    answer = await shop.get(f"{EVENTS}?{query}")
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_an_event_is_shown_with_each_attempt(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        payment = await shop.create()
        (body,) = (await ask(shop)).data
        event = json.decode(body)["id"]
        (before,) = (await op.get(f"{EVENTS}/{event}")).json["deliveries"]
        assert (before["state"], before["log"]) == ("waiting", [])
        await all_ended(pool, "500")
        answer = await op.get(f"{EVENTS}/{event}")
        shown = answer.json
        (delivery,) = shown.pop("deliveries")
        assert bytes(body) in answer.body
        assert shown == {
            "id": event,
            "type": "payment.created",
            "payment_id": payment["id"],
            "created_at": "2026-01-01T12:00:00Z",
            "body": json.decode(body),
        }
        (attempt,) = delivery.pop("log")
        assert delivery == {
            "endpoint_id": CONFIG,
            "state": "dead",
            "attempts": 1,
            "outcome": "500",
            "next_attempt_at": None,
            "ended_at": "2026-01-01T12:00:00Z",
        }
        assert attempt == {
            "attempt": 1,
            "manual": False,
            "at": "2026-01-01T12:00:00Z",
            "milliseconds": 5,
            "outcome": "500",
            "address": "192.0.2.1",
            "answer": "ok \ufffd",
        }


async def test_answers_and_addresses_are_for_administrators(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        await shop.create()
        await all_ended(pool)
        event = json.decode((await ask(shop)).data[0])["id"]
        (delivery,) = (await shop.get(f"{EVENTS}/{event}")).json["deliveries"]
        (attempt,) = delivery["log"]
        assert (attempt["address"], attempt["answer"]) == (None, None)
        assert attempt["outcome"] == "200"


async def test_an_address_that_was_refused_is_shown_to_nobody(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        await shop.create()
        await all_ended(pool, "blocked")
        event = json.decode((await ask(shop)).data[0])["id"]
        answer = await op.get(f"{EVENTS}/{event}")
        assert answer.json["deliveries"][0]["log"][0]["outcome"] == "blocked"
        assert b"192.0.2.1" not in answer.body


@pytest.mark.parametrize("id_", ["evt_x", "evt_" + "0" * 32, "%F0%9F%98%80"])
async def test_an_event_that_does_not_exist_is_not_found(shop: Shop, id_: str) -> None:
    answer = await shop.get(f"{EVENTS}/{id_}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_events_need_a_key_that_may_read(shop: Shop) -> None:
    writer = Operator(shop, await shop.issue("write"))
    for path in (EVENTS, f"{EVENTS}/evt_x"):
        assert (await writer.get(path)).status == 403
        assert (await shop.call("GET", path, headers={})).status == 401


async def test_an_event_that_was_sent_again_is_listed_once(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        await shop.create()
        await all_ended(pool, "500")
        event = json.decode((await ask(shop)).data[0])["id"]
        await op.ask("POST", f"/{CONFIG}/redeliver", {"event_ids": [event]})
        (waits,) = (await op.get(f"{EVENTS}/{event}")).json["deliveries"]
        assert (waits["state"], waits["outcome"]) == ("waiting", "500")
        await all_ended(pool, seconds=60)
        (delivery,) = (await op.get(f"{EVENTS}/{event}")).json["deliveries"]
        assert (delivery["state"], delivery["outcome"]) == ("delivered", "200")
        assert [one["manual"] for one in delivery["log"]] == [False, True]
