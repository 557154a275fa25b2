"""Payments come back as they went in."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from msgspec.structs import replace

from ctrip.core.ids import AMOUNT_MAX, Amount, BlockNumber, raw
from ctrip.core.payment import Flag, Payment, Status
from ctrip.store import blocks, payment_sets, payments
from ctrip.store.pool import Conn, Pool, transaction
from tests.store.rows import WALLET, fresh
from tests.support.builders import (
    CHAIN,
    DEADLINE,
    WINDOW_END,
    a_head,
    a_transfer,
    after,
    block_hash,
    clock,
    head,
    seen,
)

ODD = "Käse für 5 €, 中文, 🧀, \u202eevil, a\\b \"quoted\" 'single' {curly},NULL"


async def test_a_payment_comes_back_as_it_went_in(conn: Conn) -> None:
    made = [
        fresh(
            token=True,
            amount=Amount(2**255),
            metadata={ODD: ODD, "": ""},
            order_id=ODD,
            description=ODD,
            redirect_url="https://shop.example/thanks?a=1",
            webhook_url="https://shop.example/hook",
            accepts_late=True,
        ),
        fresh(amount=Amount(AMOUNT_MAX)),
        fresh(amount=Amount(1), metadata={}),
        fresh(created_at=datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)),
    ]
    await payments.insert(conn, made, wallet=WALLET)
    for payment in made:
        assert await payments.find(conn, payment.id) == payment


async def test_what_happened_to_a_payment_comes_back(conn: Conn) -> None:
    payment = fresh(amount=Amount(2**200))
    await payments.insert(conn, [payment], wallet=WALLET)
    await blocks.start(conn, CHAIN, a_head(11, 9), now=DEADLINE)
    first = a_transfer(1, 2**200, 10, to=payment.address)
    other = a_transfer(2, 7, 11, to=payment.address)
    now = after(payment, head(11, 9), seen(first), seen(other))
    await payments.save(conn, [now], [(now, t) for t in now.transfers])
    assert await payments.find(conn, payment.id) == now
    assert (now.status, now.flags) == (Status.DETECTED, frozenset({Flag.OVERPAID}))
    row = await conn.fetchrow("SELECT * FROM payments")
    assert row is not None
    assert (row["detected_in_block"], row["amount_received"]) == (10, 2**200 + 7)


async def test_saving_twice_is_saving_once(conn: Conn) -> None:
    payment = fresh()
    await payments.insert(conn, [payment], wallet=WALLET)
    now = after(payment, seen(a_transfer(to=payment.address)), clock(WINDOW_END))
    for _ in range(2):
        await payments.save(conn, [now], [(now, t) for t in now.transfers])
        assert await conn.fetchval("SELECT count(*) FROM transfers") == 1
    await payments.insert(conn, [payment], wallet=WALLET)
    found = await payments.find(conn, payment.id)
    assert found is not None
    assert found.status is Status.DETECTED, "an insert leaves what is there"


async def test_a_payment_nobody_made_is_none(conn: Conn) -> None:
    assert await payments.find(conn, fresh().id) is None
    assert await payments.lock(conn, [fresh().id]) == []


async def test_an_address_serves_one_payment(conn: Conn) -> None:
    first = fresh()
    twin = fresh(address=first.address)
    await payments.insert(conn, [first, twin], wallet=WALLET)
    assert await payments.find(conn, twin.id) is None


@pytest.mark.parametrize("amount", ["NaN", "0", "-1", str(2**256), "Infinity"])
async def test_the_second_lock_refuses_amounts_that_are_none(conn: Conn, amount: str) -> None:
    payment = fresh()
    await payments.insert(conn, [payment], wallet=WALLET)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError)):
        await conn.execute(f"UPDATE payments SET amount = '{amount}'")


async def test_an_address_stays_ours_whatever_its_chain_and_however_late(conn: Conn) -> None:
    mine, elsewhere, over = fresh(), fresh(chain="other"), fresh()
    made = (mine, elsewhere, over)
    await payments.insert(conn, made, wallet=WALLET)
    await payments.save(conn, [after(over, clock(WINDOW_END))], [])
    among = [raw(payment.address) for payment in (*made, fresh())]
    owners = {raw(payment.address): payment.id for payment in made}
    assert await payment_sets.owners(conn, among) == owners


async def test_a_chain_is_open_until_the_last_late_window_is_over(conn: Conn) -> None:
    assert not await payment_sets.any_open(conn, CHAIN)
    payment = fresh()
    await payments.insert(conn, [payment, fresh(chain="other", closed=True)], wallet=WALLET)
    assert await payment_sets.any_open(conn, CHAIN)
    await payments.save(conn, [after(payment, clock(WINDOW_END))], [])
    assert not await payment_sets.any_open(conn, CHAIN)


async def test_payments_that_a_new_block_moves_on_are_found(conn: Conn) -> None:
    unpaid, shallow, deep, held, gone = [fresh() for _ in range(5)]
    everyone = [unpaid, shallow, deep, held, gone]
    await payments.insert(conn, everyone, wallet=WALLET)

    async def paid(payment: Payment, block: int, at: int, final: int) -> None:
        transfer = a_transfer(payment.derivation_index, 100, block, to=payment.address)
        now = after(payment, head(at, final), seen(transfer))
        await payments.save(conn, [now], [(now, t) for t in now.transfers])

    await paid(shallow, 19, 19, 0)
    await paid(deep, 18, 19, 0)  # three deep at block 20
    await paid(held, 10, 19, 0)  # final at block 10
    await paid(gone, 5, 19, 5)  # settled
    found = await payment_sets.deepened(
        conn, CHAIN, head=BlockNumber(20), finalized=BlockNumber(10), safe=BlockNumber(0)
    )
    assert set(found) == {deep.id, held.id}
    found = await payment_sets.deepened(
        conn, CHAIN, head=BlockNumber(20), finalized=BlockNumber(9), safe=BlockNumber(0)
    )
    assert set(found) == {deep.id}


async def test_live_transfers_above_a_fork_are_found(conn: Conn) -> None:
    payment = fresh()
    await payments.insert(conn, [payment], wallet=WALLET)
    low, high = (a_transfer(n, 50, n, to=payment.address) for n in (10, 11))
    dropped = a_transfer(12, 1, 12, to=payment.address, orphaned=True)
    now = after(payment, seen(low), seen(high), seen(dropped))
    await payments.save(conn, [now], [(now, t) for t in now.transfers])
    found = await payment_sets.above(conn, CHAIN, BlockNumber(10))
    assert found == [(payment.id, high.key, block_hash(11))]


async def test_deadlines_and_late_windows_come_due(conn: Conn) -> None:
    early, late = fresh(), fresh(expires_at=WINDOW_END, watched_until=WINDOW_END)
    await payments.insert(conn, [early, late], wallet=WALLET)
    assert await payment_sets.due(conn, CHAIN, DEADLINE, count_max=10) == [early.id]
    expired = after(early, clock(DEADLINE))
    await payments.save(conn, [expired], [])
    assert await payment_sets.due(conn, CHAIN, DEADLINE, count_max=10) == []
    assert set(await payment_sets.due(conn, CHAIN, WINDOW_END, count_max=10)) == {early.id, late.id}


async def test_two_who_lock_the_same_payments_take_turns(pool: Pool) -> None:
    made = [fresh() for _ in range(20)]
    ids = [payment.id for payment in made]

    async def held(order: list[int]) -> None:
        async with transaction(pool) as conn:
            await payments.lock(conn, [ids[n] for n in order])

    async with pool.acquire() as conn:
        await payments.insert(conn, made, wallet=WALLET)
    forward, backward = list(range(20)), list(range(19, -1, -1))
    await asyncio.gather(*(held(order) for order in [forward, backward] * 6))


async def test_whoever_waited_for_a_payment_sees_what_its_holder_left(pool: Pool) -> None:
    payment = fresh()
    async with pool.acquire() as conn:
        await payments.insert(conn, [payment], wallet=WALLET)

    async def counted() -> None:
        async with transaction(pool) as conn:
            [now] = await payments.lock(conn, [payment.id])
            await payments.save(conn, [replace(now, sequence=now.sequence + 1)], ())

    await asyncio.gather(*(counted() for _ in range(6)))
    async with pool.acquire() as conn:
        found = await payments.find(conn, payment.id)
    assert found
    assert found.sequence == payment.sequence + 6
