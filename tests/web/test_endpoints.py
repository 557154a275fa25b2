"""Webhook endpoints over the API: made, shown, changed, stopped and forgotten."""

from typing import Any

import pytest

from ctrip.settings import Webhooks
from ctrip.store import endpoints
from ctrip.store.endpoints import Tally
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED
from tests.web.operator import URL, Operator, an_operator
from tests.web.shop import Shop, open_shop

OWN = "whsec_c2VjcmV0IHRoYXQgc29tZWJvZHkgYnJvdWdodA=="
HIDDEN = "a password of the receiver"


@pytest.fixture
async def op(shop: Shop) -> Operator:
    return await an_operator(shop)


async def test_the_answer_to_a_plain_create_has_every_field(op: Operator) -> None:
    made = await op.make()
    assert made.pop("id").startswith("we_")
    assert made.pop("secret").startswith("whsec_")
    assert made == {
        "kind": "api",
        "url": URL,
        "description": "",
        "event_types": ["*"],
        "format": "standard",
        "header_names": [],
        "concurrency_max": 16,
        "rate_max": None,
        "enabled": True,
        "disabled_reason": None,
        "failures": 0,
        "failing_since": None,
        "paused_until": None,
        "secrets": [
            {
                "signature": "hmac",
                "public_key": None,
                "created_at": "2026-01-01T12:00:00Z",
                "expires_at": None,
            }
        ],
        "created_at": "2026-01-01T12:00:00Z",
        "updated_at": "2026-01-01T12:00:00Z",
    }


async def test_a_secret_and_the_values_of_headers_are_told_once_or_never(op: Operator) -> None:
    made = await op.make(headers={"X-Tenant": HIDDEN}, secret=OWN)
    assert (made["secret"], made["header_names"]) == (OWN, ["X-Tenant"])
    id_ = made["id"]
    later = [
        await op.ask("GET", f"/{id_}"),
        await op.ask("GET"),
        await op.ask("PATCH", f"/{id_}", {"description": "other"}),
        await op.ask("POST", f"/{id_}/disable"),
        await op.ask("POST", f"/{id_}/enable"),
    ]
    assert all(answer.status == 200 for answer in later)
    for answer in later:
        assert OWN.encode() not in answer.body
        assert HIDDEN.encode() not in answer.body
    assert later[0].json["header_names"] == ["X-Tenant"]


async def test_only_the_public_half_of_an_ed25519_key_is_ever_told(op: Operator) -> None:
    made = await op.ask("POST", "", {"url": URL, "signature": "ed25519"})
    assert made.json["secret"].startswith("whpk_")
    assert b"whsk_" not in made.body
    shown = (await op.ask("GET", f"/{made.json['id']}")).json["secrets"]
    assert [key["public_key"] for key in shown] == [made.json["secret"]]


@pytest.mark.parametrize(
    ("field", "asked", "words"),
    [
        ("url", {"url": "http://shop.example/"}, "https"),
        ("url", {"url": "https://127.0.0.1/"}, "not public"),
        ("url", {"url": "https://[::ffff:169.254.169.254]/"}, "not public"),
        ("url", {"url": "https://user:pw@shop.example/"}, "password"),
        ("url", {"url": ""}, "https"),
        ("url", {"url": None}, "expected"),
        ("url", {"url": "https://shop.example/\0"}, "control"),
        ("event_types", {"event_types": ["payment.payed"]}, "payment.payed"),
        ("event_types", {"event_types": []}, "1 to"),
        ("event_types", {"event_types": ["*"] * 51}, "50"),
        ("event_types", {"event_types": "*"}, "array"),
        ("description", {"description": "x" * 501}, "500"),
        ("description", {"description": "\0"}, "U+0000"),
        ("format", {"format": "fat"}, "fat"),
        ("headers", {"headers": {"Host": "x"}}, "Host"),
        ("headers", {"headers": {"X-A": "a\r\nb"}}, "line break"),
        ("headers", {"headers": {"X-A": 1}}, "str"),
        ("concurrency_max", {"concurrency_max": 0}, "256"),
        ("concurrency_max", {"concurrency_max": 10**30}, "256"),
        ("rate_max", {"rate_max": 0}, "a second"),
        ("rate_max", {"rate_max": -1.5}, "a second"),
        ("secret", {"secret": "whsec_short"}, "base64"),
        ("secret", {"secret": "whpk_" + "a" * 60}, "ed25519"),
        ("signature", {"signature": "rsa"}, "rsa"),
        ("id", {"id": "we_mine"}, "unknown"),
    ],
)
async def test_what_is_wrong_is_told_by_field(
    op: Operator, field: str, asked: dict[str, Any], words: str
) -> None:
    answer = await op.ask("POST", "", {"url": URL} | asked)
    assert answer.status == 400
    told = {error["field"]: error["detail"] for error in answer.json["errors"]}
    assert list(told) == [field]
    assert words in told[field]


