"""One site for all tests of the web layer; what they write stays apart by its ids."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ctrip.core.ids import PaymentId
from ctrip.dev.postgres import Cluster
from ctrip.settings import Secret
from ctrip.store import pool as store
from tests.support.edge_site import Site, edge_site
from tests.web.shop import Shop, open_shop
from tests.web.studio import Studio, a_studio, some_payments


@pytest.fixture(scope="session")
async def the_shop(cluster: Cluster, template: str) -> AsyncIterator[Shop]:
    """A site that is open, with a key."""
    url = cluster.create("web", template=template)
    pool = await store.connect(Secret(url), size_max=8)
    async with open_shop(pool) as shop:
        yield shop
    pool.terminate()


@pytest.fixture
def shop(the_shop: Shop) -> Iterator[Shop]:
    """The site, whose clock no other test has moved."""
    now = the_shop.clock.now()
    yield the_shop
    the_shop.clock.set(now)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A small site behind the real edge, in a process of its own, with short deadlines."""
    with edge_site() as site:
        yield site


@pytest.fixture
async def studio(shop: Shop) -> AsyncIterator[Studio]:
    async with a_studio(shop.parts, shop.key) as studio:
        yield studio


@pytest.fixture
async def payment(shop: Shop) -> PaymentId:
    """A payment of the shop's key."""
    return (await some_payments(shop, 1))[0]
