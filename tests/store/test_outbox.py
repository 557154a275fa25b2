"""The outbox: what is promised is claimed by one sender at a time, until it is done."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from ctrip.core.events import created
from ctrip.store import outbox, payments
from ctrip.store.outbox import Claim, Ended
from ctrip.store.pool import Conn, Pool
from tests.store.rows import WALLET, fresh, written
from tests.support.builders import CREATED as NOW

LEASE = timedelta(seconds=30)


async def claim(conn: Conn, at: timedelta = timedelta(0), count_max: int = 100) -> list[Claim]:
    return await outbox.claim(
        conn, now=NOW + at, count_max=count_max, lease_until=NOW + at + LEASE, claim_id=uuid4()
    )


def ended(of: Claim, state: str = "delivered", wait: timedelta = timedelta(0)) -> Ended:
    return Ended(claim=of, state=state, due_at=NOW + wait, outcome="200")


async def test_a_claim_has_all_that_is_to_be_sent(conn: Conn) -> None:
    payment = await written(conn, webhook_url="https://shop.example/hook")
    event = created(payment)
    claims = await claim(conn)
    assert {c.target for c in claims} == {outbox.GLOBAL, outbox.PER_PAYMENT}
    for got in claims:
        assert (got.event_id, got.payment_id, got.attempts) == (event.id, payment.id, 1)
        assert got.webhook_url == "https://shop.example/hook"
        assert got.body.startswith(f'{{"id":"{event.id}","type":"payment.created"'.encode())


async def test_nobody_to_tell_is_an_event_without_deliveries(conn: Conn) -> None:
    payment = await written(conn)
    again = created(payment)
    await outbox.append(conn, [again], to_global=True, now=NOW)
    assert await conn.fetchval("SELECT count(*) FROM deliveries") == 1, "the same fact once"
    await conn.execute("DELETE FROM deliveries; DELETE FROM events")
    await outbox.append(conn, [again], to_global=False, now=NOW)
    assert await conn.fetchval("SELECT count(*) FROM events") == 1
    assert await claim(conn) == []


async def test_two_senders_never_claim_the_same(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for _ in range(40):
            await written(conn)

    async def take() -> list[Claim]:
        async with pool.acquire() as conn:
            return await claim(conn, count_max=7)

    taken = [
        got.event_id
        for claims in await asyncio.gather(*(take() for _ in range(8)))
        for got in claims
    ]
    assert len(taken) == len(set(taken)) == 40


async def test_a_row_that_another_holds_is_left_to_it(pool: Pool) -> None:
    async with pool.acquire() as conn, pool.acquire() as other:
        await written(conn)
        async with conn.transaction():
            assert len(await claim(conn)) == 1
            assert await claim(other) == []


async def test_a_lease_that_ran_out_is_claimed_again(conn: Conn) -> None:
    await written(conn)
    (first,) = await claim(conn)
    assert await claim(conn, LEASE - timedelta(seconds=1)) == []
    (second,) = await claim(conn, LEASE)
    assert (second.event_id, second.body) == (first.event_id, first.body)
    assert second.attempts == 2


async def test_who_comes_back_after_the_lease_changes_nothing(conn: Conn) -> None:
    await written(conn)
    (stale,) = await claim(conn)
    (fresh_claim,) = await claim(conn, LEASE)
    await outbox.complete(conn, [ended(stale, "dead")], now=NOW)
    await outbox.release(conn, stale.claim_id, now=NOW)
    row = await conn.fetchrow("SELECT state, claim_id, attempts FROM deliveries")
    assert tuple(row or ()) == ("waiting", fresh_claim.claim_id, 2)
    await outbox.complete(conn, [ended(fresh_claim)], now=NOW)
    await outbox.complete(conn, [ended(fresh_claim, "dead")], now=NOW)
    assert await conn.fetchval("SELECT state FROM deliveries") == "delivered"


async def test_what_is_given_back_costs_no_attempt(conn: Conn) -> None:
    await written(conn)
    (first,) = await claim(conn)
    await outbox.release(conn, first.claim_id, now=NOW)
    (again,) = await claim(conn)
    assert again.attempts == 1


async def test_what_is_done_or_waits_is_not_claimed(conn: Conn) -> None:
    for _ in range(3):
        await written(conn)
    done, dead, waits = await claim(conn)
    hour = timedelta(hours=1)
    ends = [ended(done), ended(dead, "dead"), ended(waits, "waiting", hour)]
    await outbox.complete(conn, ends, now=NOW)
    assert await claim(conn, hour - timedelta(seconds=1)) == []
    assert [got.event_id for got in await claim(conn, hour)] == [waits.event_id]


async def test_the_oldest_comes_first(conn: Conn) -> None:
    for hours in (3, 1, 2):
        await outbox_at(conn, hours)
    due = [got.event_id for got in await claim(conn, timedelta(hours=9), count_max=1)]
    assert due == [await conn.fetchval("SELECT id FROM events ORDER BY created_at LIMIT 1")]


async def test_the_backlog_is_counted_up_to_a_limit(conn: Conn) -> None:
    empty = await outbox.backlog(conn, now=NOW, count_max=10)
    assert (empty.due, empty.waiting, empty.next) == (0, 0, None)
    for _ in range(4):
        await written(conn)
    some = await outbox.backlog(conn, now=NOW, count_max=3)
    assert (some.due, some.waiting, some.next) == (3, 3, NOW)


async def outbox_at(conn: Conn, hours: int) -> UUID:
    payment = fresh()
    await payments.insert(conn, [payment], wallet=WALLET)
    await outbox.append(conn, [created(payment)], to_global=True, now=NOW + timedelta(hours=hours))
    return payment.id
