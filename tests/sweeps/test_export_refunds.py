"""Refunds that another machine signs are paid once, whatever is written, signed or taken twice."""

from typing import Final

import pytest

from ctrip.core.ids import RawAddress, raw
from ctrip.core.payment import Settles
from ctrip.core.refund import EXPORTED, NOT_EXPORTED
from ctrip.core.sweep import LOOK_AGAIN
from ctrip.flows.take import ForeignSignatures
from ctrip.store import reconciliations
from ctrip.store.pool import Pool, transaction
from ctrip.wallet.derive import checksum
from tests.support.anvil import Anvil
from tests.support.builders import CREATED
from tests.sweeps.exporting import (
    ANY,
    ETHER,
    by_eth_account,
    by_hand,
    exporting_refunds,
    signed_by,
    signed_elsewhere,
)
from tests.sweeps.refunding import REFUNDED

GWEI: Final = 10**9
OTHER: Final = checksum(RawAddress("0x" + "0b" * 20))


@pytest.mark.parametrize("in_tokens", [False, True])
async def test_a_refund_waits_goes_out_comes_back_and_is_paid(
    pool: Pool, anvil: Anvil, *, in_tokens: bool
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked(70, in_tokens=in_tokens)
        assert (await world.states(), await world.why()) == (["queued"], NOT_EXPORTED)
        bundle = await world.exporter.export()
        [one] = bundle.transactions
        assert one.refund is not None
        assert one.refund.payment_id == payment.id
        assert (one.path, one.sender.lower()) == ("m/44'/60'/2'/0/0", world.wallet)
        assert (await world.states(), await world.why()) == (["queued"], EXPORTED)
        file = signed_by(world, bundle, ANY)
        assert [await world.taker.take(file) for _ in range(2)] == [1, 0]
        await world.is_paid_once(payment, 70)
        assert await world.why() == ""
        assert await world.taker.take(file) == 0


async def test_sweeps_and_refunds_go_out_together(pool: Pool, anvil: Anvil) -> None:
    async with exporting_refunds(pool, anvil, sweeps=True) as world:
        payment = await world.asked()
        await world.look()
        file = signed_by(world, await world.exporter.export(), ANY)
        assert await world.taker.take(file) == 2
        await world.is_paid_once(payment)
        assert {one["purpose"] for one in await world.sendings()} == {"sweep", "refund"}


async def test_an_export_that_is_written_and_signed_twice_pays_once(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        first = signed_elsewhere(await world.exporter.export())
        second = signed_elsewhere(await world.exporter.export())
        assert first == second, "the same to the byte, so the same transaction"
        assert await world.taker.take_raw(second) == 1
        await by_hand(world, first)
        await world.is_paid_once(payment)


@pytest.mark.parametrize("shown", [0, 1], ids=["older", "newer"])
async def test_an_export_at_another_price_has_the_same_nonce_and_either_is_known(
    pool: Pool, anvil: Anvil, shown: int
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        old = signed_elsewhere(await world.exporter.export())
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        await world.mine()
        new = signed_elsewhere(await world.exporter.export())
        assert old != new
        assert await world.nonces() == [("unsigned", 0)]
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await world.mine()
        await by_hand(world, [old, new][shown])
        assert [await world.taker.take_raw(one) for one in (new, old)] == [1, 1]
        await world.is_paid_once(payment)


async def test_one_that_came_back_and_is_outbid_goes_out_again_and_offers_more(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        await world.taker.take_raw(signed_elsewhere(await world.exporter.export()))
        await world.look()
        assert (await world.exporter.export()).transactions == (), "it is dear enough"
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        await world.mine()
        dearer = await world.exporter.export()
        assert [one.nonce for one in dearer.transactions] == [0]
        assert (await world.exporter.export()).transactions == dearer.transactions
        assert (await world.states(), await world.nonces()) == (["sent"], [("sent", 0)])
        assert await world.taker.take_raw(signed_elsewhere(dearer)) == 1
        await world.look()
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        await world.mine()
        await world.look()
        assert await world.states() == ["mined"], "by the dearer one, as the block is too dear"
        await world.is_paid_once(payment)
        assert await world.rows("SELECT count(*) AS n FROM sending_versions") == [(2,)]


async def test_a_wallet_that_cannot_pay_more_offers_what_it_did(pool: Pool, anvil: Anvil) -> None:
    async with exporting_refunds(pool, anvil) as world:
        await world.asked()
        [one] = (await world.exporter.export()).transactions
        await anvil.set_balance(world.wallet, ETHER + one.gas * int(one.max_fee_per_gas))
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        await world.mine()
        [again] = (await world.exporter.export()).transactions
        assert again == one


async def test_no_field_of_a_refund_may_be_another(pool: Pool, anvil: Anvil) -> None:
    async with exporting_refunds(pool, anvil) as world:
        await world.asked()
        [one] = (await world.exporter.export()).transactions
        for field, value, told in (
            ("to", OTHER, "has to 0x0b"),
            ("value", hex(ETHER + 1), "has value"),
            ("gas", hex(one.gas + 1), "has gas"),
            ("nonce", "0x1", "was never exported"),
        ):
            with pytest.raises(ForeignSignatures, match=told):
                await world.taker.take_raw([by_eth_account(one, **{field: value})])
        assert await world.nonces() == [("unsigned", 0)]


async def test_two_refunds_have_two_places_and_no_more_is_promised_than_is_there(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        await anvil.set_balance(world.wallet, 21 * ETHER // 10)
        payments = [await world.asked() for _ in range(3)]
        assert len((await world.exporter.export()).transactions) == 2
        assert "are needed: send it more" in await world.why()
        bundle = await world.exporter.export()
        assert [one.nonce for one in bundle.transactions] == [0, 1]
        await anvil.set_balance(world.wallet, 5 * ETHER)
        world.clock.move(seconds=LOOK_AGAIN.total_seconds())
        file = signed_by(world, await world.exporter.export(), ANY)
        assert await world.taker.take(file) == 3
        await world.settle(5)
        assert [await world.refunded(one) for one in payments] == [(ETHER, 1)] * 3
        assert await world.balance(REFUNDED) == 3 * ETHER


async def test_nothing_goes_out_while_the_books_hold_it(pool: Pool, anvil: Anvil) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        assert len((await world.exporter.export()).transactions) == 1
        async with transaction(pool) as conn:
            held = {payment.asset: "I19"}
            await reconciliations.hold_assets(conn, world.chain.name, held, lift=True, now=CREATED)
        assert (await world.exporter.export()).transactions == ()
        assert "until the books are in order: I19" in await world.why()


async def test_money_that_a_reorg_took_back_is_not_taken_when_it_comes_back_signed(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.create(ETHER)
        await world.mine(2)
        await anvil.send(raw(payment.address), ETHER)
        await world.mine(2)
        await world.look()
        await world.refund(payment)
        raws = signed_elsewhere(await world.exporter.export())
        await anvil.reorg(2)
        await world.look()
        with pytest.raises(ForeignSignatures, match="a reorg took back"):
            await world.taker.take_raw(raws)
        assert (await world.exporter.export()).transactions == ()
        assert "a reorg took back" in await world.why()


async def test_one_that_must_not_be_paid_any_more_lets_those_behind_it_go(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        first, second = await world.asked(), await world.asked(70, in_tokens=True)
        one, other = (await world.exporter.export()).transactions
        async with transaction(pool) as conn:
            held = {first.asset: "I19"}
            await reconciliations.hold_assets(conn, world.chain.name, held, lift=True, now=CREATED)
        assert (await world.exporter.export()).transactions == (other,)
        nothing = await by_hand(world, [by_eth_account(one, to=one.sender, value="0x0")])
        assert not await world.used(nothing, one)
        await world.taker.take_raw([by_eth_account(other)])
        await world.settle(5)
        assert sorted(await world.states()) == ["final", "queued"]
        assert await world.refunded(second) == (70, 1)
        assert await world.refunded(first) == (0, 0)


async def test_without_a_payout_wallet_refunds_are_off_and_sweeps_go_out(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil, sweeps=True) as world:
        assert world.chain.settlement.mode is Settles.EXPORT
        await world.asked()
        await world.look()
        assert len((await world.without_payouts.export()).transactions) == 1
