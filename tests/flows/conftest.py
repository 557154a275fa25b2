"""A world for every test of a verb."""

import pytest

from ctrip.store.pool import Pool
from tests.flows.world import World, a_world


@pytest.fixture
async def world(pool: Pool) -> World:
    return await a_world(pool)
