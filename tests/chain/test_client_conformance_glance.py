"""What every ChainClient shows at a glance, asked of the fake chain and of a real node."""

from collections.abc import Collection

import pytest

from ctrip.chain.client import InconsistentChain
from ctrip.core.blocks import Block
from ctrip.core.ids import BlockNumber, RawAddress
from tests.chain.worlds import CAFE, SHOP, World, tip


async def test_a_block_at_a_glance_has_its_logs_if_it_names_us_and_else_owes_them(
    world: World,
) -> None:
    await world.pay_token(CAFE, 1)
    await world.mine()
    await world.pay_token(SHOP, 2)
    await world.mine()
    above = BlockNumber(await tip(world) - 2)
    stranger, ours = await at_a_glance(world, above, SHOP)
    assert (stranger.owes_logs, stranger.names_ours, stranger.logs) == (True, False, ())
    assert (ours.owes_logs, ours.names_ours) == (False, True)
    assert [(log.recipient, log.amount) for log in ours.logs] == [(SHOP, 2)]
    newest = ours.header
    later = await world.client.logs(above, newest.number, newest.hash, tokens=[world.token])
    assert [(log.recipient, log.amount) for log in later] == [(CAFE, 1), (SHOP, 2)]
    assert later[1] == ours.logs[0]
    assert later[0].block_hash == stranger.header.hash


async def test_logs_of_a_block_that_was_replaced_are_refused(world: World) -> None:
    await world.pay_token(CAFE, 1)
    await world.mine(2)
    above = BlockNumber(await tip(world) - 2)
    *_, newest = await at_a_glance(world, above, SHOP)
    await world.reorg(1)
    with pytest.raises(InconsistentChain):
        await world.client.logs(
            above, newest.header.number, newest.header.hash, tokens=[world.token]
        )


async def at_a_glance(world: World, above: BlockNumber, us: RawAddress) -> list[Block]:
    """Read the newest blocks as somebody who has one address."""

    async def ours(offered: Collection[RawAddress]) -> Collection[RawAddress]:
        return [one for one in offered if one == us]

    return await world.client.blocks(
        BlockNumber(above + 1), await tip(world), tokens=[world.token], ours=ours, at_a_glance=True
    )
