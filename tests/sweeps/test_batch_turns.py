"""An address in a batch, and whoever else would send from it or for it."""

from ctrip.core.ids import raw
from ctrip.flows.batch import Batches
from ctrip.flows.decide import Decider
from ctrip.flows.plan import Planner
from ctrip.store import lines
from ctrip.store.pool import Pool, connection
from tests.faults.world import WALLET
from tests.support.anvil import Anvil
from tests.sweeps.batching import a_batching_world, all_settled, paid_at_once, purposes


async def test_an_address_in_a_batch_sends_nothing_else_until_that_is_mined(
    pool: Pool, anvil: Anvil
) -> None:
    """Its authorization has the nonce that the other would take."""
    async with a_batching_world(pool, anvil) as world:
        [payment] = await paid_at_once(world, 1)
        await world.look()
        await anvil.rpc("anvil_dropAllTransactions")
        await anvil.send(raw(payment.address), 10**18)
        await world.mine(4)
        await world.look()
        assert sorted(await world.states()) == ["queued", "sent"]
        assert await purposes(world) == [("batch", "sent")]
        await world.settle()
        assert await purposes(world) == [("batch", "mined"), ("sweep", "mined")]


async def test_a_nonce_that_an_authorization_has_is_no_others(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        [payment] = await paid_at_once(world, 1)
        await world.look()
        asked = (world.chain.name, raw(payment.address))
        async with connection(pool) as conn:
            assert await lines.next_nonce(conn, *asked) == 1
        await world.settle()
        async with connection(pool) as conn:
            assert await lines.next_nonce(conn, *asked) == 0, "the chain has counted it"


async def test_two_who_decided_at_once_send_one_batch(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 2)
        await world.watch()
        plan = Planner(world.chain, pool, world.clock, WALLET.fingerprint)
        await plan.run_once()
        moving = (world.chain, world.client.transactor(), pool, world.clock, world.news)
        decider = Decider(*moving, world.signer)
        both = [one async for one in decider.decisions(count_max=9)]
        for _ in range(2):
            await Batches(*moving, world.signer, warn=world.warned.append).send(both)
        assert len(await world.sendings()) == 1
        await world.settle()
        assert await all_settled(world, payments)
