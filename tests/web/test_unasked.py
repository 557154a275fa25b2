"""What callers say that nobody asked them for: fields, parameters and the names of hosts."""

import re
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import Struct, json

from ctrip.core.ids import PaymentId, event_id
from ctrip.web.operation import Operation
from ctrip.web.samples import sample
from ctrip.web.schemas import Schemas
from ctrip.web.site import operations
from tests.web.shop import Answer, Shop

IDS: Final = re.compile(r"\{(\w+)\}")
# What a payment, an endpoint, a key or a recovery has, and none of their makers may say.
OURS: Final = ("owner", "key_id", "status", "created_at", "prefix", "kind", "queued", "position")
EVIL: Final = "evil.example"
SPOOFS: Final = ("host", "x-forwarded-host", "x-original-host", "forwarded")


class Known(Struct, frozen=True):
    """An administrator, and one of everything that a path may name."""

    shop: Shop
    key: str
    ids: dict[str, str]

    def operations(self, method: str = "") -> list[Operation]:
        every = operations(self.shop.parts)
        return [o for o in every if method in ("", o.method)]

    async def ask(
        self, operation: Operation, *, query: str = "", body: Any = None, **more: str
    ) -> Answer:
        path = IDS.sub(lambda found: self.ids[found[1]], operation.path) + query
        headers = {"authorization": f"Bearer {self.key}", **more}
        if body is not None:
            headers["content-type"] = "application/json"
        # A stream has no end: of it only the head.
        method = "HEAD" if operation.name == "stream_payment" and not query else operation.method
        return await self.shop.call(
            method, path, headers=headers, data=None if body is None else json.encode(body)
        )


@pytest.fixture(scope="module")
async def known(the_shop: Shop) -> Known:
    alone = Known(the_shop, await the_shop.issue("admin"), {})
    by_name = {o.name: o for o in alone.operations()}
    payment = await the_shop.create()
    endpoint = await alone.ask(
        by_name["create_webhook_endpoint"], body={"url": "https://shop.example/h"}
    )
    key = await alone.ask(by_name["create_key"], body={"name": "known"})
    ids = {
        "payment_id": payment["id"],
        "event_id": event_id(PaymentId(UUID(payment["id"])), 1),
        "endpoint_id": endpoint.json["id"],
        "key_id": key.json["id"],
    }
    return Known(the_shop, alone.key, ids)


async def test_no_body_may_say_what_is_ours_to_say(known: Known) -> None:
    asked = [o for o in known.operations() if o.takes]
    assert len(asked) >= 8
    before = await known.shop.written()
    for operation in asked:
        schemas = Schemas()
        good = sample(schemas.of(operation.takes), schemas.components)
        answer = await known.ask(operation, body=dict.fromkeys(OURS, "x") | good)
        assert (answer.status, answer.json["code"]) == (400, "invalid_request"), operation.name
        told = {fault["field"] for fault in answer.json["errors"]}
        assert told >= set(OURS), operation.name
    assert await known.shop.written() == before


async def test_no_query_may_say_what_is_not_asked(known: Known) -> None:
    for operation in (o for o in known.operations() if o.asks):
        needed = f"&about={known.ids['payment_id']}" if operation.name == "explain" else ""
        answer = await known.ask(operation, query=f"?owner=x&order=desc{needed}")
        assert (answer.status, answer.json["code"]) == (400, "invalid_request"), operation.name
        assert {"owner", "order"} <= {fault["field"] for fault in answer.json["errors"]}


@pytest.mark.parametrize("name", SPOOFS)
async def test_no_answer_names_the_host_that_a_caller_says(known: Known, name: str) -> None:
    said = f"host={EVIL}" if name == "forwarded" else EVIL
    for operation in known.operations("GET"):
        answer = await known.ask(operation, **{name: said})
        assert answer.status in (200, 400, 503), operation.name
        assert EVIL not in f"{dict(answer.headers)}{answer.body.decode()}", operation.name
