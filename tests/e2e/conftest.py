"""Databases and evidence for gateways in processes of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ctrip.dev.postgres import Cluster
from tests.support.canaries import Evidence
from tests.support.warm_ctrip import WarmCtrip
from tests.support.world import World, world


@pytest.fixture(scope="session", autouse=True)
def evidence() -> Iterator[Evidence]:
    """What all gateways of this session let the outside see; no secret may be in it."""
    collected = Evidence()
    yield collected
    assert not collected.leaks()


@pytest.fixture(scope="module")
async def running(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    template: str,
    evidence: Evidence,
    warm: WarmCtrip,
) -> AsyncIterator[World]:
    """A world for the tests of a module, its gateway started."""
    name = request.module.__name__.rpartition(".")[2]
    url = cluster.create(name, template=template)
    async with world(url, evidence, warm, confirmations=2) as it:
        await it.gateway.start()
        yield it
        assert not it.gateway.faults()
    cluster.drop(name)


@pytest.fixture
async def fresh(database: str, evidence: Evidence, warm: WarmCtrip) -> AsyncIterator[World]:
    """A world for one test, its gateway not yet started."""
    async with world(database, evidence, warm) as it:
        yield it
