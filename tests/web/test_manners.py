"""Slashes, common headers, request ids, and pages of other sites."""

import asyncio
import logging
import re
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ctrip import logs
from ctrip.web.desk import Desk, Pages
from ctrip.web.manners import MORE_HEADERS, Manners
from ctrip.web.problems import NotFound
from tests.support.asgi import Heard, ask
from tests.support.log_lines import StandardError, logging_left_as_found

SHOP = "https://shop.example.com"
OURS = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def stderr() -> Iterator[StandardError]:
    with logging_left_as_found():
        stderr = StandardError()
        stderr.configure()
        yield stderr


async def page(request: Request) -> Response:
    logs.get("ctrip.test").info("asked")
    logging.getLogger("asyncpg").info("of a library")
    await asyncio.gather(within())
    request.scope[MORE_HEADERS].append((b"x-more", b"1"))
    return PlainTextResponse(request.url.path)


async def within() -> None:
    logs.get("ctrip.test").info("beneath")


async def absent(_request: Request) -> Response:
    raise NotFound("No such thing")


def site(*origins: str) -> Manners:
    paths: dict[str, Pages] = {
        "/": {"GET": page},
        "/page": {"GET": page, "POST": page},
        "/absent": {"GET": absent},
    }
    return Manners(Desk(paths).answer, origins)


async def test_a_path_works_with_and_without_slashes_at_its_end() -> None:
    for path in ("/page", "/page/", "/page///"):
        answer = await ask(site(), path)
        assert (answer.status, answer.body) == (200, b"/page")
    assert (await ask(site(), "/")).status == (await ask(site(), "//")).status == 200


async def test_every_answer_has_the_common_headers_and_what_its_page_adds() -> None:
    for path, status in (("/page", 200), ("/absent", 404), ("/nowhere", 404)):
        answer = await ask(site(), path)
        assert answer.status == status
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "no-referrer"
        assert OURS.fullmatch(answer.header("x-request-id") or "")
    assert (await ask(site(), "/page")).header("x-more") == "1"


async def test_a_request_keeps_the_name_that_its_caller_gave_it() -> None:
    for name in ("a", "order-17.try_2", "f" * 64, "0190a3f2-7d7c-7c1e-9d5e-0123456789ab"):
        answer = await ask(site(), "/page", {"x-request-id": name})
        assert answer.header("x-request-id") == name


@pytest.mark.parametrize(
    "name", ["", "f" * 65, "a b", "a\nb", "a\r\nset-cookie: b", '"', "\x1b[31m", "ä", "a" * 9_000]
)
async def test_a_name_that_could_do_harm_is_replaced(name: str) -> None:
    answer = await ask(site(), "/page", {"x-request-id": name})
    assert OURS.fullmatch(answer.header("x-request-id") or "")


async def test_requests_have_names_of_their_own() -> None:
    answers = await asyncio.gather(*(ask(site(), "/page") for _ in range(20)))
    assert len({answer.header("x-request-id") for answer in answers}) == 20


async def test_every_line_that_is_logged_meanwhile_has_the_name(stderr: StandardError) -> None:
    logs.get("ctrip.test").info("before")
    names = [f"name-{number}" for number in range(5)]
    # Each in a task of its own, as uvicorn does it.
    await asyncio.gather(*(ask(site(), "/page", {"x-request-id": name}) for name in names))
    logs.get("ctrip.test").info("after")
    said = [(line["event"], line.get("request_id")) for line in stderr.lines]
    assert said[0] == ("before", None)
    assert said[-1] == ("after", None)
    for event in ("asked", "beneath"):
        assert sorted(str(name) for what, name in said if what == event) == names
    assert ("of a library", names[0]) in said


async def test_other_sites_learn_nothing_unless_they_are_listed() -> None:
    for origins, asked in (((), SHOP), ((SHOP,), "https://evil.example"), ((SHOP,), "null")):
        answer = await ask(site(*origins), "/page", {"origin": asked})
        assert answer.status == 200
        assert answer.header("vary") == ("Origin" if origins else None)
        assert not cors(answer)
    for near in (f"{SHOP}.evil.example", f"{SHOP}:8443", "http://shop.example.com", SHOP.upper()):
        assert not cors(await ask(site(SHOP), "/page", {"origin": near}))


async def test_a_site_that_is_listed_may_read_answers_but_bears_no_cookies() -> None:
    for path in ("/page", "/absent"):
        answer = await ask(site("https://a.example", SHOP), path, {"origin": SHOP})
        assert answer.header("access-control-allow-origin") == SHOP
        assert "retry-after" in (answer.header("access-control-expose-headers") or "")
        assert answer.header("access-control-allow-credentials") is None
        assert answer.header("access-control-allow-methods") is None
        assert answer.header("vary") == "Origin"
    assert not cors(await ask(site(SHOP), "/page"))


async def test_a_browser_that_asks_whether_it_may_ask_is_told() -> None:
    wish = {
        "origin": SHOP,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
    }
    answer = await ask(site(SHOP), "/page", wish, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == SHOP
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    allowed = (answer.header("access-control-allow-headers") or "").split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert answer.header("access-control-max-age") == "600"
    assert answer.header("access-control-allow-credentials") is None
    for other in (site(), site("https://a.example")):
        refused = await ask(other, "/page", wish, method="OPTIONS")
        assert refused.status == 405
        assert not cors(refused)


def cors(answer: Heard) -> list[str]:
    return [name for name, _ in answer.headers if name.startswith("access-control-")]
