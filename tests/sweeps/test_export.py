"""Money that is moved by transactions signed elsewhere, on a machine that has the keys."""

from typing import Final
from uuid import uuid4

import pytest
from msgspec.structs import replace

from ctrip.core.payment import Status
from ctrip.flows.take import ForeignSignatures
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.sweeps.exporting import exporting, signed, signed_by
from tests.sweeps.world import a_sweeping_world
from tests.wild.world import WHOLE_WAY

ETHER: Final = 10**18


async def test_coin_and_tokens_go_out_and_come_back_signed_and_are_settled(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        coin = await world.paid(ETHER)
        token = await world.paid(70, in_tokens=True)
        await world.settle(2)
        assert (await world.now(coin)).status is Status.CONFIRMED
        bundle = await exporter.export()
        assert [one.depends_on is None for one in bundle.transactions].count(False) == 1
        assert await taker.take(signed_by(world, bundle)) == 3
        await world.settle()
        await world.shows(coin, ETHER, *WHOLE_WAY)
        await world.shows(token, 70, *WHOLE_WAY)
        assert await world.treasury(token.asset) == 70
        assert await world.states() == ["final", "final"]


async def test_a_file_may_come_back_twice(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        await world.paid(ETHER)
        await world.settle(1)
        file = signed_by(world, await exporter.export())
        assert await taker.take(file) == 1
        assert await taker.take(file) == 0
        await world.settle()
        assert await taker.take(file) == 0
        assert len(await world.sendings()) == 1


async def test_an_export_takes_the_place_of_one_that_did_not_come_back(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        payment = await world.paid(ETHER)
        await world.settle(1)
        old = signed_by(world, await exporter.export())
        new = signed_by(world, await exporter.export())
        with pytest.raises(ForeignSignatures, match="is void by now: a later export"):
            await taker.take(old)
        assert await taker.take(new) == 1
        await world.settle()
        assert (await world.now(payment)).status is Status.SETTLED
        assert await world.treasury() <= ETHER


async def test_what_was_signed_is_not_exported_again(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        await world.paid(ETHER)
        await world.settle(1)
        await taker.take(signed_by(world, await exporter.export()))
        await world.paid(2 * ETHER)
        await world.settle(1)
        bundle = await exporter.export()
        assert len(bundle.transactions) == 1
        assert int(bundle.transactions[0].value) > ETHER


async def test_what_is_not_what_went_out_is_refused_whole(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        for amount in (ETHER, 2 * ETHER):
            await world.paid(amount)
        await world.settle(1)
        bundle = await exporter.export()
        first, second = bundle.transactions
        richer = replace(first, value=str(int(first.value) - 1))
        for forged in (
            replace(bundle, transactions=(richer, second)),
            replace(
                bundle, transactions=(replace(first, id=second.id), replace(second, id=first.id))
            ),
            replace(bundle, transactions=(first, replace(second, id=uuid4()))),
            replace(bundle, chain_id=1),
        ):
            with pytest.raises(ForeignSignatures):
                await taker.take(signed(world, forged))
        assert {row["state"] for row in await world.sendings()} == {"unsigned"}


async def test_a_nonce_that_was_exported_is_nobody_elses(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, _):
        for _ in range(3):
            await world.paid(70, in_tokens=True)
        await world.settle(1)
        bundle = await exporter.export()
        fuel = [one.nonce for one in bundle.transactions if one.to_path is not None]
        assert fuel == [0, 1, 2]


async def test_an_empty_gas_wallet_leaves_tokens_out_and_says_why(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, _):
        await anvil.set_balance(world.signer.gas_address, 0)
        await world.paid(70, in_tokens=True)
        await world.settle(1)
        assert (await exporter.export()).transactions == ()
        assert "the gas wallet can spend 0 wei" in await world.why()


async def test_a_chain_that_is_swept_from_here_now_waits_for_no_signatures(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        payments = [await world.paid(ETHER), await world.paid(70, in_tokens=True)]
        await world.settle(1)
        late = signed_by(world, await exporter.export())
    async with a_sweeping_world(pool, anvil) as world:
        await world.settle()
        for payment in payments:
            assert (await world.now(payment)).status is Status.SETTLED
        with pytest.raises(ForeignSignatures, match="is void by now"):
            await taker.take(late)
