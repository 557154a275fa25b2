"""Of three endpoints one is wrong for good, and two are right: they decide."""

from typing import Final

import pytest

from ctrip.core.ids import raw
from ctrip.store.pool import Pool
from tests.faults.world import TOKEN, TOKENS, a_world
from tests.support.anvil import Anvil
from tests.support.rpc_proxy import proxy

LOOKS: Final = 12


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", ["logs dropped partly", "log of another block"])
async def test_logs_that_one_shows_otherwise_for_good_turn_nothing_red(
    pool: Pool, anvil: Anvil, name: str, place: int, *, fast: bool
) -> None:
    async with (
        proxy(anvil.url) as endpoint,
        a_world(pool, anvil, among(endpoint.url, anvil.url, place), fast=fast) as world,
    ):
        await endpoint.plays(name)
        paid = await world.order_both()
        await world.pay(*paid)
        for _ in range(LOOKS):
            await world.mine(3)
            await world.look()
            assert not await world.complaint()
            await world.wait()
        assert endpoint.played
        assert not await world.owed(*paid)
        await world.assert_credited_once(*paid)


async def test_a_range_whose_logs_are_of_other_blocks_is_read_from_another(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as endpoint,
        a_world(pool, anvil, among(endpoint.url, anvil.url, 0), fast=True) as world,
    ):
        await endpoint.plays("log of another block")
        _, token = await world.order_both()
        await anvil.mint(raw(TOKEN.contract), raw(token.address), TOKENS)
        await world.mine(4)
        await world.look()
        assert not await world.owed(token), await world.complaint()
        assert not await world.complaint()


def among(one: str, others: str, place: int) -> list[str]:
    urls = [others, others]
    urls.insert(place, one)
    return urls
