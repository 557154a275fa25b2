"""Where payments come one by one, batches wait for company, and say so."""

from datetime import timedelta
from typing import Final

from ctrip.chain.market import BLOCKS
from ctrip.core.chains import Chain
from ctrip.core.payment import Status
from ctrip.store import sweeps as store
from ctrip.store.pool import Pool, connection
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import Fault, Json, each, with_result
from tests.support.rpc_proxy import proxy
from tests.sweeps.batching import a_batching_world, all_settled, paid_at_once, parts, purposes
from tests.sweeps.world import SweepingWorld, swept

WINDOW_SECONDS: Final = 3600
DEAR: Final = 50 * 10**9  # wei
CHEAP: Final = 10**7


def no_history(call: Json, reply: Json) -> Json:
    is_long = call["method"] == "eth_feeHistory" and int(call["params"][0], 16) > BLOCKS
    return with_result(reply, "none") if is_long else reply


NO_HISTORY: Final = Fault(
    name="no history of fees",
    happens="What it tells of the last hour is none.",
    answered="Nothing is cheap by it.",
    play=each(no_history),
)


def waiting(window_seconds: int = WINDOW_SECONDS) -> Chain:
    return swept(batch=True, batch_window_seconds=window_seconds)


async def ask_for(world: SweepingWorld, base_fee: int) -> None:
    """Let the next block ask for so much; each empty one after it asks for an eighth less."""
    await world.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
    await world.mine()


async def test_one_waits_for_others_and_says_until_when(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        first = await paid_at_once(world, 1)
        await ask_for(world, DEAR)
        await world.look()
        [one] = await world.sweeps()
        until = one["created_at"] + timedelta(seconds=WINDOW_SECONDS)
        assert one["due_at"] == until
        assert f"it waits until {until:%Y-%m-%dT%H:%M:%SZ} for others of its token" in one["why"]
        second = await paid_at_once(world, 2)
        await world.settle(3)
        assert await world.sendings() == []
        assert {row["due_at"] for row in await world.sweeps()} == {until}, "of the oldest"
        world.clock.move(seconds=WINDOW_SECONDS)
        await world.settle()
        assert await purposes(world) == [("batch", "mined")]
        assert await all_settled(world, first + second)


async def test_waiting_is_no_warning_and_asks_the_chain_nothing_of_an_address(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        await paid_at_once(world, 1)
        await ask_for(world, DEAR)
        await world.look()
        async with connection(pool) as conn:
            summary = await store.summary(conn, reasons_max=3)
            assert (summary.open, summary.reasons) == (1, [])
            due = await store.due(conn, world.chain.name, world.clock.now(), count_max=9)
        assert due == []


async def test_coin_of_the_same_address_does_not_wait(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        await paid_at_once(world, 1)
        await ask_for(world, DEAR)
        await world.look()
        payment = await world.paid(10**18)
        await world.settle(8)
        assert (await world.now(payment)).status is Status.SETTLED
        assert await world.states() == ["queued", "final"]


async def test_who_makes_it_enough_goes_with_those_that_were_here_before(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        world.sweeper.batches.company.parts_max = 3
        payments = await paid_at_once(world, 2)
        await ask_for(world, DEAR)
        await world.look()
        assert await world.sendings() == []
        payments += await paid_at_once(world, 1)
        await ask_for(world, DEAR)
        await world.look()
        await world.settle()
        assert len(await parts(world)) == 3
        assert await purposes(world) == [("batch", "mined")]
        assert await all_settled(world, payments)


async def test_when_gas_is_cheap_they_go(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        payments = await paid_at_once(world, 2)
        await ask_for(world, DEAR)
        await world.look()
        assert await world.sendings() == []
        await ask_for(world, CHEAP)
        world.clock.move(seconds=60)
        await world.settle()
        assert await purposes(world) == [("batch", "mined")]
        assert await all_settled(world, payments)


async def test_whoever_tells_no_history_of_fees_holds_up_nothing_else(
    pool: Pool, anvil: Anvil
) -> None:
    async with (
        proxy(anvil.url) as node,
        a_batching_world(pool, anvil, [node.url], chain=waiting()) as world,
    ):
        await node.plays(NO_HISTORY)
        await paid_at_once(world, 1)
        payment = await world.paid(10**18)
        await world.settle(8)
        assert node.played
        assert (await world.now(payment)).status is Status.SETTLED
        assert sorted(await world.states()) == ["final", "queued"]
        world.clock.move(seconds=60)
        await world.sweeper.run_once()


async def test_who_waited_goes_on_once_nobody_waits_any_more(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil, chain=waiting()) as world:
        payments = await paid_at_once(world, 1)
        await ask_for(world, DEAR)
        await world.look()
        await world.configure(waiting(0))
        await world.settle()
        assert await all_settled(world, payments)
