"""What happens between a decision and its writing, in another process or on the chain."""

from collections.abc import Awaitable, Callable
from typing import Final

from ctrip.core.ids import RawAddress, raw
from ctrip.flows.refund import Refunder
from ctrip.store import reconciliations
from ctrip.store.pool import Pool, connection
from tests.support.anvil import Anvil
from tests.sweeps.refunding import REFUNDED, TOKENS, RefundingWorld, a_refunding_world
from tests.wild.world import USD

ETHER: Final = 10**18


class Interrupted(Refunder):
    """A refunder that has decided, and before whose next step something happens."""

    meanwhile: Callable[[], Awaitable[object]]

    async def next_nonce(self, sender: RawAddress) -> int:
        await self.meanwhile()
        return await super().next_nonce(sender)


def interrupted(world: RefundingWorld, meanwhile: Callable[[], Awaitable[object]]) -> Interrupted:
    found = Interrupted(
        world.chain,
        world.client.transactor(),
        world.pool,
        world.clock,
        world.news,
        world.signer,
    )
    found.meanwhile = meanwhile
    return found


async def test_of_two_processes_that_decide_at_once_one_pays(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(100)
        await world.look()
        await world.refund(payment)
        await interrupted(world, world.refunder.run_once).run_once()
        await world.settle(3)
        assert [row["nonce"] for row in await world.sendings()] == [0]
        assert await world.balance(REFUNDED) == 100


async def test_what_a_reorg_takes_after_the_decision_is_not_paid(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.create(ETHER)
        await world.mine(2)
        await anvil.send(raw(payment.address), ETHER)
        await world.mine(2)
        await world.look()
        await world.refund(payment)

        async def reorged() -> None:
            await anvil.reorg(2)
            await world.watch()

        await interrupted(world, reorged).run_once()
        assert (await world.now(payment)).amount_received == 0
        assert await world.sendings() == []


async def test_tokens_that_are_promised_pay_no_second_refund(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        most = TOKENS // 2 + 1
        for payment in [await world.paid(most, in_tokens=True) for _ in range(2)]:
            await world.look()
            await world.refund(payment)
        await world.refunder.run_once()
        assert sorted(await world.states()) == ["queued", "sent"]
        assert f"can spend {TOKENS - most} of {USD} and {most} are needed" in await world.why()


async def test_nothing_goes_back_of_an_asset_whose_books_differ(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.look()
        await world.refund(payment)
        name, now = world.chain.name, world.clock.now()
        async with connection(pool) as conn:
            held = {payment.asset: "7 are missing"}
            await reconciliations.hold_assets(conn, name, held, lift=True, now=now)
        await world.refunder.run_once()
        assert await world.sendings() == []
        assert "until the books are in order: 7 are missing" in await world.why()
        async with connection(pool) as conn:
            await reconciliations.hold_assets(conn, name, {}, lift=True, now=now)
        world.clock.move(seconds=60)
        await world.settle(3)
        assert await world.balance(REFUNDED, payment.asset) == 70
