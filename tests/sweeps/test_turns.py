"""More transactions under way than one pass looks at."""

from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.sweeps.world import SweepingWorld, a_sweeping_world
from tests.wild.world import WHOLE_WAY

ETHER = 10**18


async def in_pool(anvil: Anvil) -> int:
    return int((await anvil.rpc("txpool_status"))["pending"], 16)


async def lost(world: SweepingWorld, count: int) -> None:
    """Have so many sweeps under way that no node has any more."""
    for _ in range(count):
        await world.paid(ETHER)
    await world.look()
    assert await world.states() == ["sent"] * count
    await world.anvil.rpc("anvil_dropAllTransactions")


async def test_passes_take_turns_so_that_each_is_looked_at(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        await lost(world, 3)
        world.follower.sendings_max = 1
        for shown in (1, 2, 3, 3):
            await world.follower.run_once()
            assert await in_pool(anvil) == shown


async def test_the_first_ones_turn_comes_again_though_the_last_page_was_full(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        await lost(world, 2)
        world.follower.sendings_max = 2
        for _ in range(2):
            await world.follower.run_once()
            assert await in_pool(anvil) == 2
            await anvil.rpc("anvil_dropAllTransactions")


async def test_all_arrive_though_a_pass_takes_few_of_them(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        world.follower.sendings_max = 2
        payments = [await world.paid(ETHER) for _ in range(3)]
        payments.append(await world.paid(70, in_tokens=True))
        await world.settle(16)
        for payment in payments:
            await world.shows(payment, payment.amount, *WHOLE_WAY)
