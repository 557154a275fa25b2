"""A refund whose nonce went to what nobody here knows is not paid again on a guess."""

import contextlib
from typing import Final

import pytest

from ctrip.chain.wire import NodeRefused
from ctrip.core.ids import RawAddress, TxHash, raw
from ctrip.core.refund import NOT_EXPORTED
from ctrip.flows.adopt import NotThat
from ctrip.flows.take import ForeignSignatures
from ctrip.store.pool import Pool
from ctrip.wallet.derive import checksum
from tests.support.anvil import Anvil
from tests.support.log_lines import StandardError, logging_left_as_found
from tests.support.rpc_proxy import proxy
from tests.sweeps.exporting import (
    ANY,
    ETHER,
    by_eth_account,
    by_hand,
    exporting_refunds,
    signed_by,
    signed_elsewhere,
)
from tests.sweeps.refunding import REFUNDED, a_refunding_world
from tests.sweeps.test_second_look import DENIES

GWEI: Final = 10**9
OTHER: Final = checksum(RawAddress("0x" + "0b" * 20))


async def test_what_was_shown_by_hand_is_not_handed_out_again_and_known_when_it_comes_back(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        raws = signed_elsewhere(await world.exporter.export())
        await by_hand(world, raws)
        assert (await world.exporter.export()).transactions == ()
        assert "the nonce 0 of" in await world.why()
        assert "ctrip sweep used" in await world.why()
        assert await world.taker.take_raw(raws) == 1
        await world.is_paid_once(payment)


async def test_a_nonce_that_went_to_another_transaction_is_told_and_the_refund_has_another(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        bundle = await world.exporter.export()
        [one] = bundle.transactions
        tx_hash = await by_hand(world, [by_eth_account(one, value="0x7")])
        assert (await world.exporter.export()).transactions == ()
        assert not await world.used(tx_hash)
        assert (await world.states(), await world.why()) == (["queued"], NOT_EXPORTED)
        file = signed_by(world, await world.exporter.export(), ANY)
        assert await world.nonces() == [("void", 0), ("unsigned", 1)]
        with pytest.raises(ForeignSignatures, match="is void by now"):
            await world.taker.take_raw(signed_elsewhere(bundle))
        assert await world.taker.take(file) == 1
        await world.settle(5)
        assert await world.balance(REFUNDED) == ETHER + 7
        assert await world.refunded(payment) == (ETHER, 1)


async def test_one_that_was_paid_by_hand_at_another_price_is_known_by_its_hash(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        [one] = (await world.exporter.export()).transactions
        dearer = by_eth_account(one, maxFeePerGas=hex(3 * int(one.max_fee_per_gas)))
        tx_hash = await by_hand(world, [dearer])
        with pytest.raises(ForeignSignatures, match="has max_fee_per_gas"):
            await world.taker.take_raw([dearer])
        assert await world.used(tx_hash)
        await world.is_paid_once(payment)
        with pytest.raises(NotThat, match="is final, and was not exported"):
            await world.used(tx_hash)


async def test_one_that_came_back_and_lost_its_nonce_is_paid_again_only_when_that_is_told(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        bundle = await world.exporter.export()
        [one] = bundle.transactions
        await world.taker.take_raw(signed_elsewhere(bundle))
        tx_hash = await by_hand(world, [by_eth_account(one, to=OTHER, value="0x7")])
        await world.settle(5)
        assert (await world.states(), await world.nonces()) == (["stuck"], [("taken", 0)])
        assert (await world.exporter.export()).transactions == ()
        assert not await world.used(tx_hash)
        await world.taker.take_raw(signed_elsewhere(await world.exporter.export()))
        await world.is_paid_once(payment)


async def test_one_that_lost_its_nonce_to_a_newer_export_is_paid_when_that_comes_back(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        old = signed_elsewhere(await world.exporter.export())
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        await world.mine()
        new = signed_elsewhere(await world.exporter.export())
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await world.mine()
        await world.taker.take_raw(old)
        await by_hand(world, new)
        await world.settle(5)
        assert (await world.states(), await world.nonces()) == (["stuck"], [("taken", 0)])
        assert await world.taker.take_raw(new) == 1
        await world.is_paid_once(payment)


async def test_a_transaction_that_says_nothing_of_the_refund_is_refused(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        await world.asked()
        [one] = (await world.exporter.export()).transactions
        stranger = await anvil.send(raw(OTHER), 5)
        await world.mine(4)
        await world.look()
        with pytest.raises(NotThat, match=f"the refund is of {world.wallet}, nonce 0"):
            await world.used(TxHash(stranger))
        changed = by_eth_account(one, to=OTHER)
        tx_hash = TxHash(await anvil.rpc("eth_sendRawTransaction", changed))
        await world.mine()
        await world.look()
        with pytest.raises(NotThat, match="is in no final block"):
            await world.used(tx_hash)
        assert await world.nonces() == [("unsigned", 0)]


async def test_an_endpoint_that_denies_it_is_outvoted_and_named(pool: Pool, anvil: Anvil) -> None:
    async with (
        proxy(anvil.url) as liar,
        exporting_refunds(pool, anvil, [anvil.url, liar.url, anvil.url]) as world,
    ):
        await world.asked()
        [one] = (await world.exporter.export()).transactions
        tx_hash = await by_hand(world, [by_eth_account(one, value="0x7")])
        await liar.plays(DENIES)
        with logging_left_as_found():
            said = StandardError()
            said.configure()
            assert not await world.used(tx_hash)
        [why] = [line["why"] for line in said.lines if line["event"] == "endpoint outvoted"]
        assert f"show {tx_hash} in block" in why
        assert "endpoint 2 of 3 does not: it shows that the transaction failed" in why


async def test_a_gateway_with_keys_signs_what_was_exported_in_its_place(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        payment = await world.asked()
        late = signed_elsewhere(await world.exporter.export())
    async with a_refunding_world(pool, anvil) as hot:
        await hot.look()
        assert [(one["state"], one["nonce"]) for one in await hot.sendings()] == [("sent", 0)]
        with contextlib.suppress(NodeRefused):  # it is the same to the byte, and there already
            await by_hand(hot, late)
        await hot.settle(5)
        assert await hot.states() == ["final"]
        assert await hot.balance(REFUNDED) == ETHER
        assert await hot.refunded(payment) == (ETHER, 1)


async def test_a_gateway_with_keys_does_not_pay_again_what_was_shown_by_hand(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting_refunds(pool, anvil) as world:
        await world.asked()
        [one] = (await world.exporter.export()).transactions
        await by_hand(world, [by_eth_account(one)])
    async with a_refunding_world(pool, anvil) as hot:
        await anvil.set_balance(REFUNDED, ETHER)
        await hot.settle(8)
        assert await hot.balance(REFUNDED) == ETHER
        assert len(await hot.sendings()) == 1
