"""Deposits reach the treasury, and payments say so."""

from ctrip.core.ids import NATIVE, raw
from ctrip.core.payment import Status
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.sweeps.world import PURSE, a_sweeping_world
from tests.wild.world import USD, WHOLE_WAY

ETHER = 10**18


async def test_coin_goes_to_the_treasury_and_the_payment_is_settled(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        [sending] = await world.sendings()
        left = await world.balance(raw(payment.address))
        assert await world.treasury() == sending["amount"]
        assert sending["amount"] + sending["fee"] + left == ETHER
        assert left < sending["fee"], "what is left is what gas turned out cheaper"
        assert await world.states() == ["final"]


async def test_a_token_gets_its_gas_first_and_all_of_it_goes(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.settle()
        await world.shows(payment, 70, *WHOLE_WAY)
        assert await world.treasury(payment.asset) == 70
        fuel, move = await world.sendings()
        assert [fuel["purpose"], move["purpose"]] == ["fuel", "sweep"]
        spent = PURSE - await world.balance(world.signer.gas_address)
        assert spent == fuel["amount"] + fuel["fee"]
        assert await world.balance(raw(payment.address)) == fuel["amount"] - move["fee"]


async def test_a_payment_is_confirmed_before_and_paid_when_its_sweep_is_mined(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        assert (await world.now(payment)).status is Status.CONFIRMED
        await world.mine()
        await world.look()
        assert (await world.now(payment)).status is Status.PAID
        now = await world.now(payment)
        assert now.transfers[0].swept_in == await world.height()
        assert now.transfers[0].swept_by == (await world.sendings())[-1]["tx_hash"]


async def test_money_in_parts_and_too_much_goes_in_one_sweep_for_each_asset(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.create(ETHER)
        for part in (ETHER // 4, ETHER):
            await anvil.send(raw(payment.address), part)
        await anvil.mint(USD, raw(payment.address), 5)
        await world.mine(3)
        await world.settle(20)
        assert await world.states() == ["final", "final"]
        assert await world.treasury(USD) == 5  # type: ignore[arg-type]
        assert await world.treasury(NATIVE) > ETHER
        now = await world.now(payment)
        assert now.status is Status.SETTLED
        assert all(transfer.swept_in for transfer in now.transfers)
