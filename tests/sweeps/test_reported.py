"""What others met who send: each test is named after what happened to them."""

from typing import Final

from ctrip.core.ids import raw
from ctrip.core.payment import Status
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.support.rollup import L1_BASE_FEE, deploy_oracle, pool_at, rollup
from tests.sweeps.world import SETTLED_WITHIN, TREASURY, a_sweeping_world
from tests.wild.world import WHOLE_WAY

ETHER: Final = 10**18
KEEPS_BOOKS: Final = "0x344355"  # sstore(number(), callvalue())


async def test_all_coin_of_an_address_is_sent_on_a_rollup_that_charges_for_bytes(
    pool: Pool, anvil: Anvil
) -> None:
    """optimism 2834, vultisig 5019: accepted, hashed, and never mined, short by some wei."""
    async with rollup(anvil) as node, a_sweeping_world(pool, anvil, [node.url]) as world:
        coin, token = await world.paid(ETHER), await world.paid(70, in_tokens=True)
        await world.settle()
        await world.shows(coin, ETHER, *WHOLE_WAY)
        await world.shows(token, 70, *WHOLE_WAY)


async def test_the_fee_for_bytes_rises_between_the_signature_and_the_pool(
    pool: Pool, anvil: Anvil
) -> None:
    """oisy 13944: a second look at the fee, 0.34 % higher, and the transaction is dead."""
    async with rollup(anvil) as node, a_sweeping_world(pool, anvil, [node.url]) as world:
        await node.plays(pool_at(3 * L1_BASE_FEE))
        payment = await world.paid(ETHER)
        await world.pass_by()
        assert "nodes refuse it: insufficient funds" in await world.why()
        await deploy_oracle(anvil, base_fee=3 * L1_BASE_FEE)
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        [sending] = await world.sendings()
        assert sending["nonce"] == 0


async def test_a_treasury_takes_more_gas_than_a_plain_transfer(pool: Pool, anvil: Anvil) -> None:
    """dfinity 11363, EIP-2780: 21,000 was thought to be a constant."""
    await anvil.rpc("anvil_setCode", TREASURY, KEEPS_BOOKS)
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.settle()
        await world.shows(payment, ETHER, *WHOLE_WAY)
        [sending] = await world.sendings()
        assert sending["gas"] > 40_000


async def test_a_top_up_is_mined_late_and_nothing_is_sent_before_or_twice(
    pool: Pool, anvil: Anvil
) -> None:
    """shkeeper 165 and 47: a minute's sleep between top-up and sweep."""
    async with a_sweeping_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.look()
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**12))
        for _ in range(3):
            await world.pass_by()
            await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**12))
        assert [row["purpose"] for row in await world.sendings()] == ["fuel"]
        assert await world.states() == ["queued"]
        for wei in (10**9, 10**9):
            await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
            await world.pass_by()
        await world.settle(2 * SETTLED_WITHIN)
        assert (await world.now(payment)).status is Status.SETTLED
        assert [row["purpose"] for row in await world.sendings()] == ["fuel", "sweep"]
        assert await world.balance(raw(payment.address), payment.asset) == 0
