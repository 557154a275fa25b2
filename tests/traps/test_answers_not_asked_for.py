"""A node that ignores what was asked: nothing of it is credited, and nothing is lost by it."""

import pytest

from ctrip.core.errors import OutageError
from tests.support.token_contracts import deploy
from tests.traps.retelling import Change, Json, retelling
from tests.traps.world import World, client_of

TRANSFER = "transfer(address,uint256)"
APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"


def beside_each_log(**fields: Json) -> Change:
    """Tell every log a second time, as one of its own that differs in these fields."""

    def change(method: str, result: Json) -> Json:
        if method != "eth_getLogs":
            return result
        return [*result, *({**log, "logIndex": "0x63", **fields} for log in result)]

    return change


async def held_then_credited_once(world: World, change: Change) -> None:
    """Pay while the node tells it so; see nothing credited, and all of it once it is honest."""
    payment = await world.create(world.usd)
    await world.usd.send(TRANSFER, payment.address, 100)
    await world.node.mine()
    async with retelling(world.node.url) as retold:
        retold.change = change
        client = client_of(world.served, retold.url, world.clock)
        with pytest.raises(OutageError, match="anvil"):
            await world.watch(client)
        await client.close()
    await world.shows_nothing(payment)
    await world.watch()
    now = await world.shows(payment, 100, "detected")
    assert len(now.transfers) == 1


async def test_a_log_of_a_counterfeit_that_was_not_asked_for(world: World) -> None:
    fake = await deploy(world.node, "PlainToken")
    await held_then_credited_once(world, beside_each_log(address=fake.address))


async def test_a_log_of_another_event_that_was_not_asked_for(world: World) -> None:
    nobody = "0x" + "00" * 32
    await held_then_credited_once(world, beside_each_log(topics=[APPROVAL, nobody, nobody]))


@pytest.mark.parametrize("nonsense", ["0x", "0xUSD", "0x" + "5a" * 21, "TEther"])
async def test_a_log_of_a_contract_whose_address_is_none(world: World, nonsense: str) -> None:
    await held_then_credited_once(world, beside_each_log(address=nonsense))
