"""What is somebody else's is not there: every id in the path, query and body of every operation.

The tables below say whose each thing is. An operation with an id that they do not know, and a
list or a body that they do not name, fail here until somebody has thought about its owner.
"""

import re
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from msgspec import Struct, json
from msgspec.structs import fields

from ctrip.core.ids import PaymentId, event_id
from ctrip.store.pool import connection
from ctrip.web.operation import Operation
from ctrip.web.samples import sample
from ctrip.web.schemas import Schemas
from ctrip.web.site import operations
from tests.web.shop import Answer, Shop

IDS: Final = re.compile(r"\{(\w+)\}")
OF_PAYMENTS: Final = {"payment_id", "event_id"}  # in paths: of one owner
OF_ADMINISTRATORS: Final = {"endpoint_id", "key_id"}

# Operations for keys without `admin` that name nothing in their path: what they may show.
LISTS_OF_OWN: Final = {"list_payments", "list_events"}
LOOKUPS: Final = {"explain"}
SHOWS_NO_PAYMENT: Final = {"create_payment", "list_chains", "list_tokens"}
# Of what such a key sends, the fields that sound like ids, and are none of a payment.
HARMLESS: Final = {"CreatePayment.token_id", "CreatePayment.order_id", "ListPayments.order_id",
                   "StreamPayment.last_event_id", "ExplainPayment.tx_hash"}  # fmt: skip
SOUNDS_LIKE_AN_ID: Final = re.compile(r"(^|_)(ids?|hash|address|key)$")


class Parties(Struct, frozen=True):
    """Two shops and who looks after both; the payment is the first one's."""

    shop: Shop
    stranger: str
    admin: str
    payment: Any

    @property
    def ids(self) -> dict[str, str]:
        event = event_id(PaymentId(UUID(self.payment["id"])), 1)
        return {"payment_id": self.payment["id"], "event_id": event}

    async def ask(
        self, operation: Operation, key: str, ids: dict[str, str], *, method: str = ""
    ) -> Answer:
        """Ask for one thing, with the body that the documentation shows."""
        headers, data = {"authorization": f"Bearer {key}"}, None
        if operation.takes:
            schemas = Schemas()
            body = sample(schemas.of(operation.takes), schemas.components)
            headers["content-type"], data = "application/json", json.encode(body)
        path = IDS.sub(lambda found: ids[found[1]], operation.path)
        return await self.shop.call(method or operation.method, path, headers=headers, data=data)

    async def read(self, path: str, key: str) -> Answer:
        return await self.shop.call("GET", path, headers={"authorization": f"Bearer {key}"})

    async def written(self) -> list[str]:
        """Return all that may not change, as text."""
        async with connection(self.shop.pool) as conn:
            return [
                await conn.fetchval(f"SELECT md5(string_agg(t::text, '' ORDER BY t)) FROM {t} t")
                for t in ("payments", "events", "deliveries", "idempotency_keys")
            ]


@pytest.fixture(scope="module")
async def parties(the_shop: Shop) -> Parties:
    stranger, admin = await the_shop.issue("read", "write"), await the_shop.issue("admin")
    return Parties(the_shop, stranger, admin, await the_shop.create(order_id=f"{uuid4()}"))


def for_shops(shop: Shop) -> list[Operation]:
    """Return the operations that a key without `admin` may use."""
    return [o for o in operations(shop.parts) if o.scope in ("read", "write")]


def with_ids(shop: Shop) -> list[Operation]:
    return [o for o in for_shops(shop) if IDS.search(o.path)]


def test_it_is_known_whose_everything_in_a_path_is(shop: Shop) -> None:
    for operation in operations(shop.parts):
        ids = set(IDS.findall(operation.path))
        assert ids <= OF_PAYMENTS | OF_ADMINISTRATORS, f"whose is it? {operation.name}"
        assert operation.scope == "admin" or not ids & OF_ADMINISTRATORS, operation.name
        assert operation.scope is not None or not ids, operation.name


def test_it_is_known_what_each_operation_without_an_id_shows(shop: Shop) -> None:
    nameless = {o.name for o in for_shops(shop) if not IDS.search(o.path)}
    known = LISTS_OF_OWN | LOOKUPS | SHOWS_NO_PAYMENT
    assert nameless <= known, "may they show what is somebody else's?"


def test_it_is_known_what_each_id_in_a_body_or_a_query_names(shop: Shop) -> None:
    said = {
        f"{kind.__name__}.{field.encode_name}"
        for o in for_shops(shop)
        for kind in (o.takes, o.asks)
        if kind and o.name not in LOOKUPS
        for field in fields(kind)
        if SOUNDS_LIKE_AN_ID.search(field.encode_name)
    }
    assert said <= HARMLESS, "do they name what is somebody else's?"


async def test_what_is_somebody_elses_is_not_found_and_stays_as_it_is(parties: Parties) -> None:
    before = await parties.written()
    nowhere = {"payment_id": str(uuid4()), "event_id": "evt_" + "0" * 32}
    asked = with_ids(parties.shop)
    assert len(asked) >= 8
    for operation in asked:
        answer = await parties.ask(operation, parties.stranger, parties.ids)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), operation.name
        missing = await parties.ask(operation, parties.stranger, nowhere)
        assert (missing.status, missing.body) == (404, answer.body), operation.name
    assert await parties.written() == before


async def test_its_owner_and_an_administrator_find_it(parties: Parties) -> None:
    for operation in with_ids(parties.shop):
        for key in (parties.shop.key, parties.admin):
            # Of a read only whether it is there: a stream has no end.
            method = "HEAD" if operation.method == "GET" else "POST"
            answer = await parties.ask(operation, key, parties.ids, method=method)
            assert answer.status in (200, 409), (operation.name, answer.body)


async def test_administrators_things_are_forbidden(parties: Parties) -> None:
    ids = {"endpoint_id": "we_config", "key_id": str(uuid4()), **parties.ids}
    for operation in operations(parties.shop.parts):
        if operation.scope == "admin":
            answer = await parties.ask(operation, parties.stranger, ids)
            assert (answer.status, answer.json["code"]) == (403, "forbidden"), operation.name


async def test_a_list_holds_ones_own(parties: Parties) -> None:
    path = f"/api/v1/payments?order_id={parties.payment['order_id']}"
    for key, found in [(parties.shop.key, 1), (parties.admin, 1), (parties.stranger, 0)]:
        assert len((await parties.read(path, key)).json["data"]) == found
    for query in ("", "?status=pending", "?chain=anvil", "?limit=100"):
        answer = await parties.read(f"/api/v1/payments{query}", parties.stranger)
        assert answer.json == {"data": [], "next_cursor": None}


async def test_the_stream_of_events_holds_ones_own(parties: Parties) -> None:
    after, more, told = 0, True, set()
    while more:
        page = (await parties.read(f"/api/v1/events?after={after}", parties.stranger)).json
        told |= {event["data"].get("id") for event in page["data"]}
        after, more = page["next_after"], page["has_more"]
    assert parties.payment["id"] not in told


@pytest.mark.parametrize("field", ["id", "address"])
async def test_a_lookup_finds_ones_own(parties: Parties, field: str) -> None:
    lookups = [o for o in for_shops(parties.shop) if o.name in LOOKUPS]
    for operation in lookups:
        path = f"{operation.path}?about={parties.payment[field]}"
        answer = await parties.read(path, parties.stranger)
        assert (answer.status, answer.json["code"]) == (404, "not_found")
        assert (await parties.read(path, parties.shop.key)).status == 200
