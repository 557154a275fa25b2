"""The outbox and its queue: what is promised is one sender's at a time, until it is done."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

from msgspec.structs import replace

from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import CONFIG, EndpointId, matches, site_of
from ctrip.core.events import created
from ctrip.store import endpoints, outbox, payments, queue
from ctrip.store.endpoints import Tally
from ctrip.store.pool import Conn, Pool
from tests.store.rows import WALLET, fresh, written
from tests.support.builders import CREATED as NOW
from tests.support.receivers_on_record import URL, an_endpoint, made

LEASE = timedelta(seconds=30)


async def claim(
    conn: Conn,
    at: timedelta = timedelta(0),
    count_max: int = 100,
    allowed: dict[EndpointId, int] | None = None,
) -> list[Claim]:
    return await queue.claim(
        conn,
        now=NOW + at,
        count_max=count_max,
        lease_until=NOW + at + LEASE,
        claim_id=uuid4(),
        allowed=allowed or {},
        tried_after=5,
    )


def ended(of: Claim, *, delivered: bool = True, again: timedelta | None = None) -> Ended:
    return Ended(
        claim=of,
        delivered=delivered,
        due_at=None if again is None else NOW + again,
        outcome="200" if delivered else "500",
        milliseconds=7,
        address="192.0.2.7",
        answer=b"ok",
    )


async def test_a_claim_has_all_that_is_to_be_sent(conn: Conn) -> None:
    url = "https://shop.example/hook?order=7"
    payment = await written(conn, webhook_url=url)
    event = created(payment)
    claims = {got.endpoint_id: got for got in await claim(conn)}
    assert {one: got.url for one, got in claims.items()} == {
        CONFIG: "https://shop.example/all",
        site_of(url): url,
    }
    for got in claims.values():
        assert (got.event_id, got.payment_id, got.attempts) == (event.id, payment.id, 1)
        assert (got.sequence, got.type, got.created_at) == (1, "payment.created", NOW)
        assert got.body.startswith(f'{{"id":"{event.id}","type":"payment.created"'.encode())


async def test_nobody_to_tell_is_an_event_without_deliveries(conn: Conn) -> None:
    payment = await written(conn)
    again = created(payment)
    await outbox.append(conn, [again], now=NOW)
    assert await conn.fetchval("SELECT count(*) FROM deliveries") == 1, "the same fact once"
    await conn.execute("DELETE FROM deliveries; DELETE FROM events")
    await endpoints.sync_config(conn, "", now=NOW)
    await outbox.append(conn, [again], now=NOW)
    assert await conn.fetchval("SELECT count(*) FROM events") == 1
    assert await claim(conn) == []


async def test_two_senders_never_claim_the_same(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for _ in range(40):
            await written(conn)
        await conn.execute("UPDATE endpoints SET concurrency_max = 40")

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
    assert await queue.complete(conn, [ended(stale, delivered=False)], now=NOW) == 0
    again = ended(stale, delivered=False, again=timedelta(hours=1))
    assert await queue.complete(conn, [again], now=NOW) == 0
    await queue.release(conn, [stale], now=NOW)
    row = await conn.fetchrow("SELECT claim_id, attempts FROM deliveries")
    assert tuple(row or ()) == (fresh_claim.claim_id, 2)
    assert await queue.complete(conn, [ended(fresh_claim)], now=NOW) == 1
    assert await queue.complete(conn, [ended(fresh_claim, delivered=False)], now=NOW) == 0
    assert await conn.fetchval("SELECT count(*) FROM deliveries") == 0
    done = await conn.fetchrow("SELECT delivered, attempts, outcome FROM deliveries_done")
    assert tuple(done or ()) == (True, 2, "200")
    tried = await conn.fetch("SELECT attempt, outcome, milliseconds, address, answer FROM attempts")
    assert [tuple(row) for row in tried] == [(2, "200", 7, "192.0.2.7", b"ok")]


async def test_what_is_given_back_costs_no_attempt(conn: Conn) -> None:
    await written(conn)
    (first,) = await claim(conn)
    await queue.release(conn, [first], now=NOW)
    (again,) = await claim(conn)
    assert again.attempts == 1


async def test_what_is_done_or_waits_is_not_claimed(conn: Conn) -> None:
    for _ in range(3):
        await written(conn)
    done, dead, waits = await claim(conn)
    hour = timedelta(hours=1)
    ends = [ended(done), ended(dead, delivered=False), ended(waits, delivered=False, again=hour)]
    assert await queue.complete(conn, ends, now=NOW) == 3
    assert await claim(conn, hour - timedelta(seconds=1)) == []
    assert [got.event_id for got in await claim(conn, hour)] == [waits.event_id]


async def test_the_oldest_comes_first(conn: Conn) -> None:
    for hours in (3, 1, 2):
        await outbox_at(conn, hours)
    due = [got.event_id for got in await claim(conn, timedelta(hours=9), count_max=1)]
    assert due == [await conn.fetchval("SELECT id FROM events ORDER BY created_at LIMIT 1")]


async def test_the_backlog_is_counted_up_to_a_limit(conn: Conn) -> None:
    empty = await queue.backlog(conn, now=NOW, count_max=10)
    assert (empty.due, empty.waiting, empty.next) == (0, 0, None)
    for _ in range(4):
        await written(conn)
    some = await queue.backlog(conn, now=NOW, count_max=3)
    assert (some.due, some.waiting, some.next) == (3, 3, NOW)


async def outbox_at(conn: Conn, hours: int) -> UUID:
    payment = fresh()
    await endpoints.sync_config(conn, URL, now=NOW)
    await payments.insert(conn, [payment], wallet=WALLET)
    await outbox.append(conn, [created(payment)], now=NOW + timedelta(hours=hours))
    return payment.id


async def test_a_filter_lets_through_what_it_names(conn: Conn) -> None:
    filters = [("*",), ("payment.*",), ("payment.created",), ("payment.paid",), ("webhook.*",)]
    endpoints_made = [an_endpoint(f"we_{n}", event_types=types) for n, types in enumerate(filters)]
    await made(conn, *endpoints_made)
    await written(conn)
    told = {got.endpoint_id for got in await claim(conn)} - {CONFIG}
    wanted = {f"we_{n}" for n, types in enumerate(filters) if matches(types, "payment.created")}
    assert told == wanted == {"we_0", "we_1", "we_2"}


async def test_an_endpoint_is_given_no_more_than_it_has_slots(conn: Conn) -> None:
    await made(conn, an_endpoint(concurrency_max=2), an_endpoint("we_2", concurrency_max=1))
    for _ in range(5):
        await written(conn)
    first = Counter(got.endpoint_id for got in await claim(conn))
    assert first == {"we_1": 2, "we_2": 1, CONFIG: 5}
    assert await claim(conn) == [], "leases that run count"
    after = Counter(got.endpoint_id for got in await claim(conn, LEASE))
    assert after == {"we_1": 2, "we_2": 1, CONFIG: 5}, "leases that ran out do not"


async def test_an_endpoint_with_a_rate_is_given_what_is_allowed(conn: Conn) -> None:
    await made(conn, an_endpoint())
    for _ in range(5):
        await written(conn)
    got = await claim(conn, allowed={EndpointId("we_1"): 3})
    assert Counter(one.endpoint_id for one in got) == {"we_1": 3, CONFIG: 5}


async def test_no_endpoint_fills_the_sender(conn: Conn) -> None:
    for _ in range(9):
        await written(conn)
    await made(conn, an_endpoint())
    await written(conn)
    got = Counter(one.endpoint_id for one in await claim(conn, count_max=4))
    assert got == {CONFIG: 3, "we_1": 1}


async def test_one_that_failed_is_tried_with_one_and_left_alone_while_it_is_paused(
    conn: Conn,
) -> None:
    for _ in range(3):
        await written(conn)
    await endpoints.count(conn, [Tally(endpoint_id=CONFIG, failures=5)], now=NOW)
    await endpoints.pause(conn, CONFIG, until=NOW + LEASE)
    assert await claim(conn) == []
    (one,) = await claim(conn, LEASE)
    await queue.complete(conn, [ended(one)], now=NOW)
    await endpoints.count(conn, [Tally(endpoint_id=CONFIG, failures=0)], now=NOW)
    assert len(await claim(conn, LEASE)) == 2


async def test_what_waits_for_nobody_is_ended(conn: Conn) -> None:
    await made(conn, an_endpoint("we_gone"), an_endpoint("we_off"))
    await written(conn)
    await endpoints.remove(conn, EndpointId("we_gone"))
    await endpoints.disable(conn, EndpointId("we_off"), "by hand", now=NOW)
    assert {got.endpoint_id for got in await claim(conn)} == {CONFIG}
    assert await queue.end_stranded(conn, now=NOW) is False
    rows = await conn.fetch(
        "SELECT endpoint_id, delivered, outcome FROM deliveries_done ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("we_gone", False, "disabled"),
        ("we_off", False, "disabled"),
    ]
    assert await conn.fetchval("SELECT count(*) FROM deliveries") == 1


async def test_what_was_delivered_is_sent_again_when_asked(conn: Conn) -> None:
    await written(conn)
    (first,) = await claim(conn)
    await queue.complete(conn, [ended(first)], now=NOW)
    assert await outbox.resend(conn, [first.event_id], CONFIG, now=NOW) == 1
    (again,) = await claim(conn)
    assert (again.event_id, again.body, again.manual) == (first.event_id, first.body, True)
    assert await outbox.resend(conn, [first.event_id], CONFIG, now=NOW) == 0, "it is on the wire"
    await queue.complete(conn, [ended(again)], now=NOW)


async def test_a_fault_of_ours_costs_no_attempt(conn: Conn) -> None:
    await written(conn)
    (first,) = await claim(conn)
    fault = replace(ended(first, delivered=False, again=timedelta(0)), ours=True)
    await queue.complete(conn, [fault], now=NOW)
    (again,) = await claim(conn)
    assert (again.attempts, again.faults) == (1, 1)


async def test_months_are_made_ahead_and_forgotten_in_time(conn: Conn) -> None:
    await queue.keep_months(conn, now=NOW, kept_from=NOW - timedelta(days=90))
    await written(conn)
    (first,) = await claim(conn)
    await queue.complete(conn, [ended(first)], now=NOW)
    assert await conn.fetchval("SELECT count(*) FROM attempts_rest") == 0
    later = NOW + timedelta(days=200)
    await queue.keep_months(conn, now=later, kept_from=NOW - timedelta(days=1))
    assert await conn.fetchval("SELECT count(*) FROM attempts") == 1
    await queue.keep_months(conn, now=later, kept_from=later)
    assert await conn.fetchval("SELECT count(*) FROM attempts") == 0
    assert await conn.fetchval("SELECT count(*) FROM deliveries_done") == 0


async def test_places_are_given_in_the_order_of_commits(pool: Pool) -> None:
    async with pool.acquire() as late, pool.acquire() as other:
        first, second = fresh(), fresh()
        await payments.insert(other, [first, second], wallet=WALLET)
        under_way = late.transaction()
        await under_way.start()
        await outbox.append(late, [created(first)], now=NOW)
        await outbox.append(other, [created(second)], now=NOW + LEASE)
        async with other.transaction():
            assert await outbox.place(other) is False
        await under_way.commit()
        async with other.transaction():
            await outbox.place(other)
        rows = await other.fetch("SELECT payment_id, position FROM events ORDER BY position")
    assert [tuple(row) for row in rows] == [(second.id, 1), (first.id, 2)]
