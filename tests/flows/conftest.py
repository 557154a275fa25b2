"""A world for every test of a verb."""

from collections.abc import AsyncIterator

import pytest

from ctrip.flows.deliver import Sender
from ctrip.store.pool import Pool
from ctrip.webhooks.client import WebhookClient
from ctrip.webhooks.guard import Guard
from tests.flows.delivering import sender_of
from tests.flows.sending import Process, a_process
from tests.flows.world import World, a_world
from tests.support.receiver import Receiver, receiver
from tests.support.receivers_on_record import has_receiver


@pytest.fixture
async def world(pool: Pool) -> World:
    return await a_world(pool)


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    async with receiver() as shop:
        yield shop


@pytest.fixture
async def client() -> AsyncIterator[WebhookClient]:
    client = WebhookClient(Guard(("127.0.0.0/8",)), timeout_seconds=5)
    yield client
    await client.close()


@pytest.fixture
async def sender(world: World, shop: Receiver, client: WebhookClient) -> Sender:
    await has_receiver(world.pool, shop.url)
    return sender_of(world, client)


@pytest.fixture
async def process(world: World, database: str, shop: Receiver) -> AsyncIterator[Process]:
    async with a_process(world, database, shop) as process:
        yield process
