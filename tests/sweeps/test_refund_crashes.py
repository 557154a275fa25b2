"""A process that dies at any statement while it refunds: the money goes back once, all of it."""

import random
from typing import Final
from uuid import uuid4

import pytest

from ctrip.core.errors import OutageError
from ctrip.core.ids import NOBODY, Amount, RefundId
from ctrip.core.payment import Payment
from ctrip.flows.follow import Follower
from ctrip.flows.give_back import Refunds, Wish
from ctrip.flows.refund import Refunder
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.flaky import FlakyPool
from tests.sweeps.refunding import REFUNDED, RefundingWorld, a_refunding_world

STATEMENTS_MAX: Final = 200  # of all that one refund takes


async def passes(world: RefundingWorld, pool: Pool, payment: Payment, name: RefundId) -> None:
    """Ask for a refund, and run what pays it through all that happens to it, on this pool."""
    moving = (world.chain, world.client.transactor(), pool, world.clock, world.news, world.signer)
    refund, follow = Refunder(*moving), Follower(*moving)
    wish = Wish(payment_id=payment.id, to=REFUNDED, amount=Amount(7), asked_by=NOBODY)
    asking = Refunds([world.chain], world.signer, pool, world.clock)
    await asking.ask(wish, owner=None, refund_id=name)
    await refund.run_once()
    await world.mine()
    await world.watch()
    await follow.run_once()
    await world.mine(2)
    await world.watch()
    await follow.run_once()


@pytest.mark.parametrize(("in_tokens", "apart"), [(True, 8), (False, 8)])
async def test_a_death_at_any_statement_refunds_once(
    pool: Pool, anvil: Anvil, *, in_tokens: bool, apart: int
) -> None:
    """A run tries some of them, beginning at another each time."""
    first, deaths, done = random.randrange(1, apart + 1), 0, 0
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(1_000, in_tokens=in_tokens)
        await world.look()
        for n in range(first, STATEMENTS_MAX, apart):
            name, dying = RefundId(uuid4()), FlakyPool(pool, dies_at=n)
            try:
                await passes(world, dying.as_pool(), payment, name)
            except OutageError:
                deaths += 1
            await passes(world, pool, payment, name)
            done += 1
            sent = await world.rows("SELECT state FROM sendings WHERE refund_id = $1", name)
            assert [row["state"] for row in sent] == ["mined"], f"after a death at statement {n}"
            assert await world.balance(REFUNDED, payment.asset) == 7 * done
            assert await world.refunded(payment) == (7 * done, done)
            if not dying.died:
                break
    assert deaths == (n - first) // apart > 4
