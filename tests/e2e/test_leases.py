"""Two gateways on one database: one watches the chain, and whichever is left goes on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.gateway import Gateway
from tests.support.waiting import until
from tests.support.world import World

TAKEN_SECONDS_MAX: Final = 8.0  # a lease is looked at every three seconds


@pytest.fixture
async def pair(fresh: World, tmp_path: Path) -> AsyncIterator[list[Gateway]]:
    """Both gateways, first the one that watches."""
    await fresh.gateway.start()
    twin = fresh.gateway.twin(tmp_path)
    await twin.start()

    async def in_order() -> list[Gateway]:
        watching = {it: await watches(it) for it in (fresh.gateway, twin)}
        is_one = sorted(watching.values()) == [False, True]
        return sorted(watching, key=lambda it: not watching[it]) if is_one else []

    yield await until("one of them watches", in_order)
    await twin.close()


async def watches(gateway: Gateway) -> bool:
    """Tell whether a gateway watches the chain itself."""
    ready = (await gateway.ask("GET", "/health/ready")).json
    return "watched_elsewhere" not in ready["parts"]["chains"]["anvil"]


async def calls_of(gateway: Gateway) -> int:
    """Return how often a gateway has asked the node."""
    ready = (await gateway.ask("GET", "/health/ready")).json
    return int(ready["parts"]["chains"]["anvil"]["endpoints"][0]["calls"])


async def is_paid_through(world: World, gateway: Gateway) -> None:
    """See a payment that is made at a gateway all the way through."""
    payment = await gateway.create(amount=5)
    await world.pay(payment, 5)
    await world.chain.mine(3)
    assert (await gateway.reaches(payment["id"], "settled"))["amount_received"] == 5


async def takes_over(gateway: Gateway) -> None:
    await until("it watches", lambda: watches(gateway), seconds=TAKEN_SECONDS_MAX)


async def test_payments_can_be_made_at_either_and_whichever_is_left_goes_on(
    fresh: World, pair: list[Gateway]
) -> None:
    await fresh.fund(coin=10)
    watching, standing_by = pair
    before = await calls_of(standing_by)  # it may have watched while it was alone
    for gateway in (standing_by, watching):
        await is_paid_through(fresh, gateway)
    assert await calls_of(standing_by) == before

    watching.kill()
    await takes_over(standing_by)
    await is_paid_through(fresh, standing_by)

    await watching.start()
    assert await standing_by.stop() == 0
    await takes_over(watching)
    await is_paid_through(fresh, watching)


async def test_who_starts_again_at_once_does_not_wait_for_his_own_lease(fresh: World) -> None:
    await fresh.fund(coin=10)
    await fresh.gateway.start()
    fresh.gateway.kill()
    await fresh.gateway.start()
    assert await watches(fresh.gateway)
    await is_paid_through(fresh, fresh.gateway)
