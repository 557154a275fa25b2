"""A client of a gateway: what it reads, and what it says of a gateway that is none."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from msgspec import Raw

from ctrip.client.aio import AsyncClient
from ctrip.client.models import Page
from ctrip.client.talk import Denied, GatewayOutage, NotAGateway
from ctrip.core.errors import ConfigError, OutageError, RequestError
from ctrip.store import delivery_log
from ctrip.store.pool import Pool, connection
from tests.support.receiver import Behaviour, Receiver, receiver, reset, status
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Shop]:
    async with open_shop(pool) as shop:
        yield shop


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[AsyncClient]:
    client = AsyncClient(shop.url, shop.key, waits=())
    yield client
    await client.close()


@pytest.fixture
async def impostor() -> AsyncIterator[tuple[AsyncClient, Receiver]]:
    """Somebody else at the gateway's address."""
    async with receiver() as it:
        client = AsyncClient(it.url, "ctrip_key", waits=())
        yield client, it
        await client.close()


async def created(shop: Shop) -> bytes:
    """Create a payment, and return the bytes of its first event."""
    payment = await shop.create()
    async with connection(shop.pool) as conn:
        row = await conn.fetchrow(
            "SELECT id FROM events WHERE payment_id = $1", UUID(payment["id"])
        )
        assert row
        event = await delivery_log.event(conn, row["id"])
    assert event
    return event.body


def bodies(page: Page) -> list[bytes]:
    return [bytes(body) for body in page.data]


async def test_events_are_the_bytes_that_are_signed(shop: Shop, client: AsyncClient) -> None:
    first, second = await created(shop), await created(shop)
    page = await client.events(0)
    assert sorted(bodies(page)) == sorted([first, second])  # at one moment: in either order
    assert not page.has_more


async def test_pages_follow_each_other_without_a_gap(shop: Shop, client: AsyncClient) -> None:
    await created(shop), await created(shop), await created(shop)
    made = bodies(await client.events(0))
    one = await client.events(0, limit=2)
    assert (bodies(one), one.has_more) == (made[:2], True)
    two = await client.events(one.next_after, limit=2)
    assert (bodies(two), two.has_more) == (made[2:], False)
    assert bodies(await client.events(two.next_after)) == []


async def test_the_end_is_behind_all_that_there_is(shop: Shop, client: AsyncClient) -> None:
    await created(shop)
    end = await client.end_of_events()
    assert (end.data, end.has_more) == ([], False)
    later = await created(shop)
    assert bodies(await client.events(end.next_after)) == [later]


async def test_a_filter_lets_only_its_types_through(shop: Shop, client: AsyncClient) -> None:
    await created(shop)
    assert len((await client.events(0, types=["payment.created", "webhook.*"])).data) == 1
    assert not (await client.events(0, types=["payment.paid", "webhook.*"])).data


async def test_it_waits_for_news(shop: Shop, client: AsyncClient) -> None:
    asking = asyncio.create_task(client.events(0, wait_seconds=10))
    await asyncio.sleep(0)
    made = await created(shop)
    assert bodies(await asking) == [made]


async def test_a_refusal_is_the_sentence_of_the_gateway(shop: Shop) -> None:
    stranger = AsyncClient(shop.url, "ctrip_wrong", waits=())
    with pytest.raises(Denied, match="This API key is not valid") as caught:
        await stranger.events(0)
    await stranger.close()
    assert (caught.value.status, caught.value.code) == (401, "unauthorized")
    assert isinstance(caught.value, RequestError)


async def test_a_gateway_that_is_away_is_an_outage_that_shows_no_more_than_its_origin() -> None:
    client = AsyncClient("http://127.0.0.1:9/canary", "ctrip_canary", waits=())
    with pytest.raises(GatewayOutage, match=r"http://127\.0\.0\.1:9") as caught:
        await client.events(0)
    await client.close()
    assert isinstance(caught.value, OutageError)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "behaviour", [status(500), status(502), status(503), reset], ids=["500", "502", "503", "reset"]
)
async def test_a_gateway_that_cannot_answer_is_an_outage(
    impostor: tuple[AsyncClient, Receiver], behaviour: Behaviour
) -> None:
    client, it = impostor
    it.answers(behaviour)
    with pytest.raises(GatewayOutage):
        await client.events(0)


@pytest.mark.parametrize(
    "behaviour",
    [
        status(200, b"<html>"),
        status(200, b"{}"),
        status(200, b'{"data":[],"next_after":"1","has_more":false}'),
        status(404, b"not here"),
        status(204),
        status(302, headers={"Location": "/elsewhere"}),
    ],
    ids=["no JSON", "other JSON", "other types", "no problem of ours", "nothing", "redirect"],
)
async def test_somebody_else_is_told_from_a_gateway(
    impostor: tuple[AsyncClient, Receiver], behaviour: Behaviour
) -> None:
    client, it = impostor
    it.answers(behaviour)
    with pytest.raises(NotAGateway) as caught:
        await client.events(0)
    assert isinstance(caught.value, ConfigError)
    assert len(it.received) == 1


async def test_the_key_travels_in_its_header(impostor: tuple[AsyncClient, Receiver]) -> None:
    client, it = impostor
    it.answers(status(200, b'{"data":[ {"id":1} ],"next_after":7,"has_more":true}'))
    page = await client.events(3, limit=5, types=["payment.*"], wait_seconds=1.5)
    assert page == Page(data=[Raw(b'{"id":1}')], next_after=7, has_more=True)
    (asked,) = it.received
    assert asked.headers["Authorization"] == "Bearer ctrip_key"
    assert asked.path.partition("?")[2] == "after=3&limit=5&wait=1.5&types=payment.*"
    assert "key" not in asked.path


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "", "http://a:b@127.0.0.1",
        "http://127.0.0.1?a=b", "http://[::1", "http://127.0.0.1:x",
    ],
)  # fmt: skip
async def test_an_address_that_is_no_gateways_is_refused(url: str) -> None:
    with pytest.raises(NotAGateway):
        AsyncClient(url, "")


@pytest.mark.parametrize("key", ["a\r\nb: c", "ü", "a\0"])
async def test_a_key_that_cannot_travel_is_refused(key: str) -> None:
    with pytest.raises(NotAGateway) as caught:
        AsyncClient("http://127.0.0.1:8080", key)
    assert key not in str(caught.value)
