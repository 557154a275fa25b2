"""Raw transactions that any program signed by an export are taken like our own file, or refused."""

from typing import Any, Final

import pytest
from eth_account import Account
from msgspec.structs import replace

from ctrip.core.ids import raw
from ctrip.core.payment import Status
from ctrip.flows.take import ForeignSignatures
from ctrip.store.pool import Pool
from tests.support.anvil import Anvil
from tests.sweeps.exporting import by_eth_account, exporting, signed, signed_by, signed_elsewhere
from tests.wild.world import WHOLE_WAY

ETHER: Final = 10**18


async def test_what_eth_account_signs_is_settled_like_what_we_sign(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        coin, token = await world.paid(ETHER), await world.paid(70, in_tokens=True)
        await world.settle(2)
        raws = signed_elsewhere(await exporter.export())
        assert await taker.take_raw([*raws, raws[0]]) == 3
        assert await taker.take_raw(raws) == 0
        await world.settle()
        await world.shows(coin, ETHER, *WHOLE_WAY)
        await world.shows(token, 70, *WHOLE_WAY)
        assert await world.states() == ["final", "final"]


async def test_transactions_come_back_one_by_one_and_in_any_order(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        payments = [await world.paid(ETHER + n) for n in range(3)]
        await world.settle(1)
        raws = signed_elsewhere(await exporter.export())
        for one in reversed(raws):
            assert await taker.take_raw([one]) == 1
        await world.settle()
        assert {(await world.now(one)).status for one in payments} == {Status.SETTLED}


async def test_a_change_of_any_field_is_refused_by_its_name(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        await world.paid(70, in_tokens=True)
        await world.settle(1)
        bundle = await exporter.export()
        fuel, move = bundle.transactions
        good = signed_elsewhere(bundle)
        other: dict[str, str] = {
            "value": "0x1",
            "data": move.data[:-1] + "1",
            "gas": hex(move.gas + 1),
            "to": fuel.to,
            "maxFeePerGas": hex(int(move.max_fee_per_gas) + 1),
            "maxPriorityFeePerGas": "0x0",
        }
        named = {"maxFeePerGas": "max_fee_per_gas", "maxPriorityFeePerGas": "max_priority_fee_per"}
        for field, value in other.items():
            changed = by_eth_account(move, **{field: value})
            told = f"transaction 2 has {named.get(field, field)}"
            with pytest.raises(ForeignSignatures, match=told):
                await taker.take_raw([good[0], changed])
        for field, value in (("nonce", "0x9"), ("chainId", "0x1")):
            with pytest.raises(ForeignSignatures, match=r"nonce 9|has chain_id 1, and 31337"):
                await taker.take_raw([good[0], by_eth_account(move, **{field: value})])
        assert {row["state"] for row in await world.sendings()} == {"unsigned"}
        assert await taker.take_raw(good) == 2


async def test_a_refusal_names_no_more_faults_than_can_be_read_and_what_to_do(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (_, _exporter, taker):
        thief = Account.from_key(b"\x46" * 32)
        plain = {"to": thief.address, "value": 1, "gas": 21_000, "gasPrice": 1, "chainId": 31337}
        raws = [
            str(thief.sign_transaction({**plain, "nonce": n}).raw_transaction.to_0x_hex())
            for n in range(25)
        ]
        with pytest.raises(ForeignSignatures) as caught:
            await taker.take_raw(raws)
        lines = str(caught.value).splitlines()
        assert len(lines) == 22
        assert lines[20] == "and 5 faults more"
        assert lines[21].endswith("have the newest export signed as it is, and import that")


async def test_a_signature_by_another_key_is_refused_with_who_it_was(
    pool: Pool, anvil: Anvil
) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        await world.paid(ETHER)
        await world.settle(1)
        bundle = await exporter.export()
        [one] = bundle.transactions
        thief = Account.from_key(b"\x46" * 32)
        fields: dict[str, Any] = {**one.eth_transaction, "from": thief.address}
        done = thief.sign_transaction(fields)
        theirs = str(done.raw_transaction.to_0x_hex())
        with pytest.raises(ForeignSignatures, match=f"its sender is {thief.address.lower()}"):
            await taker.take_raw([theirs])
        file = signed(world, bundle)
        stolen = replace(file.transactions[0], raw=theirs)
        with pytest.raises(ForeignSignatures, match="has a hash that is not that of its bytes"):
            await taker.take(replace(file, transactions=(stolen,)))
        stolen = replace(stolen, hash=done.hash.to_0x_hex())
        with pytest.raises(ForeignSignatures, match=f"is signed by {thief.address.lower()}, and"):
            await taker.take(replace(file, transactions=(stolen,)))


async def test_a_token_does_not_go_without_its_gas(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        await world.paid(70, in_tokens=True)
        await world.settle(1)
        bundle = await exporter.export()
        fuel, move = signed_elsewhere(bundle)
        with pytest.raises(ForeignSignatures, match=f"{bundle.transactions[0].id} is missing"):
            await taker.take_raw([move])
        assert await taker.take_raw([fuel]) == 1
        assert await taker.take_raw([move]) == 1
        await world.settle()
        assert await world.states() == ["final"]


async def test_raw_transactions_of_an_older_export_are_refused(pool: Pool, anvil: Anvil) -> None:
    async with exporting(pool, anvil) as (world, exporter, taker):
        payment = await world.paid(ETHER)
        await world.settle(1)
        old = signed_elsewhere(await exporter.export())
        await anvil.set_balance(raw(payment.address), ETHER - 10**15)
        new = await exporter.export()
        with pytest.raises(ForeignSignatures, match=r"has value .* was exported"):
            await taker.take_raw(old)
        assert await taker.take(signed_by(world, new)) == 1
        with pytest.raises(ForeignSignatures, match=r"is (signed|sent) by now"):
            await taker.take_raw(old)
