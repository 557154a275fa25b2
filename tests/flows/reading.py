"""Ranges to be read beside the newest blocks, and those who read them."""

from ctrip.chain.client import ChainClient
from ctrip.core.ids import BlockNumber
from ctrip.core.payment import Payment
from ctrip.flows import rescan as rescanning
from ctrip.flows.rescan import Rescanner
from ctrip.store import rescans
from ctrip.store.pool import Pool, connection
from ctrip.store.rescans import Rescan
from tests.flows.world import USD, World, address

PASSES_MAX = 400
WHOLE_WAY = ["created", "detected", "confirmed", "paid", "settled"]


def rescanner(
    world: World, *, pool: Pool | None = None, client: ChainClient | None = None
) -> Rescanner:
    """Return one that remembers nothing, as after a restart."""
    return Rescanner(
        world.served, client or world.chain, pool or world.pool, world.clock, world.news
    )


async def order(world: World, first: int, last: int) -> Rescan:
    async with connection(world.pool) as conn:
        return await rescanning.ask(
            conn,
            world.served.name,
            BlockNumber(first),
            BlockNumber(last),
            now=world.clock.now(),
        )


async def finish(world: World, *, pool: Pool | None = None) -> int:
    """Read until nothing is left; return the number of passes."""
    reader = rescanner(world, pool=pool)
    for passes in range(PASSES_MAX):
        if not await reader.run_once():
            return passes
    raise AssertionError("the rescanner never comes to an end")


async def next_of(world: World, rescan: Rescan) -> int:
    async with connection(world.pool) as conn:
        found = await rescans.find(conn, rescan.id)
    assert found is not None
    return found.next


async def as_of(world: World, rescan: Rescan) -> Rescan:
    async with connection(world.pool) as conn:
        return await rescans.find(conn, rescan.id) or rescan


async def with_hidden_money(world: World) -> tuple[Payment, Payment]:
    """Return two payments whose logs the endpoint did not show when their blocks were read."""
    first, second = await world.create_usd(100), await world.create_usd(7)
    world.chain.hidden = {world.chain.pay_token(USD, address(first), 100)}
    await world.mine(50)
    world.chain.hidden.add(world.chain.pay_token(USD, address(second), 7))
    await world.mine(20)
    assert await world.credited() == {address(first): 0, address(second): 0}
    world.chain.hidden = set()
    return first, second
