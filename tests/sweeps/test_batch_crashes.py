"""A process that dies at any statement around a batch: all of its money moves, and once."""

import random
from typing import Final

from ctrip.core.errors import OutageError
from ctrip.core.payment import Status
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.flaky import FlakyPool
from tests.sweeps.batching import a_batching_world, paid_at_once
from tests.sweeps.test_batches import DOLLARS
from tests.sweeps.test_crashes import STATEMENTS_MAX, passes

APART: Final = 12  # a run tries some, beginning at another each time
TOGETHER: Final = 3


async def test_a_death_at_any_statement_moves_a_batch_once(pool: Pool, anvil: Anvil) -> None:
    deaths, before = 0, 0
    first = random.randrange(1, APART + 1)
    async with a_batching_world(pool, anvil) as world:
        for n in range(first, STATEMENTS_MAX, APART):
            payments = await paid_at_once(world, TOGETHER)
            await world.watch()
            dying = FlakyPool(pool, dies_at=n)
            try:
                await passes(world, dying.as_pool())
            except OutageError:
                deaths += 1
            await passes(world, pool)
            await passes(world, pool)
            for payment in payments:
                now = await world.now(payment)
                assert now.status is Status.SETTLED, f"after a death at statement {n}"
            before += TOGETHER * 70
            assert await world.treasury(DOLLARS) == before
            if not dying.died:
                break
        rows = await world.rows("SELECT purpose, state FROM sendings")
    assert {(row["purpose"], row["state"]) for row in rows} == {("batch", "mined")}
    assert deaths == (n - first) // APART > 2
