"""What is final on the word of one endpoint alone, and is not."""

from typing import Final

from ctrip.core.payment import Status
from ctrip.store import sweeps
from ctrip.store.pool import Pool, connection
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import RECEIPT, Fault, Json, in_results
from tests.support.rpc_proxy import proxy
from tests.sweeps.batching import a_batching_world, all_settled, paid_at_once
from tests.sweeps.world import a_sweeping_world
from tests.wild.world import WHOLE_WAY

ETHER: Final = 10**18


def that_failed(receipt: Json) -> Json:
    return {**receipt, "status": "0x0", "logs": []}


DENIES: Final = Fault(
    name="a failure",
    happens="Each receipt says that its transaction failed.",
    answered="Nothing is final by it.",
    play=in_results(frozenset({RECEIPT}), that_failed),
)


async def test_a_sweep_that_a_second_endpoint_denies_rests_in_mined_and_says_so(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as second,
        a_sweeping_world(pool, anvil, [anvil.url, second.url]) as world,
    ):
        payment = await world.paid(ETHER)
        await second.plays(DENIES)
        await world.settle()
        assert (await world.now(payment)).status is Status.PAID
        assert await world.states() == ["mined"]
        assert "endpoint 1 of 2 shows 0x" in await world.why()
        assert "endpoint 2 of 2 does not: it shows that the transaction failed" in await world.why()
        assert world.doubted[-1] == await world.why()
        async with connection(pool) as conn:
            assert (await sweeps.summary(conn, reasons_max=1)).reasons != []
        second.calms()
        await world.settle(6)
        await world.shows(payment, ETHER, *WHOLE_WAY)
        assert (await world.why(), world.doubted[-1]) == ("", "")


async def test_one_of_three_that_denies_a_sweep_is_outvoted_and_said(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as second,
        proxy(anvil.url) as third,
        a_sweeping_world(pool, anvil, [anvil.url, second.url, third.url]) as world,
    ):
        payment = await world.paid(ETHER)
        await second.plays(DENIES)
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        assert "endpoint 2 of 3 does not: it shows that the transaction failed" in world.doubted[-1]
        assert world.doubted[-1].endswith("it is final by the word of most")
        assert await world.why() == "", "the sweep has nothing to say of it"
        world.clock.move(seconds=601)
        await world.follower.run_once()
        assert world.doubted[-1] == ""


async def test_it_is_asked_about_now_and_then_and_not_every_pass(pool: Pool, anvil: Anvil) -> None:
    async with (
        proxy(anvil.url) as second,
        a_sweeping_world(pool, anvil, [anvil.url, second.url]) as world,
    ):
        await world.paid(ETHER)
        await second.plays(DENIES)
        await world.settle()
        before = second.methods[RECEIPT]
        for _ in range(5):
            await world.follower.run_once()
        assert second.methods[RECEIPT] <= before + 1
        assert await world.states() == ["mined"]


async def test_where_the_second_endpoint_is_down_the_first_is_enough(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as second,
        a_sweeping_world(pool, anvil, [anvil.url, second.url]) as world,
    ):
        payment = await world.paid(ETHER)
        await second.plays("503")
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)


async def test_a_batch_is_looked_at_again_as_a_whole(pool: Pool, anvil: Anvil) -> None:
    async with (
        proxy(anvil.url) as second,
        a_batching_world(pool, anvil, [anvil.url, second.url]) as world,
    ):
        payments = await paid_at_once(world, 2)
        await second.plays(DENIES)
        await world.settle()
        assert await world.states() == ["mined", "mined"]
        second.calms()
        await world.settle(6)
        assert await all_settled(world, payments)
