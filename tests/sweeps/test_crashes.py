"""A process that dies at any statement of any pass: the money moves once, and all of it."""

import random
from typing import Final

import pytest

from ctrip.core.errors import OutageError
from ctrip.core.ids import raw
from ctrip.core.payment import Payment, Status
from ctrip.flows.follow import Follower
from ctrip.flows.plan import Planner
from ctrip.flows.sweep import Sweeper
from ctrip.store.pool import Pool
from tests.faults.world import WALLET
from tests.support.anvil import Anvil
from tests.support.flaky import FlakyPool
from tests.sweeps.world import SweepingWorld, a_sweeping_world

STATEMENTS_MAX: Final = 200  # of all passes that one sweep takes
ETHER: Final = 10**18


async def passes(world: SweepingWorld, pool: Pool) -> None:
    """Run what moves money through all that happens to one token sweep, on this pool."""
    moving = (world.chain, world.client.transactor(), pool, world.clock, world.news, world.signer)
    plan = Planner(world.chain, pool, world.clock, WALLET.fingerprint)
    sweep, follow = Sweeper(*moving), Follower(*moving)
    await plan.run_once()
    for _ in range(2):  # its gas, and the move
        await sweep.run_once()
        await world.mine()
        await world.watch()
        await follow.run_once()
    await world.mine(2)
    await world.watch()
    await follow.run_once()


@pytest.mark.parametrize(("in_tokens", "apart"), [(True, 12), (False, 5)])
async def test_a_death_at_any_statement_moves_the_money_once(
    pool: Pool, anvil: Anvil, *, in_tokens: bool, apart: int
) -> None:
    """A run tries some of them, beginning at another each time; each takes a third of a second."""
    amount, deaths = (70, 0) if in_tokens else (ETHER, 0)
    first = random.randrange(1, apart + 1)
    async with a_sweeping_world(pool, anvil) as world:
        for n in range(first, STATEMENTS_MAX, apart):
            payment = await world.paid(amount, in_tokens=in_tokens)
            await world.watch()
            dying = FlakyPool(pool, dies_at=n)
            try:
                await passes(world, dying.as_pool())
            except OutageError:
                deaths += 1
            await passes(world, pool)
            await passes(world, pool)
            await went_once(world, payment, n)
            if not dying.died:
                break
    assert deaths == (n - first) // apart > 5


async def went_once(world: SweepingWorld, payment: Payment, n: int) -> None:
    now = await world.now(payment)
    assert now.status is Status.SETTLED, f"after a death at statement {n}"
    assert await world.balance(raw(payment.address), payment.asset) < 10**15
    rows = await world.rows(
        "SELECT s.purpose, s.state FROM sendings s JOIN sweeps w ON w.id = s.sweep_id "
        "WHERE w.payment_id = $1 ORDER BY s.created_at",
        payment.id,
    )
    fuel = [("fuel", "mined")] if payment.token_id else []
    assert [(row["purpose"], row["state"]) for row in rows] == [*fuel, ("sweep", "mined")]
