"""What keeps money from moving is said with its remedy; once that is done all goes on by itself."""

from typing import Final

from msgspec.structs import replace

from ctrip.core.chains import Token
from ctrip.core.ids import Amount, raw
from ctrip.core.payment import Status
from ctrip.core.sending import REPRICE_AFTER
from ctrip.core.sweep import TRY_AGAIN_MIN
from ctrip.store.pool import Pool
from ctrip.wallet.derive import checksum
from tests.support.anvil import INVALID, Anvil
from tests.support.builders import CHAIN, CHAIN_ID
from tests.support.token_contracts import deploy
from tests.sweeps.world import PURSE, TREASURY, SweepingWorld, a_sweeping_world, swept
from tests.wild.world import WHOLE_WAY

ETHER: Final = 10**18
GWEI: Final = 10**9
SPIKE: Final = 20
HOLD: Final = "INSERT INTO holds VALUES ($1, $2, 'one wei is missing', now())"


async def base_fee(world: SweepingWorld) -> int:
    return int((await world.block(await world.height()))["baseFeePerGas"], 16)


async def next_base_fee(world: SweepingWorld, wei: int) -> None:
    await world.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
    await world.mine()


async def test_gas_above_the_ceiling_is_waited_out(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil, chain=swept(gas_price_max=3 * GWEI)) as world:
        payment = await world.paid(ETHER)
        await next_base_fee(world, SPIKE * GWEI)
        await world.look()
        assert await world.states() == ["queued"]
        assert "gas_price_max_gwei" in await world.why()
        await next_base_fee(world, GWEI)
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)


