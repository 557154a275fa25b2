"""Transfers: what is new is written once, and only what is ours to move waits to be moved."""

from uuid import uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from ctrip.core.ids import BlockNumber, ChainName, PaymentId, SweepId, raw
from ctrip.core.payment import Payment, Settles, Status
from ctrip.store import payments, sweepable, transfers
from ctrip.store.pool import Conn
from tests.store.rows import WALLET, fresh
from tests.support.builders import CHAIN, a_transfer, after, head, seen

OTHER = ChainName("other")


async def paid(conn: Conn, *, settles: Settles, again_on: ChainName | None = None) -> Payment:
    """Write a payment that is confirmed, with its money, and with as much again on a chain."""
    payment = fresh(settles=settles)
    await payments.insert(conn, [payment], wallet=WALLET)
    transfer = a_transfer(payment.derivation_index, 100, 5, to=payment.address)
    now = after(payment, seen(transfer), head(20))
    there = [transfer]
    if again_on:
        there.append(replace(transfer, key=replace(transfer.key, chain=again_on)))
    await payments.save(conn, [now], [(now, one) for one in there])
    return now


async def to_be_moved(conn: Conn, chain: ChainName = CHAIN) -> list[PaymentId]:
    found = await sweepable.candidates(
        conn, chain, wallet=WALLET, finalized=BlockNumber(9), count_max=9
    )
    return [one.payment_id for one in found]


async def test_what_is_held_is_never_to_be_moved(conn: Conn) -> None:
    held = await paid(conn, settles=Settles.HOLD)
    swept = await paid(conn, settles=Settles.SWEEP)
    exported = await paid(conn, settles=Settles.EXPORT)
    assert held.status is Status.PAID
    assert set(await to_be_moved(conn)) == {swept.id, exported.id}


async def test_money_of_a_held_payment_on_another_chain_may_be_moved_there(conn: Conn) -> None:
    astray = await paid(conn, settles=Settles.HOLD, again_on=OTHER)
    assert await to_be_moved(conn) == []
    assert await to_be_moved(conn, OTHER) == [astray.id]


async def test_what_a_sweep_takes_is_not_to_be_moved_again(conn: Conn) -> None:
    payment = await paid(conn, settles=Settles.SWEEP)
    sweep, asset = SweepId(uuid4()), payment.asset
    await transfers.plan_sweep(conn, sweep, CHAIN, raw(payment.address), asset)
    assert await to_be_moved(conn) == []
    assert [one.payment_id for one in await sweepable.taken(conn, [sweep])] == [payment.id]


async def test_a_transfer_that_is_there_already_is_not_taken_for_a_new_one(conn: Conn) -> None:
    payment = await paid(conn, settles=Settles.HOLD)
    [transfer] = payment.transfers
    rows = transfers.packed([transfers.row(payment, transfer)])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with conn.transaction():
            await transfers.insert(conn, rows)
    await transfers.move(conn, rows)
    found = await payments.find(conn, payment.id)
    assert found
    assert found.transfers == (transfer,)
