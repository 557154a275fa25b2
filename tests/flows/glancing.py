"""A world whose blocks are read at a glance."""

from typing import Any

from ctrip.core.payment import Payment
from ctrip.flows.watch import Watcher
from ctrip.store.pool import Pool
from tests.flows.world import USD, World, a_world, address
from tests.support.fake_blocks import Move
from tests.support.fake_chain import FakeChain

BLOCK_SECONDS = 12


async def a_slow_world(pool: Pool, chain: FakeChain | None = None, **served: Any) -> World:
    """Return a world whose blocks are read one by one, far from finality."""
    on = chain or FakeChain(finality_lag=50, block_seconds=BLOCK_SECONDS)
    return await a_world(pool, on, block_seconds=BLOCK_SECONDS, **served)


def pay_silently(world: World, payment: Payment, amount: int = 7) -> None:
    """Let a contract pay a recipient that it has in its storage."""
    world.chain.pay_tokens(Move(USD, address(payment), amount), silently=True)


async def mine(world: World, blocks: int = 1, *, watcher: Watcher | None = None) -> None:
    """Let blocks come at their pace, and read each."""
    for _ in range(blocks):
        world.clock.move(seconds=BLOCK_SECONDS)
        world.chain.mine()
        await (watcher or world.watcher()).run_once()


async def owed(world: World) -> int:
    """Return of how many blocks the logs are owed; none of them is final."""
    [row] = await world.rows("SELECT number, logged, finalized FROM cursors")
    assert row["logged"] >= row["finalized"]
    return int(row["number"] - row["logged"])
