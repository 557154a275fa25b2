"""Tokens of many addresses reach the treasury in one transaction of the gas wallet."""

from typing import Final

from msgspec.structs import replace

from ctrip.core.chains import GAS_PRICE_MAX, Token
from ctrip.core.fees import cost, price
from ctrip.core.ids import Asset, raw
from ctrip.core.payment import Status
from ctrip.core.sending import REPRICE_AFTER
from ctrip.core.sweep import TRY_AGAIN_MIN
from ctrip.flows.reconcile import reconcile
from ctrip.store import ledger
from ctrip.store.pool import Pool, connection
from ctrip.wallet.derive import checksum
from tests.support.anvil import Anvil
from tests.support.builders import CHAIN, CHAIN_ID
from tests.support.token_contracts import Contract, deploy
from tests.sweeps.batching import a_batching_world, all_settled, paid_at_once, parts, purposes
from tests.sweeps.test_trouble import GWEI, SPIKE, next_base_fee
from tests.sweeps.world import PURSE, TREASURY, swept
from tests.wild.world import USD, WHOLE_WAY

DOLLARS: Final = Asset(USD)


async def test_many_payments_are_settled_by_one_transaction(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 5)
        await world.settle()
        for payment in payments:
            await world.shows(payment, 70, *WHOLE_WAY)
        assert await world.treasury(DOLLARS) == 5 * 70
        assert await purposes(world) == [("batch", "mined")]
        [batch] = await world.sendings()
        assert await world.balance(world.signer.gas_address) == PURSE - batch["fee"]
        assert await world.states() == ["final"] * 5
        moved = await world.rows("SELECT amount FROM sending_moves ORDER BY amount")
        assert [row["amount"] for row in moved] == [-70] * 5 + [350]


