"""A process that dies at any statement of an export or an import: each refund is paid once."""

import asyncio
import random
from typing import Final
from uuid import uuid4

from ctrip.core.errors import OutageError
from ctrip.core.ids import NOBODY, Amount, RefundId
from ctrip.core.payment import Payment
from ctrip.flows.export import Exporter
from ctrip.flows.follow import Follower
from ctrip.flows.give_back import Refunds, Wish
from ctrip.flows.take import Taker
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.flaky import FlakyPool
from tests.sweeps.exporting import ExportingWorld, exporting_refunds, signed_elsewhere
from tests.sweeps.refunding import REFUNDED

STATEMENTS_MAX: Final = 200  # of all that one refund takes
APART: Final = 8


async def passes(world: ExportingWorld, pool: Pool, payment: Payment, name: RefundId) -> None:
    """Ask for a refund, export it, have it signed, and take it all the way, on this pool."""
    common = (world.chain, world.client.transactor(), pool, world.clock, world.news, None)
    wish = Wish(payment_id=payment.id, to=REFUNDED, amount=Amount(7), asked_by=NOBODY)
    asking = Refunds([world.chain], None, pool, world.clock, world.elsewhere)
    await asking.ask(wish, owner=None, refund_id=name)
    bundle = await Exporter(*common, world.elsewhere).export()
    await Taker(*common).take_raw(signed_elsewhere(bundle))
    follow = Follower(*common)
    for blocks in (0, 1, 2):
        await world.mine(blocks)
        await world.watch()
        await follow.run_once()


async def test_a_death_at_any_statement_pays_an_exported_refund_once(
    pool: Pool, anvil: Anvil
) -> None:
    """A run tries some of them, beginning at another each time."""
    first, deaths, done = random.randrange(1, APART + 1), 0, 0
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.paid(1_000)
        await world.look()
        for n in range(first, STATEMENTS_MAX, APART):
            name, dying = RefundId(uuid4()), FlakyPool(pool, dies_at=n)
            try:
                await passes(world, dying.as_pool(), payment, name)
            except OutageError:
                deaths += 1
            await passes(world, pool, payment, name)
            done += 1
            sent = await world.rows("SELECT state FROM sendings WHERE refund_id = $1", name)
            assert [row["state"] for row in sent] == ["mined"], f"after a death at statement {n}"
            assert await world.balance(REFUNDED) == 7 * done
            assert await world.refunded(payment) == (7 * done, done)
            if not dying.died:
                break
    assert deaths == (n - first) // APART > 4


async def test_exports_and_imports_at_once_give_each_refund_one_place(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payments = [await world.asked(100) for _ in range(3)]
        bundles = await asyncio.gather(*(world.exporter.export() for _ in range(3)))
        again = await world.exporter.export()
        assert sorted(one.nonce for one in again.transactions) == [0, 1, 2]
        signed = {raw for bundle in (*bundles, again) for raw in signed_elsewhere(bundle)}
        assert len(signed) == 3
        files = [world.taker.take_raw(sorted(signed)) for _ in range(3)]
        assert sum(await asyncio.gather(*files)) == 3
        await world.settle(5)
        assert await world.balance(REFUNDED) == 300
        assert [await world.refunded(one) for one in payments] == [(100, 1)] * 3
