"""The OpenAPI document is valid, and is true: of every route, and of real answers."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import schemathesis
from msgspec import json

from ctrip.core.events import EventType
from ctrip.core.ids import PaymentId, event_id
from ctrip.edge import refusals as edge
from ctrip.web.answers import ALWAYS
from ctrip.web.meanings import MEANINGS
from ctrip.web.site import operations
from tests.support.builders import CHAIN, TOKEN
from tests.web.contract import Contract, Told
from tests.web.shop import Answer, Shop
from tests.web.test_api_docs import PAGE, ROW

GOLDEN = Path(__file__).parents[1] / "golden"
IDS = re.compile(r"\{(\w+)\}")
# Given by commands only, and to methods that no operation has.
NOT_OF_OPERATIONS = {"invalid_amount", "invalid_scope", "method_not_allowed"}
LONG_AGO = "2025-12-01T00:00:00Z"


@pytest.fixture(scope="module")
async def contract(the_shop: Shop) -> Contract:
    return Contract((await the_shop.call("GET", "/openapi.json", headers={})).json)


async def test_it_is_valid(contract: Contract) -> None:
    assert contract.document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(contract.document).validate()


async def test_it_tells_of_every_operation_and_of_no_other(shop: Shop, contract: Contract) -> None:
    told = {
        (operation.method, operation.path): operation.name for operation in contract.operations()
    }
    assert told == {(o.method, o.path): o.name for o in operations(shop.parts)}
    for path, item in contract.document["paths"].items():
        answer = await shop.call("PUT", IDS.sub("x", path))
        allowed = set(answer.headers["allow"].split(", ")) - {"HEAD"}
        assert allowed == {method.upper() for method in item}


async def test_ids_in_paths_have_a_form(contract: Contract) -> None:
    for operation in contract.operations():
        ids = {p["name"]: p["schema"] for p in operation.says["parameters"] if p["in"] == "path"}
        assert list(ids) == IDS.findall(operation.path)
        assert all("pattern" in schema or "format" in schema for schema in ids.values())


async def test_it_tells_of_every_code(contract: Contract) -> None:
    refused = contract.document["components"]["responses"].values()
    told = set(
        re.findall(r"^- `(\w+)`", "\n".join(r["description"] for r in refused), re.MULTILINE)
    )
    assert told == {code for code, _ in ROW.findall(PAGE)} - NOT_OF_OPERATIONS


def test_it_tells_what_the_edge_refuses() -> None:
    kinds = [edge.NotHttp, edge.TooSlow, edge.UriTooLong, edge.HeadTooLarge, edge.NoRoom]
    assert {(kind.status, kind.code) for kind in kinds} < {
        (status, code) for status, codes in ALWAYS.items() for code in codes
    }


async def test_every_example_is_as_its_schema_says(contract: Contract) -> None:
    examples = list(contract.examples())
    assert len(examples) > 100
    faults = [
        (where, fault)
        for where, schema, example in examples
        for fault in contract.faults(schema, example)
    ]
    assert faults == []


async def test_every_field_has_a_meaning_and_every_meaning_a_field(contract: Contract) -> None:
    known, needed = set(), set()
    for struct, schema in contract.document["components"]["schemas"].items():
        known |= {f"{struct}.{field}" for field in schema["properties"]} | set(schema["properties"])
        needed |= {
            f"{struct}.{field}"
            for field, of in schema["properties"].items()
            if "description" not in of
        }
    for operation in contract.operations():
        known |= {one["name"] for one in operation.says["parameters"]}
        needed |= {one["name"] for one in operation.says["parameters"] if "description" not in one}
    assert needed == set(), "say it in ctrip/web/meanings.py"
    assert MEANINGS.keys() - known == set()


async def test_what_is_sent_to_receivers_is_told(contract: Contract) -> None:
    for kind in EventType:
        body = contract.document["webhooks"][kind]["post"]["requestBody"]["content"]
        golden = json.decode((GOLDEN / "events" / f"{kind}.json").read_bytes())
        assert contract.faults(body["application/json"]["schema"], golden) == []
    payment = json.decode((GOLDEN / "payment.json").read_bytes())
    assert contract.faults({"$ref": "#/components/schemas/Payment"}, payment) == []


class Walk:
    """Asks for everything that is told, with the examples that are told."""

    def __init__(self, shop: Shop, key: str) -> None:
        self._shop = shop
        self._key = key

    async def ask(self, told: Told, *, body: Any = None, query: str = "", **ids: str) -> Answer:
        """Ask for one thing; what a query must name is the payment."""
        needed = [
            p["name"] for p in told.says["parameters"] if p["in"] == "query" and p["required"]
        ]
        query = query or "?" + "&".join(f"{name}={ids['payment_id']}" for name in needed)
        path = IDS.sub(lambda found: ids[found[1]], told.path) + query
        headers = {"authorization": f"Bearer {self._key}"}
        if body is not None:
            headers["content-type"] = "application/json"
        data = None if body is None else json.encode(body)
        return await self._shop.call(told.method, path, headers=headers, data=data)

    async def things(self) -> dict[str, str]:
        """Make one of everything; what is done to it harms no other test."""
        payment = await self._shop.create()
        endpoint = await self._post("/api/v1/webhook-endpoints", {"url": "https://shop.example/h"})
        key = await self._post("/api/v1/keys", {"name": "walk"})
        return {
            "payment_id": payment["id"],
            "event_id": event_id(PaymentId(UUID(payment["id"])), 1),
            "endpoint_id": endpoint["id"],
            "key_id": key["id"],
        }

    async def _post(self, path: str, body: Any) -> Any:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        answer = await self._shop.call("POST", path, headers=headers, data=json.encode(body))
        assert answer.status == 201, answer.body
        return answer.json


def fitting(told: Told, things: dict[str, str]) -> Any:
    """Return the example of a body as it is of this site."""
    body = told.example
    match told.name:
        case "create_payment":
            body |= {"chain": CHAIN, "token_id": str(TOKEN.id)}
        case "redeliver_events":
            body |= {"event_ids": [things["event_id"]]}
        case "recover_events":
            body |= {"since": LONG_AGO, "until": None}
        case _:
            pass
    return body


@pytest.fixture(scope="module")
async def walk(the_shop: Shop) -> Walk:
    return Walk(the_shop, await the_shop.issue("admin"))


async def test_every_operation_succeeds_as_it_is_told(contract: Contract, walk: Walk) -> None:
    faults = []
    for told in contract.operations():
        if told.is_endless:
            continue
        things = await walk.things()
        query = f"?about={things['payment_id']}" if told.name == "explain" else ""
        answer = await walk.ask(told, body=fitting(told, things), query=query, **things)
        if answer.status not in {told.success[0], 409, 503}:
            faults.append((told.name, [f"{answer.status} {answer.body[:300]!r}"]))
        if found := contract.faults_of(told, answer):
            faults.append((told.name, found))
    assert faults == []


async def test_every_operation_refuses_as_it_is_told(
    contract: Contract, shop: Shop, walk: Walk
) -> None:
    nobody, reader = Walk(shop, "nobody"), Walk(shop, await shop.issue("read"))
    ids = {"payment_id": str(uuid4()), "event_id": "evt_" + "0" * 32}
    ids |= {"endpoint_id": "we_nowhere", "key_id": str(uuid4())}
    faults = []
    for told in contract.operations():
        body = {"no": "such field"} if told.example else None
        tries = [
            await nobody.ask(told, body=body, **ids),
            await reader.ask(told, body=body, query="?no=such&limit=0", **ids),
            await walk.ask(told, body=body, query="?no=such&limit=0", **ids),
            await walk.ask(told, body=None if body is None else [], **ids),
        ]
        if told.says["security"]:
            assert tries[0].status == 401
        faults += [
            (told.name, found) for answer in tries if (found := contract.faults_of(told, answer))
        ]
    assert faults == []


async def test_whoever_has_the_document_is_not_sent_it_again(shop: Shop) -> None:
    first = await shop.call("GET", "/openapi.json", headers={})
    again = await shop.call(
        "GET", "/openapi.json", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status, again.body) == (304, b"")
