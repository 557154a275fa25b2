"""Refunds reach whom they are for, never exceed what came, and payments say so."""

import asyncio
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from ctrip.core.acts import RefundTooLarge, WrongState
from ctrip.core.changes import Cancelled
from ctrip.core.ids import NOBODY, ChainName, RawAddress, RefundId, raw
from ctrip.core.payment import Settles, Status
from ctrip.flows.act import Acts
from ctrip.flows.give_back import RefundLimit, Refunds, RefundsOff, Wish
from ctrip.flows.register import Unfit
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.sweeps.refunding import (
    DAILY,
    REFUNDED,
    TOKENS,
    a_refunding_world,
    refunding,
)
from tests.sweeps.world import PURSE, TREASURY
from tests.wild.world import USD

ETHER: Final = 10**18


async def test_coin_goes_back_and_the_payment_says_so_once(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(ETHER)
        await world.look()
        await world.refund(payment, ETHER // 4)
        await world.settle(5)
        assert await world.balance(REFUNDED) == ETHER // 4
        [sending] = await world.sendings()
        left = 10 * PURSE - ETHER // 4 - sending["fee"]
        assert await world.balance(world.wallet) == left
        assert await world.balance(raw(payment.address)) == ETHER, "never out of a deposit"
        assert await world.states() == ["final"]
        assert await world.refunded(payment) == (ETHER // 4, 1)
        [back] = (await world.now(payment)).refunds
        assert (back.tx_hash, back.block_number) == (sending["tx_hash"], sending["block_number"])


async def test_tokens_go_back_all_of_them_unless_said(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.look()
        await world.refund(payment, 30)
        await world.refund(payment)
        await world.settle(5)
        assert await world.balance(REFUNDED, payment.asset) == 70
        assert await world.balance(world.wallet, payment.asset) == TOKENS - 70
        assert await world.states() == ["final", "final"]
        assert [row["nonce"] for row in await world.sendings()] == [0, 1]
        assert await world.refunded(payment) == (70, 2)


async def test_what_goes_out_is_on_record_as_a_move_of_the_payout_wallet(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.look()
        await world.refund(payment)
        await world.settle(4)
        [sending] = await world.sendings()
        assert (sending["purpose"], sending["final"]) == ("refund", True)
        moved = await world.rows("SELECT address, asset, amount FROM sending_moves ORDER BY amount")
        assert [tuple(row) for row in moved] == [
            (world.wallet, payment.asset, -70),
            (REFUNDED, payment.asset, 70),
        ]


async def test_of_two_who_ask_at_once_for_the_same_money_one_is_refused(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(100)
        await world.look()
        asked = (world.refund(payment, 60) for _ in range(3))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(type(one).__name__ for one in answers) == [
            "Refund", "RefundTooLarge", "RefundTooLarge",
        ]  # fmt: skip
        await world.settle(4)
        assert await world.balance(REFUNDED) == 60


async def test_of_two_payments_at_once_no_more_is_promised_than_a_day_allows(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        ones = [await world.paid(DAILY // 2 + 1) for _ in range(2)]
        await world.look()
        asked = (world.refund(one) for one in ones)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(type(one).__name__ for one in answers) == ["Refund", "RefundLimit"]
        [sum_row] = await world.rows("SELECT sum(amount) AS amount FROM refunds")
        assert sum_row["amount"] == DAILY // 2 + 1


async def test_a_days_limit_is_that_of_the_last_24_hours(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(3 * DAILY)
        await world.look()
        await world.refund(payment, DAILY)
        with pytest.raises(RefundLimit, match=rf"allows {DAILY} .* {DAILY} of it is used"):
            await world.refund(payment, 1)
        assert (await world.now(payment)).amount_given_back == DAILY, "nothing was promised"
        world.clock.move(seconds=86_399)
        with pytest.raises(RefundLimit):
            await world.refund(payment, 1)
        world.clock.move(seconds=1)
        await world.refund(payment, DAILY)


async def test_a_request_that_is_repeated_refunds_once(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(100)
        await world.look()
        name = RefundId(UUID(int=7))
        first = await world.refund(payment, name=name)
        assert await world.refund(payment, name=name) == first
        await world.settle(3)
        again = await world.refund(payment, name=name)
        assert (again.id, again.state) == (first.id, "final")
        assert await world.balance(REFUNDED) == 100


async def test_what_came_to_a_cancelled_payment_goes_back_when_it_is_final(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.create(100)
        await Acts(pool, world.clock, world.news).decide(payment.id, Cancelled())
        await anvil.send(raw(payment.address), 40)
        await world.mine()
        await world.look()
        with pytest.raises(RefundTooLarge, match=r"At most 0 .* 40 came, 0 of it for good"):
            await world.refund(payment)
        await world.mine(3)
        await world.look()
        await world.refund(payment)
        await world.settle(4)
        assert await world.balance(REFUNDED) == 40
        assert (await world.refunded(payment))[0] == 40
        assert (await world.now(payment)).status is Status.EXPIRED


async def test_a_payment_that_waits_for_money_keeps_what_it_has(pool: Pool, anvil: Anvil) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.create(100)
        await anvil.send(raw(payment.address), 40)
        await world.mine(4)
        await world.look()
        with pytest.raises(WrongState):
            await world.refund(payment)
        assert await world.refunds() == []


WHERE_NOT: Final[dict[str, Any]] = {
    "0x" + "0" * 40: "zero address",
    TREASURY: "a wallet of this gateway",
    USD: "the token's contract",
    "0x" + "aB" * 20: "wrong checksum",
}


async def test_nothing_goes_where_it_would_be_lost_or_come_back_to_us(
    pool: Pool, anvil: Anvil
) -> None:
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(70, in_tokens=True)
        await world.look()
        ours = "a wallet of this gateway"
        told = {**WHERE_NOT, world.wallet: ours, world.signer.gas_address: ours}
        for to, says in {**told, payment.address: "the address of a payment"}.items():
            with pytest.raises(Unfit, match=says) as caught:
                await world.refund(payment, to=RawAddress(to))
            assert set(caught.value.faults) == {"to"}
        assert await world.refunds() == []


async def test_where_refunds_are_off_it_is_said_how_to_turn_them_on(
    pool: Pool, anvil: Anvil
) -> None:
    whole = refunding()
    unlimited = replace(whole, coin_terms=replace(whole.coin_terms, refund_per_day_max=None))
    held = replace(whole, settlement=replace(whole.settlement, mode=Settles.HOLD))
    exported = replace(whole, settlement=replace(whole.settlement, mode=Settles.EXPORT))
    elsewhere = replace(whole, name=ChainName("elsewhere"))
    async with a_refunding_world(pool, anvil) as world:
        payment = await world.paid(100)
        await world.look()
        wish = Wish(payment_id=payment.id, to=REFUNDED, amount=None, asked_by=NOBODY)
        for chain, signer, says in (
            (unlimited, world.signer, "refund_per_day_max in chains.yaml turns them on"),
            (held, world.signer, 'in the mode "hold"; refunds need "sweep"'),
            (whole, None, "Nothing can be signed here"),
            (exported, None, r"\[settlement\] payout_wallet in config.toml names the wallet"),
            (elsewhere, world.signer, "is not served any more"),
        ):
            with pytest.raises(RefundsOff, match=says):
                await Refunds([chain], signer, pool, world.clock).ask(wish, owner=None)
        assert (await world.now(payment)).refunds == ()
