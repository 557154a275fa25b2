"""An endpoint shows other blocks than those that were final: it is wrong, and holds nobody up.

It follows the chain at first, and then a branch that left it below what is final by now. Or it
calls blocks final that are not.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import pytest

from ctrip.core.payment import Payment
from ctrip.store.pool import Pool
from tests.faults.world import World, a_world
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import Fault
from tests.support.rpc_proxy import RpcProxy, proxy
from tests.support.rpc_views import on_twin

FINAL_BLOCKS: Final = 10  # above the fork; anvil's blocks are final after two
LOOKS_MAX: Final = 6  # of 12 seconds, in which endpoints are compared at least once
ASTRAY: Final = Fault(
    name="another history", happens="It answers from a branch.", answered="", play=on_twin
)


@asynccontextmanager
async def forked(
    pool: Pool, anvil: Anvil, twin: Anvil, others: Sequence[str], *, fast: bool
) -> AsyncIterator[tuple[RpcProxy, World]]:
    """Yield an endpoint that has gone astray, the first of all, and a world that had read it."""
    async with (
        proxy(anvil.url, twin=twin.url) as endpoint,
        a_world(pool, anvil, [endpoint.url, *others], fast=fast) as world,
    ):
        await world.part(twin)
        await world.order_both()  # a chain with nothing to pay is not read
        for _ in range(FINAL_BLOCKS):
            await world.mine()
            await world.look()
        assert not await world.complaint()
        await endpoint.plays(ASTRAY)
        yield endpoint, world


@pytest.mark.parametrize("fast", [False, True])
async def test_one_of_three_is_outvoted(
    pool: Pool, anvil: Anvil, twin: Anvil, *, fast: bool
) -> None:
    async with forked(pool, anvil, twin, [anvil.url] * 2, fast=fast) as (endpoint, world):
        paid = await world.order_both()
        await world.pay(*paid)
        await world.mine(3)
        await look_until_credited(world, *paid)
        assert endpoint.played


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    ("others", "says"), [(0, "blocks that were final were replaced"), (1, "endpoint 1 of 2")]
)
async def test_nothing_is_credited_until_it_comes_back(
    pool: Pool, anvil: Anvil, twin: Anvil, others: int, says: str, *, fast: bool
) -> None:
    async with forked(pool, anvil, twin, [anvil.url] * others, fast=fast) as (endpoint, world):
        paid = await world.order_both()
        await world.pay(*paid)
        await world.mine(3)
        for _ in range(LOOKS_MAX):
            await world.look()
            await world.wait()
            assert await world.owed(*paid), "what should not have been believed was"
        assert says in await world.complaint()
        endpoint.calms()
        await look_until_credited(world, *paid)


@pytest.mark.parametrize("name", ["finalized is the head", "finalized above the head"])
@pytest.mark.parametrize("others", [1, 2])
async def test_a_reorg_of_blocks_that_only_one_calls_final_is_like_any_other(
    pool: Pool, anvil: Anvil, others: int, name: str
) -> None:
    async with (
        proxy(anvil.url) as endpoint,
        a_world(pool, anvil, [endpoint.url, *[anvil.url] * others]) as world,
    ):
        await endpoint.plays(name)
        paid = await world.order_both()
        for _ in range(LOOKS_MAX):
            await world.mine()
            await world.look()
        await anvil.reorg(1)
        await world.pay(*paid)
        await world.mine(3)
        await look_until_credited(world, *paid)
        assert endpoint.played


async def look_until_credited(world: World, *paid: Payment) -> None:
    for _ in range(LOOKS_MAX):
        await world.look()
        if not await world.owed(*paid):
            break
        await world.wait()
    assert not await world.owed(*paid), await world.complaint()
    await world.assert_credited_once(*paid)
