"""The client without a loop says the same as the one with one, and neither makes anything twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from ctrip.client.aio import AsyncClient
from ctrip.client.sync import Client
from ctrip.client.talk import Denied, GatewayOutage, NotAGateway
from ctrip.store.pool import Pool
from tests.support.receiver import Behaviour, receiver, reset, status
from tests.web.shop import Shop, open_shop

SOON = (0.0, 0.0)


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Shop]:
    async with open_shop(pool) as shop:
        yield shop


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    with Client(shop.url, shop.key, waits=()) as client:
        yield client


async def aside(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Let the client wait in a thread, because the gateway lives in our loop."""
    return await asyncio.to_thread(work, *args, **named)


async def test_both_see_the_same_payment(shop: Shop, client: Client) -> None:
    made = await aside(client.create_payment, "anvil", 10**30, order_id="A-1")
    assert (made.amount, made.order_id, made.status) == (10**30, "A-1", "pending")
    async with AsyncClient(shop.url, shop.key) as other:
        assert await other.payment(made.id) == made == await aside(client.payment, made.id)
        assert await other.chains() == await aside(client.chains)
        assert await other.tokens() == await aside(client.tokens)
        assert await other.events(0) == await aside(client.events, 0)


async def test_a_key_that_is_said_twice_makes_one_payment(shop: Shop, client: Client) -> None:
    key = str(uuid4())
    first = await aside(client.create_payment, "anvil", 5, idempotency_key=key)
    async with AsyncClient(shop.url, shop.key) as other:
        assert await other.create_payment("anvil", 5, idempotency_key=key) == first
    assert await aside(client.create_payment, "anvil", 5) != first


async def test_what_is_wrong_is_told_by_field(client: Client) -> None:
    with pytest.raises(Denied) as told:
        await aside(client.create_payment, "anvil", 0, metadata={"a": 1})
    assert (told.value.status, told.value.code) == (400, "invalid_request")
    assert [fault.field for fault in told.value.errors] == ["amount", "metadata"]
    with pytest.raises(Denied, match=r"^Unsupported chain: nowhere$"):
        await aside(client.create_payment, "nowhere", 1)
    with pytest.raises(Denied, match="No payment has this id"):
        await aside(client.payment, "not-an-id")


@pytest.mark.parametrize(
    "behaviour", [status(500), status(503), reset], ids=["500", "503", "reset"]
)
async def test_what_fails_in_passing_is_asked_again_with_the_same_key(
    behaviour: Behaviour,
) -> None:
    async with receiver() as it:
        it.answers(behaviour)
        with Client(it.url, "ctrip_key", waits=SOON) as client, pytest.raises(GatewayOutage):
            await aside(client.create_payment, "anvil", 1)
        asked = it.received
        assert len({one.headers["idempotency-key"] for one in asked}) == 1
        assert len({one.body for one in asked}) == 1
        assert len(asked) >= len(SOON) + 1


async def test_a_gateway_that_asks_for_time_is_given_it() -> None:
    async with receiver() as it:
        problem = b'{"detail": "too much", "code": "rate_limited"}'
        it.answers(status(429, problem, {"retry-after": "0"}))
        with Client(it.url, "", waits=(0.0,)) as client, pytest.raises(Denied) as told:
            await aside(client.chains)
        assert (told.value.code, len(it.received)) == ("rate_limited", 2)


async def test_a_connection_that_was_closed_meanwhile_is_opened_again(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        with Client(shop.url, shop.key, waits=()) as client:
            await aside(client.chains)
            assert client._http.sock  # noqa: SLF001  what a gateway would close
            client._http.sock.shutdown(2)  # noqa: SLF001
            assert await aside(client.chains)


@pytest.mark.parametrize("url", ["ftp://x", "http://user:pw@x", "http://x/?a=1", "x", "http://x:0"])
def test_an_address_that_is_none_is_told_without_showing_it(url: str) -> None:
    with pytest.raises(NotAGateway, match="the address of the gateway"):
        Client(url, "")
