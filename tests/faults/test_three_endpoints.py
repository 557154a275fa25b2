"""Of three endpoints one is wrong for good, and two are right: they decide."""

from typing import Final

from ctrip.store.pool import Pool
from tests.faults.world import a_world
from tests.support.anvil import Anvil
from tests.support.rpc_proxy import proxy

LOOKS: Final = 12


async def test_a_log_that_one_leaves_out_for_good_turns_nothing_red(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as endpoint,
        a_world(pool, anvil, [anvil.url, endpoint.url, anvil.url]) as world,
    ):
        await endpoint.plays("logs dropped partly")
        paid = await world.order_both()
        await world.pay(*paid)
        for _ in range(LOOKS):
            await world.mine()
            await world.look()
            assert not await world.complaint()
            await world.wait()
        assert endpoint.played
        assert not await world.owed(*paid)
        await world.assert_credited_once(*paid)