async def test_all_faults_are_told_at_once(op: Operator) -> None:
    asked = {"url": "ftp://x", "event_types": ["x"], "rate_max": 0, "secret": "whsec_!"}
    answer = await op.ask("POST", "", asked)
    assert answer.json["code"] == "invalid_webhook_url"
    assert {e["field"] for e in answer.json["errors"]} == asked.keys()


async def test_a_fault_never_repeats_the_value_of_a_header_or_a_secret(op: Operator) -> None:
    asked = {"url": URL, "headers": {"X-A": f"{HIDDEN}\n"}, "secret": f"whsec_{HIDDEN}"}
    answer = await op.ask("POST", "", asked)
    assert answer.status == 400
    assert HIDDEN.encode() not in answer.body


async def test_without_a_key_to_seal_with_the_answer_says_how_to_get_one(pool: Pool) -> None:
    async with open_shop(pool, webhooks=Webhooks()) as shop:
        op = await an_operator(shop)
        answer = await op.ask("POST", "", {"url": URL})
        assert (answer.status, answer.json["code"]) == (409, "secrets_key_missing")
        assert "openssl rand -hex 32" in answer.json["detail"]
        assert len((await op.ask("GET")).json["data"]) == 1  # of the configuration


async def test_a_change_changes_what_it_says(op: Operator) -> None:
    made = await op.make(description="before", rate_max=5, headers={"X-A": "1"})
    path = f"/{made['id']}"
    asked = {"event_types": ["payment.*"], "format": "thin", "concurrency_max": 3}
    changed = (await op.ask("PATCH", path, asked)).json
    same = {"description": "before", "rate_max": 5, "header_names": ["X-A"], "url": URL}
    assert changed.items() >= (same | asked).items()
    changed = (await op.ask("PATCH", path, {"rate_max": None, "headers": {}})).json
    assert (changed["rate_max"], changed["header_names"]) == (None, [])
    assert changed["event_types"] == ["payment.*"]
    answer = await op.ask("PATCH", path, {"url": "https://10.0.0.1/", "secret": OWN})
    assert [e["field"] for e in answer.json["errors"]] == ["secret"]
    assert (await op.ask("PATCH", path, {"url": "https://10.0.0.1/"})).status == 400


async def test_another_url_has_not_failed_yet(op: Operator) -> None:
    made = await op.make()
    async with connection(op.shop.pool) as conn:
        await endpoints.count(conn, [Tally(endpoint_id=made["id"], failures=9)], now=CREATED)
        await endpoints.pause(conn, made["id"], until=CREATED)
    path = f"/{made['id']}"
    same = (await op.ask("PATCH", path, {"url": URL})).json
    assert (same["failures"], same["paused_until"]) == (9, "2026-01-01T12:00:00Z")
    other = (await op.ask("PATCH", path, {"url": URL + "2"})).json
    assert (other["failures"], other["failing_since"], other["paused_until"]) == (0, None, None)


