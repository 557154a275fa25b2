"""There are never more endpoints than there may be."""

import asyncio
from uuid import uuid4

import pytest

from ctrip.flows import register
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.register import New, TooManyEndpoints
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import endpoints
from ctrip.store.pool import Pool, transaction
from ctrip.webhooks.guard import Guard
from tests.support.builders import CREATED
from tests.support.clock import FakeClock
from tests.support.receivers_on_record import URL, an_endpoint, made

NEW = New(url=URL)
WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


@pytest.fixture
def flow(pool: Pool) -> Endpoints:
    settings = Webhooks(secrets_key=Secret("5ea1" * 16))
    return Endpoints(pool, Guard(), settings, FakeClock(CREATED), asyncio.Event(), Stops())


async def test_who_wants_one_more_than_there_may_be_is_told_what_to_do(
    flow: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "ENDPOINTS_MAX", 2)
    occasion = uuid4()
    first = await flow.create(NEW, occasion)
    await flow.create(NEW)
    with pytest.raises(TooManyEndpoints, match="remove one that is not needed any more"):
        await flow.create(NEW)
    assert await flow.create(NEW, occasion) == first, "this makes no other"
    id_ = first[0].id
    await flow.disable(id_)
    with pytest.raises(TooManyEndpoints):
        await flow.create(NEW)
    await flow.remove(id_)
    await flow.create(NEW)


async def test_a_site_and_the_receiver_of_the_configuration_take_no_room(
    flow: Endpoints, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "ENDPOINTS_MAX", 1)
    async with transaction(pool) as conn:
        await endpoints.sync_config(conn, URL, now=CREATED)
        await endpoints.add_sites(conn, [URL], now=CREATED)
    await flow.create(NEW)


async def test_who_makes_one_waits_for_others_that_may_take_the_last_room(
    flow: Endpoints, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "ENDPOINTS_MAX", 1)
    async with transaction(pool) as conn:
        assert await endpoints.count_made(conn) == 0
        await made(conn, an_endpoint())
        second = asyncio.create_task(flow.create(NEW))
        while not second.done() and not await conn.fetchval(WAITS):
            pass
    with pytest.raises(TooManyEndpoints):
        await second
