"""A gateway that sweeps tokens in batches, and the contract that it does so with.

async with a_batching_world(pool, anvil) as world:
    payments = await paid_at_once(world, 3)
    await world.settle()
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ctrip.core.chains import Chain
from ctrip.core.ids import raw
from ctrip.core.payment import Payment, Status
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.batching import TREASURY, a_batch
from tests.sweeps import world as sweeping
from tests.sweeps.world import SweepingWorld, a_sweeping_world, swept
from tests.wild.world import USD

assert TREASURY == sweeping.TREASURY, "the contract that is deployed is that of the world"


@asynccontextmanager
async def a_batching_world(
    pool: Pool,
    anvil: Anvil,
    urls: Sequence[str] = (),
    *,
    chain: Chain | None = None,
    deployed: bool = True,
) -> AsyncIterator[SweepingWorld]:
    """Yield a world whose chain takes batches."""
    async with a_sweeping_world(pool, anvil, urls, chain=chain or swept(batch=True)) as world:
        if deployed:
            await a_batch(anvil)
            await anvil.set_balance(world.signer.gas_address, sweeping.PURSE)
            await world.mine(2)
        yield world


async def paid_at_once(world: SweepingWorld, count: int, *, amount: int = 70) -> list[Payment]:
    """Return payments in tokens that are deep enough at the same time."""
    payments = [await world.create_usd(amount) for _ in range(count)]
    for payment in payments:
        await world.anvil.mint(USD, raw(payment.address), amount)
    await world.mine(3)
    return payments


async def purposes(world: SweepingWorld) -> list[tuple[str, str]]:
    return [(row["purpose"], row["state"]) for row in await world.sendings()]


async def parts(world: SweepingWorld) -> list[Any]:
    return await world.rows("SELECT * FROM batch_parts ORDER BY derivation_index")


async def all_settled(world: SweepingWorld, payments: list[Payment]) -> bool:
    return all([(await world.now(one)).status is Status.SETTLED for one in payments])
