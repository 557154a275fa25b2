"""A chain on which nothing may be paid is not read: what its endpoints say of its head is all."""

from typing import Final

from ctrip.store.pool import Pool
from tests.faults.world import a_world
from tests.support.anvil import Anvil
from tests.support.rpc_proxy import proxy

LOOKS_MAX: Final = 6


async def test_a_head_far_ahead_that_was_named_once_holds_no_payment_made_after_it(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as endpoint,
        a_world(pool, anvil, [endpoint.url]) as world,
    ):
        await endpoint.plays("head far ahead", requests=1)
        await world.look()
        assert endpoint.played
        paid = await world.order_both()
        await world.pay(*paid)
        await world.mine(3)
        for _ in range(LOOKS_MAX):
            await world.look()
            await world.wait()
        assert not await world.owed(*paid), await world.complaint()
        await world.assert_credited_once(*paid)
