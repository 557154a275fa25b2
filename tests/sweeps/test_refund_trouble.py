"""What keeps a refund from being paid is said with its remedy; it is paid once all the same."""

from datetime import timedelta
from typing import Final

from ctrip.core.ids import raw
from ctrip.core.payment import Payment
from ctrip.core.refund import TRIES_MAX, WAIT_MAX
from ctrip.core.sending import REPRICE_AFTER
from ctrip.core.sweep import LOOK_AGAIN, TRY_AGAIN_MIN
from ctrip.flows.health import settling
from ctrip.store import refunds, sweeps
from ctrip.store.pool import Pool, connection
from tests.support.anvil import INVALID, Anvil
from tests.sweeps.refunding import BROKE, REFUNDED, RefundingWorld, a_refunding_world, refunding

ETHER: Final = 10**18
GWEI: Final = 10**9


async def asked(world: RefundingWorld, amount: int = ETHER, *, in_tokens: bool = False) -> Payment:
    """Let a payment be paid, and ask for all of it back."""
    payment = await world.paid(amount, in_tokens=in_tokens)
    await world.look()
    await world.refund(payment)
    return payment


async def test_an_empty_payout_wallet_is_told_and_filled_by_whoever_reads_it(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil, purse=BROKE) as world:
        payment = await asked(world)
        await world.settle(2)
        assert await world.states() == ["queued"]
        says = f"the payout wallet {world.wallet} can spend 0 of native and {ETHER} are needed"
        assert says in await world.why()
        async with connection(pool) as conn:
            money = await sweeps.summary(conn, reasons_max=5)
            back = await refunds.summary(conn, reasons_max=5)
        part = settling({}, money, back, {})
        assert part.refunds_open == 1
        assert says in part.warning
        await anvil.set_balance(world.wallet, 2 * ETHER)
        world.clock.move(seconds=LOOK_AGAIN.total_seconds())
        await world.settle(4)
        assert await world.states() == ["final"]
        assert await world.refunded(payment) == (ETHER, 1)


async def test_a_token_without_coin_for_its_gas_waits_for_coin(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil, purse=5) as world:
        payment = await asked(world, 70, in_tokens=True)
        await world.settle(2)
        assert "can spend 5 wei and" in await world.why()
        await anvil.set_balance(world.wallet, ETHER)
        world.clock.move(seconds=LOOK_AGAIN.total_seconds())
        await world.settle(4)
        assert await world.balance(REFUNDED, payment.asset) == 70


async def test_money_that_is_promised_pays_no_second_refund(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil, purse=ETHER) as world:
        one, other = [await world.paid(6 * ETHER // 10) for _ in range(2)]
        await world.look()
        for payment in (one, other):
            await world.refund(payment)
        await world.look()
        assert sorted(await world.states()) == ["queued", "sent"]
        assert "are needed" in await world.why()
        await world.settle(3)
        assert await world.balance(REFUNDED) == 6 * ETHER // 10


async def test_one_that_nobody_pays_for_is_given_up_and_may_be_asked_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil, purse=BROKE) as world:
        payment = await asked(world)
        await world.refunder.run_once()
        world.clock.move(seconds=(WAIT_MAX + timedelta(minutes=1)).total_seconds())
        await world.refunder.run_once()
        assert await world.states() == ["failed"]
        assert "it waited for 7 days" in await world.why()
        assert (await world.now(payment)).amount_given_back == 0
        await anvil.set_balance(world.wallet, 2 * ETHER)
        await world.refund(payment)
        await world.settle(4)
        assert await world.states() == ["failed", "final"]
        assert await world.balance(REFUNDED) == ETHER


async def test_an_address_that_refuses_coin_costs_nothing_and_ends(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        await anvil.rpc("anvil_setCode", REFUNDED, INVALID)
        payment = await asked(world)
        for _ in range(TRIES_MAX):
            await world.refunder.run_once()
            world.clock.move(seconds=16 * TRY_AGAIN_MIN.total_seconds())
        assert await world.states() == ["failed"]
        assert "it would fail" in await world.why()
        assert await world.sendings() == []
        assert (await world.now(payment)).amount_given_back == 0


async def test_an_address_that_refuses_only_once_it_is_mined_costs_gas_once_and_ends(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await asked(world)
        await world.look()
        await anvil.rpc("anvil_setCode", REFUNDED, INVALID)
        await world.mine()
        await world.look()
        assert await world.states() == ["stuck"]
        await world.settle(4)
        assert await world.states() == ["failed"]
        assert "was mined and failed" in await world.why()
        assert [row["state"] for row in await world.sendings()] == ["failed"]
        assert await world.refunded(payment) == (0, 0)
        assert (await world.now(payment)).amount_given_back == 0


async def test_a_node_that_lost_its_pool_is_shown_the_same_bytes_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await asked(world)
        await world.look()
        await anvil.rpc("anvil_dropAllTransactions")
        await world.look()
        await world.settle(4)
        assert await world.refunded(payment) == (ETHER, 1)
        assert await world.balance(REFUNDED) == ETHER
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(1,)]


async def test_a_reorg_that_drops_a_refund_brings_it_back_and_it_is_told_once(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await asked(world)
        await world.look()
        await world.mine()
        await world.look()
        assert (await world.states(), await world.refunded(payment)) == (["mined"], (ETHER, 1))
        await anvil.reorg(1)
        await world.look()
        assert (await world.states(), await world.refunded(payment)) == (["sent"], (0, 1))
        await world.settle(4)
        assert (await world.states(), await world.refunded(payment)) == (["final"], (ETHER, 1))
        assert await world.balance(REFUNDED) == ETHER
        assert await world.rows("SELECT count(*) AS n FROM sendings") == [(1,)]


async def test_money_that_a_reorg_took_back_is_not_refunded_until_it_is_there_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil, purse=BROKE) as world:
        payment = await world.create(ETHER)
        await world.mine(2)
        await anvil.send(raw(payment.address), ETHER)
        await world.mine(2)
        await world.look()
        await world.refund(payment)
        await anvil.reorg(2)
        await anvil.set_balance(world.wallet, 2 * ETHER)
        world.clock.move(seconds=LOOK_AGAIN.total_seconds())
        await world.settle(2)
        assert await world.sendings() == []
        assert "a reorg took back" in await world.why()


async def test_a_refund_that_is_outbid_offers_more_and_pays_the_same(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await asked(world)
        await world.look()
        for _ in range(int(REPRICE_AFTER.total_seconds()) // 12 + 2):
            await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
            await world.mine()
        await world.look()
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(2,)]
        await world.settle(5)
        assert await world.refunded(payment) == (ETHER, 1)
        assert await world.balance(REFUNDED) == ETHER


async def test_gas_above_the_ceiling_is_waited_out(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil, chain=refunding(gas_price_max=1)) as world:
        await asked(world)
        await world.look()
        assert await world.states() == ["queued"]
        assert "gas_price_max_gwei" in await world.why()


async def test_a_nonce_that_another_program_took_is_let_go_and_the_refund_paid_once(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await asked(world)
        await world.look()
        await anvil.rpc("anvil_dropAllTransactions")
        await anvil.rpc("anvil_impersonateAccount", world.wallet)
        await anvil.send(raw(payment.address), 1, sender=world.wallet)
        await world.mine()
        await world.settle(12)
        states = [row["state"] for row in await world.sendings()]
        assert states == ["taken", "mined"]
        assert await world.balance(REFUNDED) == ETHER
        assert (await world.refunded(payment)) == (ETHER, 1)