async def test_a_new_secret_signs_beside_the_old_one(op: Operator) -> None:
    made = await op.make(secret=OWN)
    path = f"/{made['id']}/rotate-secret"
    first = await op.ask("POST", path)
    assert first.json["secret"] not in {OWN, None}
    ends = [key["expires_at"] for key in first.json["secrets"]]
    assert ends == [None, "2026-01-02T12:00:00Z"]
    second = await op.ask("POST", path, {"overlap_seconds": 0, "secret": OWN})
    assert (second.json["secret"], len(second.json["secrets"])) == (OWN, 1)
    for wrong in ({"overlap_seconds": 604_801}, {"overlap_seconds": -1}, {"secret": "short"}):
        answer = await op.ask("POST", path, wrong)
        assert [error["field"] for error in answer.json["errors"]] == list(wrong)


async def test_an_endpoint_is_stopped_and_started(op: Operator) -> None:
    path = f"/{(await op.make())['id']}"
    stopped = (await op.ask("POST", f"{path}/disable")).json
    assert (stopped["enabled"], stopped["disabled_reason"]) == (False, "disabled by its owner")
    assert (await op.ask("POST", f"{path}/disable")).status == 200
    started = (await op.ask("POST", f"{path}/enable")).json
    assert (started["enabled"], started["disabled_reason"]) == (True, None)


async def test_what_is_forgotten_is_gone(op: Operator) -> None:
    path = f"/{(await op.make())['id']}"
    assert (await op.ask("DELETE", path)).status == 204
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/test")]:
        assert (await op.ask(method, path + rest)).status == 404


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [("PATCH", "", {"url": URL}), ("DELETE", "", None), ("POST", "/rotate-secret", None)],
)
async def test_the_receiver_of_the_configuration_is_changed_there(
    op: Operator, method: str, rest: str, body: object
) -> None:
    answer = await op.ask(method, f"/we_config{rest}", body)
    assert (answer.status, answer.json["code"]) == (409, "wrong_endpoint_kind")


@pytest.mark.parametrize("id_", ["we_unknown", "x", "we_'", "we_" + "a" * 3_000, "%F0"])
async def test_an_endpoint_that_does_not_exist_is_not_found(op: Operator, id_: str) -> None:
    answer = await op.ask("GET", f"/{id_}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_a_list_is_walked_page_by_page(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        made = {(await op.make())["id"] for _ in range(7)}
        seen: list[str] = []
        cursor: str | None = ""
        for _ in range(4):
            page = (await op.ask("GET", f"?kind=api&limit=2&cursor={cursor}")).json
            seen += [one["id"] for one in page["data"]]
            cursor = page["next_cursor"]
        assert (cursor, len(seen), set(seen)) == (None, 7, made)
        whole = (await op.ask("GET")).json
        assert {one["id"] for one in whole["data"]} == made | {"we_config"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("kind=x", "kind"),
        ("cursor=x", "cursor"), ("cursor=W10", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"), ("page=2", "page"),
    ],
)  # fmt: skip
async def test_a_query_is_read_like_a_body(op: Operator, query: str, field: str) -> None:
    answer = await op.ask("GET", f"?{query}")
    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_a_wrong_method_is_told_all_that_there_are(op: Operator) -> None:
    answer = await op.ask("PUT", "/we_config")
    assert answer.status == 405
    allowed = set(answer.headers["allow"].split(", "))
    assert allowed == {"GET", "HEAD", "PATCH", "DELETE"}


async def test_only_an_admin_may(shop: Shop) -> None:
    op = Operator(shop, await shop.issue("read", "write"))
    asked = [("GET", ""), ("POST", ""), ("GET", "/we_config"), ("PATCH", "/we_config")]
    asked += [("DELETE", "/we_config")]
    asked += [("GET", f"/we_config/{rest}") for rest in ("deliveries", "replays")]
    verbs = ("rotate-secret", "test", "enable", "disable", "redeliver", "recover")
    asked += [("POST", f"/we_config/{rest}") for rest in verbs]
    for method, path in asked:
        answer = await op.ask(method, path)
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), path
