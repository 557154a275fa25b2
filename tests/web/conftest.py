"""One site for all tests of the web layer; what they write stays apart by its ids."""

from collections.abc import AsyncIterator

import pytest

from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from tests.web.shop import Shop, open_shop


@pytest.fixture(scope="session")
async def shop(cluster: Cluster, template: str) -> AsyncIterator[Shop]:
    """A site that is open, with a key."""
    url = cluster.create("web", template=template)
    pool = await store.connect(Secret(url), size_max=8)
    async with open_shop(pool) as shop:
        yield shop
    pool.terminate()