async def test_a_payment_is_paid_when_its_batch_is_mined(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        [payment] = await paid_at_once(world, 1)
        await world.look()
        assert await world.states() == ["sent"]
        await world.mine()
        await world.look()
        now = await world.now(payment)
        assert now.status is Status.PAID
        assert now.transfers[0].swept_in == await world.height()
        assert now.transfers[0].swept_by == (await world.sendings())[-1]["tx_hash"]


async def test_an_address_that_is_paid_again_authorizes_nothing_again(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        [payment] = await paid_at_once(world, 1)
        await world.settle()
        await anvil.mint(USD, raw(payment.address), 7)
        await world.mine(3)
        await world.settle()
        assert await world.treasury(DOLLARS) == 77
        assert sorted(row["nonce"] is None for row in await parts(world)) == [False, True]
        assert await purposes(world) == [("batch", "mined")] * 2


async def test_the_books_of_batches_agree_with_the_chain(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        first = await paid_at_once(world, 3)
        await world.paid(10**18)
        await world.settle()
        await anvil.mint(USD, raw(first[0].address), 7)
        await world.mine(3)
        await world.settle()
        client = world._client  # noqa: SLF001  what it reads by
        done = await reconcile(world.chain, client, pool, world.clock)
        assert (done.differences, done.uncompared, done.under_way) == ([], "", 0)
        async with connection(pool) as conn:
            account = f"treasury:{TREASURY}"
            booked = await ledger.of_account(conn, account, world.chain.name, DOLLARS)
        assert booked == await world.treasury(DOLLARS) == 3 * 70 + 7


async def test_coin_pays_for_itself_and_joins_no_batch(pool: Pool, anvil: Anvil) -> None:
    async with a_batching_world(pool, anvil) as world:
        await paid_at_once(world, 2)
        await world.paid(10**18)
        await world.settle()
        assert sorted(await purposes(world)) == [("batch", "mined"), ("sweep", "mined")]
        assert await world.states() == ["final"] * 3


async def test_a_token_and_coin_on_one_address_go_one_after_the_other(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        [payment] = await paid_at_once(world, 1)
        await anvil.send(raw(payment.address), 10**12)
        await world.mine(3)
        await world.settle(4)
        await anvil.send(raw(payment.address), 10**18)
        await world.mine(3)
        await world.settle()
        assert await world.treasury(DOLLARS) == 70
        assert await world.treasury() > 0, "a delegated address sends coin by itself as before"
        assert await world.states() == ["final"] * 2


async def test_without_the_contract_tokens_are_swept_one_by_one_and_health_says_why(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil, deployed=False) as world:
        payments = await paid_at_once(world, 2)
        await world.settle()
        assert await all_settled(world, payments)
        assert sorted(await purposes(world)) == [("fuel", "mined")] * 2 + [("sweep", "mined")] * 2
        assert "no contract is at 0x" in world.warned[-1]


async def a_world_with_tether(anvil: Anvil) -> tuple[Contract, Token]:
    tether = await deploy(anvil, "TetherToken")
    contract = checksum(tether.address)
    return tether, Token(chain=CHAIN, chain_id=CHAIN_ID, contract=contract, symbol="T", decimals=6)


async def test_one_that_is_blacklisted_on_the_way_is_kept_and_goes_alone_later(
    pool: Pool, anvil: Anvil
) -> None:
    tether, token = await a_world_with_tether(anvil)
    chain = replace(swept(batch=True), tokens=(token,))
    async with a_batching_world(pool, anvil, chain=chain) as world:
        payments = [await world.create(70, token_id=token.id) for _ in range(3)]
        for payment in payments:
            await tether.send("mint(address,uint256)", payment.address, 70)
        await world.mine(3)
        await world.look()
        banned, *others = payments
        await anvil.rpc("anvil_dropAllTransactions")
        await tether.send("addBlackList(address)", banned.address)
        await world.mine()
        await world.look()
        await world.settle(4)
        assert await all_settled(world, others)
        assert (await world.now(banned)).status is Status.CONFIRMED
        assert sorted(await world.states()) == ["final", "final", "stuck"]
        assert [row["kept"] for row in await parts(world)].count(True) == 1
        assert await world.treasury(token.asset) == 2 * 70


async def test_what_a_batch_did_not_move_is_tried_again_once_that_is_final(
    pool: Pool, anvil: Anvil
) -> None:
    tether, token = await a_world_with_tether(anvil)
    chain = replace(swept(batch=True), tokens=(token,))
    async with a_batching_world(pool, anvil, chain=chain) as world:
        payments = [await world.create(70, token_id=token.id) for _ in range(2)]
        for payment in payments:
            await tether.send("mint(address,uint256)", payment.address, 70)
        await world.mine(3)
        await world.look()
        await anvil.rpc("anvil_dropAllTransactions")
        await tether.send("pause()")
        await world.mine()
        await world.look()
        await world.mine()
        await world.look()
        assert await world.states() == ["sent", "sent"], "a reorg may still let it move"
        await tether.send("unpause()")
        await world.settle(3)
        assert await world.states() == ["stuck", "stuck"]
        world.clock.move(seconds=2 * TRY_AGAIN_MIN.total_seconds())
        await world.settle()
        assert await all_settled(world, payments)
        assert await world.treasury(token.asset) == 2 * 70
        assert sorted(one for one, _ in await purposes(world)) == [
            *("batch", "fuel", "fuel", "sweep", "sweep")
        ]


async def test_a_batch_that_is_outbid_offers_more_with_the_same_authorizations(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 3)
        await world.look()
        for _ in range(int(REPRICE_AFTER.total_seconds()) // 12 + 2):
            await next_base_fee(world, SPIKE * GWEI)
        await world.look()
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(2,)]
        await next_base_fee(world, SPIKE * GWEI)
        await world.settle(6)
        assert await all_settled(world, payments)
        assert await world.treasury(DOLLARS) == 3 * 70


async def test_a_reorg_that_drops_a_batch_brings_all_of_it_back_once(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 3)
        await world.look()
        await world.mine()
        await world.look()
        assert await world.states() == ["mined"] * 3
        await anvil.reorg(1)
        await world.look()
        assert await world.states() == ["sent"] * 3
        assert (await world.now(payments[0])).transfers[0].swept_in is None
        await world.settle()
        assert await all_settled(world, payments)
        assert await purposes(world) == [("batch", "mined")]


async def test_a_batch_where_no_contract_is_any_more_has_moved_nothing(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 2)
        await world.look()
        [batch] = await world.sendings()
        code = await anvil.rpc("eth_getCode", batch["recipient"], "latest")
        await anvil.rpc("anvil_setCode", batch["recipient"], "0x")
        await world.mine()
        await anvil.rpc("anvil_setCode", batch["recipient"], code)
        await world.settle(4)
        assert [row["kept"] for row in await parts(world)] == [True, True]
        world.clock.move(seconds=2 * TRY_AGAIN_MIN.total_seconds())
        await world.settle()
        assert await all_settled(world, payments)
        assert await world.treasury(DOLLARS) == 2 * 70


async def test_a_gas_wallet_that_cannot_pay_for_a_batch_is_told(pool: Pool, anvil: Anvil) -> None:
    """A batch of one needs more at once than a top-up, and takes less in the end."""
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 1)
        offered = price(await world.client.transactor().market(), max_fee_ceiling=GAS_PRICE_MAX)
        assert offered is not None
        await anvil.set_balance(world.signer.gas_address, cost(offered, 90_000))
        await world.look()
        assert await world.states() == ["queued"]
        assert "are needed: send it coin" in await world.why()
        assert await world.sendings() == []
        await anvil.set_balance(world.signer.gas_address, PURSE)
        await world.settle()
        assert await all_settled(world, payments)
        assert await purposes(world) == [("batch", "mined")]


async def test_what_the_gas_wallet_can_pay_for_goes_and_the_rest_waits(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_batching_world(pool, anvil) as world:
        payments = await paid_at_once(world, 5)
        await anvil.set_balance(world.signer.gas_address, 3 * 10**14)
        await world.look()
        assert {*await world.states()} == {"queued", "sent"}
        assert "send it coin" in await world.why()
        await anvil.set_balance(world.signer.gas_address, PURSE)
        await world.settle()
        assert await all_settled(world, payments)
