"""Money that is given back by the clients: once, however often they ask."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from ctrip.client.aio import AsyncClient
from ctrip.client.sync import Client
from ctrip.client.talk import Denied
from ctrip.store.pool import Pool
from tests.client.test_sync import aside
from tests.support.builders import OTHER_ADDRESS
from tests.web.shop import Shop, open_shop, paid

TO: Final = str(OTHER_ADDRESS)


@pytest.fixture
async def shop(pool: Pool) -> AsyncIterator[Shop]:
    async with open_shop(pool) as shop:
        yield shop


async def test_both_give_back_a_part_and_then_the_rest(shop: Shop) -> None:
    payment, key = await paid(shop), await shop.issue("admin")
    async with AsyncClient(shop.url, key) as one:
        part = await one.refund(payment["id"], TO, 40)
        with Client(shop.url, key) as other:
            rest = await aside(other.refund, payment["id"], TO)
            assert (part.amount, rest.amount, rest.to, rest.state) == (40, 60, TO, "queued")
            assert await one.refunds_of(payment["id"]) == [part, rest]
            assert await aside(other.refunds_of, payment["id"]) == [part, rest]


async def test_a_refund_that_is_asked_for_twice_is_one(shop: Shop) -> None:
    payment, key = await paid(shop), await shop.issue("admin")
    async with AsyncClient(shop.url, key) as client:
        first = await client.refund(payment["id"], TO, 5, idempotency_key="return-1042")
        assert await client.refund(payment["id"], TO, 5, idempotency_key="return-1042") == first
        with pytest.raises(Denied) as told:
            await client.refund(payment["id"], TO, 96)
        assert told.value.code == "refund_too_large"
