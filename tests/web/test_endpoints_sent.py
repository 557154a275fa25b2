"""What is sent to one endpoint over the API: tests, redeliveries, recoveries, and their list."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import CONFIG, site_of
from ctrip.flows.endpoints import RESENT_AT_ONCE_MAX
from ctrip.store import endpoints, queue
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED
from tests.web.operator import URL, Operator, an_operator
from tests.web.shop import Shop, open_shop

NOBODY = "evt_" + "0" * 32


@pytest.fixture
async def op(shop: Shop) -> Operator:
    return await an_operator(shop)


async def an_event(op: Operator, **asked: Any) -> str:
    """Create a payment, and return the id of its first event."""
    payment = await op.shop.create(**asked)
    events = await op.get("/api/v1/events?after=0&limit=100")
    while events.json["has_more"]:
        events = await op.get(f"/api/v1/events?after={events.json['next_after']}")
    return next(str(e["id"]) for e in events.json["data"] if e["data"].get("id") == payment["id"])


async def all_claimed(pool: Pool, seconds: int = 0) -> list[Claim]:
    now = CREATED + timedelta(seconds=seconds)
    async with connection(pool) as conn:
        return await queue.claim(
            conn,
            now=now,
            count_max=100,
            lease_until=now + timedelta(seconds=30),
            claim_id=uuid4(),
            allowed={},
            tried_after=5,
        )


async def all_ended(pool: Pool, outcome: str = "200", seconds: int = 0) -> list[Claim]:
    """Let everything that waits be delivered, or be given up."""
    claims = await all_claimed(pool, seconds)
    ends = [
        Ended(
            claim=claim,
            delivered=outcome == "200",
            due_at=None,
            outcome=outcome,
            milliseconds=5,
            address="192.0.2.1",
            answer=b"ok \xff",
        )
        for claim in claims
    ]
    async with connection(pool) as conn:
        await queue.complete(conn, ends, now=CREATED + timedelta(seconds=seconds))
    return claims


async def test_a_test_event_goes_to_one_endpoint_whatever_it_hears_of(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        one = (await op.make(event_types=["payment.paid"]))["id"]
        for id_ in (one, CONFIG):
            answer = await op.ask("POST", f"/{id_}/test")
            assert answer.status == 202
            (claim,) = await all_ended(pool)
            assert (claim.endpoint_id, claim.event_id) == (id_, answer.json["event_id"])
            assert claim.type == "webhook.test"


async def test_an_event_is_sent_again(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        event = await an_event(op)
        (first,) = await all_ended(pool)
        answer = await op.ask("POST", f"/{CONFIG}/redeliver", {"event_ids": [event, event]})
        assert (answer.status, answer.json) == (202, {"queued": 1})
        (again,) = await all_ended(pool)
        assert (again.event_id, again.body, again.manual) == (first.event_id, first.body, True)


async def test_a_delivery_under_way_is_left_alone(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        event = await an_event(op)
        await all_claimed(pool)
        answer = await op.ask("POST", f"/{CONFIG}/redeliver", {"event_ids": [event]})
        assert answer.json == {"queued": 0}


@pytest.mark.parametrize(
    ("ids", "status", "code"),
    [
        ([NOBODY], 404, "event_not_found"),
        ([], 400, "invalid_request"),
        (["evt_x"], 400, "invalid_request"),
        ([NOBODY + "\0"], 400, "invalid_request"),
        (NOBODY, 400, "invalid_request"),
        ([f"evt_{n:032x}" for n in range(RESENT_AT_ONCE_MAX + 1)], 400, "invalid_request"),
    ],
)
async def test_events_that_cannot_be_sent_are_refused(
    op: Operator, ids: object, status: int, code: str
) -> None:
    answer = await op.ask("POST", f"/{CONFIG}/redeliver", {"event_ids": ids})
    assert (answer.status, answer.json["code"]) == (status, code)


async def test_nothing_is_sent_to_an_endpoint_that_is_disabled(op: Operator) -> None:
    path = f"/{(await op.make())['id']}"
    await op.ask("POST", f"{path}/disable")
    asked: list[tuple[str, object]] = [
        ("test", None),
        ("redeliver", {"event_ids": [NOBODY]}),
        ("recover", {"since": "2025-01-01T00:00:00Z"}),
    ]
    for verb, body in asked:
        answer = await op.ask("POST", f"{path}/{verb}", body)
        assert (answer.status, answer.json["code"]) == (409, "endpoint_disabled"), verb


async def test_a_site_gets_the_events_of_its_own_payments_only(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        site = site_of(URL)
        async with connection(pool) as conn:
            await endpoints.add_sites(conn, [URL], now=CREATED)
        own = await an_event(op, webhook_url=f"{URL}?order=5")
        other = await an_event(op, webhook_url="https://other.example/hook")
        nobodys = await an_event(op)
        await all_ended(pool)
        for event, status in [(own, 202), (other, 404), (nobodys, 404)]:
            answer = await op.ask("POST", f"/{site}/redeliver", {"event_ids": [event]})
            assert answer.status == status
        (again,) = await all_claimed(pool)
        assert again.url == f"{URL}?order=5"
        for verb, body in [("test", None), ("recover", {"since": "2025-01-01T00:00:00Z"})]:
            refused = await op.ask("POST", f"/{site}/{verb}", body)
            assert (refused.status, refused.json["code"]) == (409, "wrong_endpoint_kind")


async def test_a_recovery_is_ordered_and_listed(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        for _ in range(3):
            await shop.create()
        body = {"since": "2026-01-01T14:00:00+05:00", "until": "2026-01-01T13:00:00Z"}
        answer = await op.ask("POST", f"/{CONFIG}/recover", body)
        assert answer.status == 202
        assert (
            answer.json.items()
            >= {
                "endpoint_id": CONFIG,
                "since": "2026-01-01T09:00:00Z",
                "until": "2026-01-01T13:00:00Z",
                "event_types": ["*"],
                "include_delivered": False,
                "queued": 0,
                "position": 0,
                "position_last": 3,
                "ended_at": None,
            }.items()
        )
        listed = await op.ask("GET", f"/{CONFIG}/replays")
        assert listed.json == {"data": [answer.json]}


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("since", {}),
        ("since", {"since": "2026-01-01T00:00:00"}),
        ("since", {"since": "yesterday"}),
        ("since", {"since": "0001-01-01T00:00:00+14:00"}),
        ("since", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        ("since", {"since": "2999-01-01T00:00:00Z"}),
        ("until", {"since": "2025-01-01T00:00:00Z", "until": "9999-12-31T23:59:59-14:00"}),
        ("event_types", {"since": "2025-01-01T00:00:00Z", "event_types": ["payment.x"]}),
        ("include_delivered", {"since": "2025-01-01T00:00:00Z", "include_delivered": 1}),
        ("all", {"since": "2025-01-01T00:00:00Z", "all": True}),
    ],
)
async def test_a_recovery_of_nothing_is_refused(
    op: Operator, field: str, asked: dict[str, Any]
) -> None:
    answer = await op.ask("POST", f"/{CONFIG}/recover", asked)
    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_deliveries_are_listed_whatever_became_of_them(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        states = {}
        for second, outcome in enumerate(["200", "timeout", "200"]):
            states[await an_event(op)] = "delivered" if outcome == "200" else "dead"
            await all_ended(pool, outcome, second)
        for _ in range(3):
            states[await an_event(op)] = "waiting"
        seen = await walk(op, "limit=1")
        assert {one["event_id"]: one["state"] for one in seen} == states
        assert len(seen) == len(states)
        assert [one["state"] for one in seen] == ["waiting"] * 3 + [
            "delivered",
            "dead",
            "delivered",
        ]
        assert seen == await walk(op, "limit=4") == await walk(op, "limit=6")
        for state in ("waiting", "delivered", "dead"):
            only = await walk(op, f"state={state}&limit=1")
            assert only == [one for one in seen if one["state"] == state]
        (dead,) = await walk(op, "state=dead")
        assert (dead["outcome"], dead["ended_at"]) == ("timeout", "2026-01-01T12:00:01Z")


async def test_what_is_being_sent_names_no_next_attempt(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        op = await an_operator(shop)
        await shop.create()
        await all_claimed(pool)
        (sent,) = await walk(op, "state=waiting")
        assert (sent["state"], sent["attempts"], sent["next_attempt_at"]) == ("sending", 1, None)


async def walk(op: Operator, query: str) -> list[Any]:
    """Return every delivery of the configuration's receiver, page by page."""
    seen: list[Any] = []
    cursor: str | None = ""
    for _ in range(20):
        if cursor is None:
            return seen
        answer = await op.ask("GET", f"/{CONFIG}/deliveries?{query}&cursor={cursor}")
        assert answer.status == 200, answer.body
        seen += answer.json["data"]
        cursor = answer.json["next_cursor"]
    raise AssertionError("the list never comes to an end")
