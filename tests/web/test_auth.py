"""Who may do what."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.requests import Request

from ctrip.core.keys import LENGTH, PREFIX, PREFIX_SHOWN
from ctrip.flows.keybook import Keybook
from ctrip.settings import Server
from ctrip.store.pool import Pool, connection
from ctrip.web import auth
from ctrip.web.auth import Door
from ctrip.web.forwarded import Proxies
from ctrip.web.limits import RateLimits
from ctrip.web.problems import Forbidden
from tests.support.changes import an_open_payment
from tests.support.clock import Ticks
from tests.support.flaky import FlakyPool
from tests.web.bad_creates import GOOD
from tests.web.shop import CREATE, UNLIMITED, Shop, open_shop

CHAINS = "/api/v1/chains"
NOT_OURS = PREFIX + "A" * (LENGTH - len(PREFIX))
REVOKE_ALL = "UPDATE api_keys SET revoked_at = created_at"
Ended = tuple[Shop, Callable[[], Awaitable[None]]]  # a site, and what revokes its keys


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {NOT_OURS}"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer ctrip_kurz"},
        {"authorization": "Bearer " + "A" * 10_000},
        {"authorization": "Bearer ctrip_" + "é" * 43},
        {"x-api-key": NOT_OURS},
        {"x-api-key": ""},
    ],
)
async def test_without_a_live_key_nobody_gets_in(shop: Shop, headers: dict[str, str]) -> None:
    before = await shop.written()
    for method, path in (("POST", CREATE), ("GET", CHAINS), ("GET", f"{CREATE}/x")):
        given = {**headers, "content-type": "application/json"}
        answer = await shop.call(method, path, headers=given, data=GOOD)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert "key" in answer.json["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
        assert NOT_OURS not in answer.body.decode()
    assert await shop.written() == before


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "X-Api-Key", "AUTHORIZATION"])
async def test_a_key_may_come_in_either_header(shop: Shop, name: str) -> None:
    scheme = "bearer " if name.lower() == "authorization" else ""
    headers = {name: scheme + shop.key, "content-type": "application/json"}
    assert (await shop.call("POST", CREATE, headers=headers, data=GOOD)).status == 201
    assert (await shop.call("GET", CHAINS, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("scopes", "may_read", "may_write"),
    [
        ({"read"}, 200, 403),
        ({"write"}, 403, 201),
        ({"admin"}, 200, 201),
        ({"read", "write"}, 200, 201),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(
    shop: Shop, scopes: set[str], may_read: int, may_write: int
) -> None:
    headers = {"x-api-key": await shop.issue(*scopes), "content-type": "application/json"}
    read = await shop.call("GET", CHAINS, headers=headers)
    wrote = await shop.call("POST", CREATE, headers=headers, data=GOOD)
    assert (read.status, wrote.status) == (may_read, may_write)
    for answer in (read, wrote):
        if answer.status == 403:
            assert answer.json["code"] == "forbidden"
            assert "scope" in answer.json["detail"]


async def test_a_revoked_key_is_no_key(shop: Shop) -> None:
    headers = {"x-api-key": await shop.issue("read", revoked=True)}
    assert (await shop.call("GET", CHAINS, headers=headers)).status == 401


async def test_a_key_is_believed_without_a_statement_and_not_for_longer_than_a_second(
    pool: Pool,
) -> None:
    counting, ticks = FlakyPool(pool), Ticks()
    counted = counting.as_pool()
    async with open_shop(counted, keybook=Keybook(counted, ticks=ticks)) as shop:
        assert (await shop.get(CHAINS)).status == 200
        async with pool.acquire() as conn:
            await conn.execute(REVOKE_ALL)
        counting.statements.clear()
        for _ in range(9):
            assert (await shop.get(CHAINS)).status == 200
        assert not counting.statements
        assert (await shop.post(GOOD)).status == 201
        assert not any("api_key" in text for text in counting.statements)
        ticks.now += 1.0
        assert (await shop.get(CHAINS)).status == 401


@pytest.fixture
async def ended(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ended]:
    monkeypatch.setattr(auth, "KEY_SECONDS", 0.0)
    ticks = Ticks()
    async with open_shop(pool, keybook=Keybook(pool, ticks=ticks)) as shop:

        async def end() -> None:
            uses = "SELECT count(*) FROM key_uses"
            async with connection(pool) as conn, asyncio.timeout(5):
                while not await conn.fetchval(uses):  # nobody was let in yet
                    await shop.parts.keybook.uses.run_once()
                await conn.execute(REVOKE_ALL)
            ticks.now += 1.0

        yield shop, end


@pytest.mark.parametrize("more", ["", "idempotency-key: once\r\n"])
async def test_a_key_that_ends_while_its_body_comes_makes_nothing(ended: Ended, more: str) -> None:
    shop, end = ended
    before = await shop.written()
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    writer.write(
        f"POST {CREATE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {shop.key}\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(GOOD)}\r\n\r\n".encode()
        + GOOD[:3]
    )
    await end()
    writer.write(GOOD[3:])
    assert (await reader.readline()).split()[1] == b"401"
    assert await shop.written() == before
    writer.close()


async def test_who_waits_for_news_with_a_key_that_ends_hears_none(ended: Ended) -> None:
    shop, end = ended
    place = await shop.parts.tidings.end()
    waiting = asyncio.create_task(shop.get(f"/api/v1/events?after={place}&wait=20"))
    await end()
    await an_open_payment(shop.pool)
    shop.parts.tidings.wake()
    answer = await waiting
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")


async def test_a_key_that_ends_takes_along_who_waits(ended: Ended) -> None:
    shop, end = ended
    place = await shop.parts.tidings.end()
    waiting = asyncio.create_task(shop.get(f"/api/v1/events?after={place}&wait=20"))
    await end()
    async with asyncio.timeout(2):
        assert (await waiting).status == 401


async def test_while_postgres_is_away_nobody_is_refused_for_good(pool: Pool) -> None:
    counting, ticks = FlakyPool(pool, dies_at=1), Ticks()
    book = Keybook(counting.as_pool(), ticks=ticks)
    async with open_shop(pool, keybook=book) as shop:
        answer = await shop.get(CHAINS)
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await shop.get(CHAINS)).status == 200


async def test_a_key_ends_at_the_moment_it_expires(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        async with connection(pool) as conn:
            await conn.execute("UPDATE api_keys SET expires_at = created_at + interval '1 minute'")
        shop.clock.move(seconds=59)
        assert (await shop.get(CHAINS)).status == 200
        shop.clock.move(seconds=1)
        answer = await shop.get(CHAINS)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        assert "expired" in answer.json["detail"]


@pytest.mark.parametrize(
    ("cidrs", "status"),
    [
        (["127.0.0.0/8"], 200),
        (["192.0.2.0/24", "127.0.0.1/32"], 200),
        (["::ffff:127.0.0.0/104"], 200),
        (["192.0.2.0/24"], 403),
        (["::1/128"], 403),
    ],
)
async def test_a_key_may_be_used_from_its_networks_only(
    shop: Shop, cidrs: list[str], status: int
) -> None:
    headers = {"x-api-key": await shop.issue("read", allowed_cidrs=cidrs)}
    answer = await shop.call("GET", CHAINS, headers=headers)
    assert answer.status == status
    if status == 403:
        assert answer.json["code"] == "forbidden"
        assert "address" in answer.json["detail"]
        assert not any(cidr.encode() in answer.body for cidr in cidrs)


NO_LIMITS = RateLimits(UNLIMITED, Proxies())


async def test_only_a_proxy_of_ours_says_where_a_caller_is(shop: Shop) -> None:
    text = await shop.issue("read", allowed_cidrs=["2001:db8::/32"])
    book = shop.parts.keybook
    trusting = Door(book, shop.clock, Proxies(("10.0.0.0/8",)), NO_LIMITS, is_open=False)
    strict = Door(book, shop.clock, Proxies(), NO_LIMITS, is_open=False)
    forwarded = a_request(text, "10.0.0.1", forwarded_for="203.0.113.9, 2001:db8::7")
    assert (await trusting.let_in(forwarded, "read")).scopes == {"read"}
    refused = [
        (strict, forwarded),
        (trusting, a_request(text, "203.0.113.1", forwarded_for="2001:db8::7")),
        (trusting, a_request(text, "10.0.0.1", forwarded_for="2001:db8::7, 203.0.113.9")),
        (trusting, a_request(text, None)),
    ]
    for door, request in refused:
        with pytest.raises(Forbidden, match="address"):
            await door.let_in(request, "read")


async def test_who_is_let_in_has_used_the_key_and_nobody_else(shop: Shop) -> None:
    await shop.parts.keybook.uses.run_once()
    used = await shop.issue("read")
    unused = [
        (await shop.issue("read", allowed_cidrs=["192.0.2.0/24"]), CHAINS),
        (await shop.issue("write"), CHAINS),
    ]
    for key, path in [*unused, (used, CHAINS)]:
        await shop.call("GET", path, headers={"x-api-key": key})
    await shop.parts.keybook.uses.run_once()
    async with connection(shop.pool) as conn:
        rows = await conn.fetch("SELECT prefix FROM api_keys JOIN key_uses ON key_id = id")
    prefixes = {row["prefix"] for row in rows}
    assert used[:PREFIX_SHOWN] in prefixes
    assert not any(key[:PREFIX_SHOWN] in prefixes for key, _ in unused)


async def test_where_the_ingress_checks_no_key_is_asked_for(pool: Pool) -> None:
    async with open_shop(pool, server=Server(auth="off")) as shop:
        headers = {"content-type": "application/json"}
        created = await shop.call("POST", CREATE, headers=headers, data=GOOD)
        assert created.status == 201
        assert (await shop.call("GET", CHAINS, headers={})).status == 200


async def test_the_key_itself_is_nowhere_in_the_database(shop: Shop) -> None:
    async with shop.pool.acquire() as conn:
        rows = await conn.fetch("SELECT api_keys::text AS text FROM api_keys")
    assert rows
    assert not any(shop.key in row["text"] for row in rows)


def a_request(key: str, address: str | None, *, forwarded_for: str = "") -> Request:
    """Return a request that bears a key, as the server hands it to the site."""
    headers = [(b"x-api-key", key.encode())]
    if forwarded_for:
        headers.append((b"x-forwarded-for", forwarded_for.encode()))
    client = None if address is None else (address, 4711)
    return Request({"type": "http", "headers": headers, "client": client})