async def test_gas_that_rises_after_a_top_up_is_waited_out_and_nothing_is_topped_up_twice(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.pass_by()
        await next_base_fee(world, SPIKE * GWEI)
        await world.look()
        await world.look()
        assert await world.states() == ["fuelled"]
        assert "it goes on when gas is cheaper" in await world.why()
        while await base_fee(world) > GWEI:
            await next_base_fee(world, await base_fee(world) // 2)
        await world.settle()
        assert (await world.now(payment)).status is Status.SETTLED
        assert [row["purpose"] for row in await world.sendings()] == ["fuel", "sweep"]


async def test_a_transaction_that_is_outbid_offers_more_of_what_it_takes_off_the_address(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        dear = SPIKE * GWEI
        for _ in range(int(REPRICE_AFTER.total_seconds()) // 12 + 2):
            await next_base_fee(world, dear)
        await world.look()
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(2,)]
        await next_base_fee(world, dear)
        await world.settle(6)
        await world.shows(payment, ETHER, *WHOLE_WAY)
        [sending] = await world.sendings()
        left = await world.balance(raw(payment.address))
        assert await world.treasury() == sending["amount"] == ETHER - sending["fee"] - left


async def test_a_treasury_that_refuses_coin_is_told_and_tried_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        await anvil.rpc("anvil_setCode", TREASURY, INVALID)
        payment = await world.paid(ETHER)
        await world.settle(2)
        assert await world.states() == ["stuck"]
        assert "it would fail" in await world.why()
        assert await world.sendings() == []
        await anvil.rpc("anvil_setCode", TREASURY, "0x")
        world.clock.move(seconds=4 * TRY_AGAIN_MIN.total_seconds())
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)


async def test_a_treasury_that_refuses_only_once_it_is_mined_costs_gas_once(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        await anvil.rpc("anvil_setCode", TREASURY, INVALID)
        await world.mine()
        await world.look()
        assert await world.states() == ["stuck"]
        assert "was mined and failed" in await world.why()
        assert [row["state"] for row in await world.sendings()] == ["failed"]
        await world.settle(3)
        assert len(await world.sendings()) == 1, "its next try is refused before it is sent"
        await anvil.rpc("anvil_setCode", TREASURY, "0x")
        world.clock.move(seconds=8 * TRY_AGAIN_MIN.total_seconds())
        await world.settle()
        assert (await world.now(payment)).status is Status.SETTLED
        assert await world.states() == ["final"]


async def test_a_deposit_that_a_token_blacklists_is_stuck_and_others_go_on(
    pool: Pool, anvil: Anvil
) -> None:
    tether = await deploy(anvil, "TetherToken")
    token = Token(
        chain=CHAIN, chain_id=CHAIN_ID, contract=checksum(tether.address), symbol="T", decimals=6
    )
    async with a_sweeping_world(pool, anvil, chain=replace(swept(), tokens=(token,))) as world:
        banned, other = [await world.create(70, token_id=token.id) for _ in range(2)]
        for payment in (banned, other):
            await tether.send("mint(address,uint256)", payment.address, 70)
        await tether.send("addBlackList(address)", banned.address)
        await world.mine(3)
        await world.settle()
        assert (await world.now(other)).status is Status.SETTLED
        assert (await world.now(banned)).status is Status.CONFIRMED
        assert sorted(await world.states()) == ["final", "stuck"]
        assert "it would fail" in await world.why()
        assert len(await world.sendings()) == 2, "no gas for what would fail"


async def test_an_empty_gas_wallet_is_told_and_filled_by_whoever_reads_it(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        await anvil.set_balance(world.signer.gas_address, 5)
        payment = await world.paid(70, in_tokens=True)
        await world.settle(2)
        assert await world.states() == ["queued"]
        assert "the gas wallet can spend 5 wei" in await world.why()
        await anvil.set_balance(world.signer.gas_address, PURSE)
        await world.settle()
        assert (await world.now(payment)).status is Status.SETTLED


async def test_dust_stays_where_it_is_until_there_is_more(pool: Pool, anvil: Anvil) -> None:
    terms = replace(swept().coin_terms, sweep_min=Amount(1_000))
    chain = replace(swept(), coin_terms=terms)
    async with a_sweeping_world(pool, anvil, chain=chain) as world:
        payment = await world.paid(999)
        await world.settle(2)
        assert (await world.now(payment)).status is Status.CONFIRMED
        assert "sweep_min" in await world.why()
        await anvil.send(raw(payment.address), ETHER)
        await world.settle()
        assert (await world.now(payment)).status is Status.SETTLED


async def test_a_node_that_lost_its_pool_is_shown_the_same_bytes_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        await anvil.rpc("anvil_dropAllTransactions")
        await world.look()
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(1,)]


async def test_a_reorg_that_drops_a_sweep_brings_it_back_once(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        await world.mine()
        await world.look()
        assert await world.states() == ["mined"]
        await anvil.reorg(1)
        await world.look()
        assert await world.states() == ["sent"]
        assert (await world.now(payment)).transfers[0].swept_in is None
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        assert await world.rows("SELECT count(*) AS n FROM sendings") == [(1,)]


async def test_money_that_was_moved_by_hand_is_an_alarm_and_not_a_loop(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await anvil.rpc("anvil_setBalance", payment.address, "0x0")
        await world.settle(4)
        assert await world.states() == ["stuck"]
        assert "drop this sweep" in await world.why()
        assert await world.sendings() == []


async def test_a_deposit_that_a_reorg_took_back_is_not_swept(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil, chain=swept(gas_price_max=1)) as world:
        payment = await world.create(ETHER)
        await world.mine(2)
        await anvil.send(raw(payment.address), ETHER)
        await world.mine(2)
        await world.look()
        assert await world.states() == ["queued"]
        await anvil.reorg(2)
        await world.look()
        world.clock.move(seconds=60)
        await world.settle(2)
        assert await world.states() == ["dropped"]
        assert (await world.now(payment)).status is Status.FAILED


async def test_nothing_moves_of_an_asset_whose_books_differ(pool: Pool, anvil: Anvil) -> None:
    async with a_sweeping_world(pool, anvil) as world:
        await pool.execute(HOLD, CHAIN, "native")
        coin, token = await world.paid(ETHER), await world.paid(70, in_tokens=True)
        await world.settle()
        assert (await world.now(coin)).status is Status.CONFIRMED
        assert (await world.now(token)).status is Status.SETTLED
        assert "until the books are in order: one wei is missing" in await world.why()
        await pool.execute("DELETE FROM holds")
        world.clock.move(seconds=60)
        await world.settle()
        assert (await world.now(coin)).status is Status.SETTLED
