"""The client against a receiver that behaves."""

import asyncio
from datetime import UTC, datetime
from socket import socket
from time import perf_counter

import pytest

from ctrip.core.signature import headers
from ctrip.webhooks.client import Delivered, NoAnswer, Refused
from tests.support.receiver import (
    hang,
    receiver,
    reset,
    status,
    verify,
)
from tests.webhooks.posting import (
    BODY,
    SECRET,
    Answers,
    a_client,
    post,
    time_bounded,
    why,
)


async def test_a_signed_webhook_arrives_as_it_was_sent() -> None:
    async with receiver() as r, a_client() as client:
        now = int(datetime.now(UTC).timestamp())
        started = perf_counter()
        outcome = await client.post(r.url, BODY, headers("evt_1", now, BODY, [SECRET]))
        took = perf_counter() - started
        assert isinstance(outcome, Delivered)
        assert outcome.status == 200
        assert 0 <= outcome.milliseconds <= took * 1000 + 1
        (got,) = await r.wait_for(1)
    assert got.body == BODY
    assert verify(got, SECRET)["id"] == "evt_1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("ctrip/")
    assert got.headers["content-length"] == str(len(BODY))
    assert got.headers["accept-encoding"] == "identity"
    assert "cookie" not in got.headers
    assert "authorization" not in got.headers


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_every_2xx_is_a_delivery(code: int) -> None:
    async with receiver() as r:
        r.answers(code)
        assert isinstance(await post(r.url), Delivered)


@pytest.mark.parametrize("code", [300, 301, 304, 400, 401, 404, 410, 429, 500, 502, 503, 504])
async def test_every_other_status_is_a_refusal(code: int) -> None:
    async with receiver() as r:
        r.answers(status(code, b"" if code == 304 else b"no"))
        outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    assert outcome.status == code
    assert outcome.retry_after_seconds is None
    assert outcome.answer == (b"" if code == 304 else b"no")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "9" * 5000}, 604_800),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "\u0661\u0662"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "depends on the receiver's Date"),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30,
        ),
        (
            {
                "Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00", "Date": "yesterday"}, None),
    ],
)
async def test_retry_after_is_read_as_seconds(
    said: dict[str, str], seconds: int | str | None
) -> None:
    async with receiver() as r:
        r.answers(status(503, headers=said))
        outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    if isinstance(seconds, str):
        assert outcome.retry_after_seconds is not None
    else:
        assert outcome.retry_after_seconds == seconds


async def test_a_connection_serves_many_webhooks() -> None:
    async with receiver() as r, a_client() as client:
        for _ in range(5):
            assert isinstance(await client.post(r.url, BODY, {}), Delivered)
        assert len(r.received) == 5
        assert r.connections == 1


async def test_a_refusal_keeps_the_connection_too() -> None:
    async with receiver() as r, a_client() as client:
        r.answers(status(500, b"x" * 60_000), 200)
        for _ in range(3):
            await client.post(r.url, BODY, {})
        assert r.connections == 1


async def test_the_answer_that_is_kept_is_short() -> None:
    async with receiver() as r:
        r.answers(status(500, b"y" * 60_000))
        outcome = await post(r.url)
    assert isinstance(outcome, Refused)
    assert outcome.answer == b"y" * 4096


async def test_the_answer_of_a_delivery_is_kept_too() -> None:
    async with receiver() as r:
        r.answers(status(201, b"z" * 60_000))
        outcome = await post(r.url)
    assert isinstance(outcome, Delivered)
    assert outcome.answer == b"z" * 4096


async def test_an_outcome_names_the_address_that_was_dialled() -> None:
    async with receiver() as r, a_client(resolver=Answers(["127.0.0.1"])) as client:
        r.answers(200, 200, 500, reset, hang)
        url = r.url.replace("127.0.0.1", "shop.test")
        outcomes = [await client.post(url, BODY, {}) for _ in range(5)]
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [Delivered, Delivered, Refused, NoAnswer, NoAnswer]
        assert {outcome.address for outcome in outcomes} == {"127.0.0.1"}
        assert r.connections == 2  # the second, on a connection that was kept, named it too
    async with receiver("::1") as r:
        outcome = await post(r.url.replace("::1", "[::1]"))
        assert outcome.address == "::1"


async def test_posts_at_once_do_not_mix_up_their_addresses() -> None:
    async with (
        receiver("127.0.0.1") as one,
        receiver("127.0.0.2") as two,
        a_client(timeout_seconds=30) as client,  # a hundred answers are one loop's work here
    ):
        posts = [client.post(r.url, BODY, {}) for r in (one, two) for _ in range(50)]
        addresses = [outcome.address for outcome in await asyncio.gather(*posts)]
        again = await asyncio.gather(*[client.post(r.url, BODY, {}) for r in (two, one, two)])
    assert addresses == ["127.0.0.1"] * 50 + ["127.0.0.2"] * 50
    assert [outcome.address for outcome in again] == ["127.0.0.2", "127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://10.0.0.1/", "blocked"),
        ("nonsense", "url"),
        ("http://127.0.0.1:{free}/", "connect"),
    ],
)
async def test_without_a_connection_there_is_no_address(url: str, expected: str) -> None:
    with socket() as closed:
        closed.bind(("127.0.0.1", 0))
        free = closed.getsockname()[1]
        outcome = await post(url.format(free=free))
    assert why(outcome) == expected
    assert outcome.address is None


async def test_a_cookie_is_not_kept() -> None:
    async with receiver() as r, a_client() as client:
        r.answers(status(200, headers={"Set-Cookie": "a=b"}), 200)
        for _ in range(2):
            await client.post(r.url, BODY, {})
        assert "cookie" not in r.received[1].headers


@pytest.mark.parametrize(
    "url", ["", "http://", "http://[", "nonsense", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"]
)
async def test_what_is_no_url_is_never_dialled(url: str) -> None:
    assert why(await post(url)) == "url"


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as r, receiver() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert isinstance(await post(r.url), Delivered)
        assert proxy.connections == 0


async def test_a_post_that_is_cancelled_leaves_no_connection_behind() -> None:
    async with receiver() as r, a_client(timeout_seconds=30) as client:
        r.answers(hang, 200)
        task = asyncio.create_task(client.post(r.url, BODY, {}))
        await r.wait_for(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(await client.post(r.url, BODY, {}), Delivered)
        assert r.connections == 2  # the first was spoilt


async def test_a_hundred_hanging_receivers_do_not_hold_up_another() -> None:
    async with receiver() as dead, receiver() as alive, a_client(timeout_seconds=5) as client:
        dead.answers(hang)
        waiting = [asyncio.create_task(client.post(dead.url, BODY, {})) for _ in range(150)]
        await dead.wait_for(150)
        with time_bounded(3.0):
            assert isinstance(await client.post(alive.url, BODY, {}), Delivered)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_closing_ends_a_post_that_is_under_way() -> None:
    async with receiver() as r, a_client(timeout_seconds=30) as client:
        r.answers(hang)
        task = asyncio.create_task(client.post(r.url, BODY, {}))
        await r.wait_for(1)
        await client.close()
        with time_bounded():
            assert why(await task) == "closed"
