"""Ranges to be read beside the newest blocks: which comes first, and how far it is."""

from datetime import timedelta

from ctrip.core.ids import BlockNumber
from ctrip.core.payment import Transfer
from ctrip.store import blocks, payments, rescans
from ctrip.store.pool import Conn, Pool
from ctrip.store.rescans import Rescan
from tests.store.rows import written
from tests.support.builders import CHAIN, CREATED, DEADLINE, a_head, a_transfer, block_hash

FINAL = BlockNumber(1_000)


async def a_gap(conn: Conn, first: int, last: int) -> Rescan:
    return await rescans.begin(
        conn,
        CHAIN,
        BlockNumber(first),
        BlockNumber(last),
        cause="gap",
        read_until=CREATED,
        now=CREATED,
    )


async def an_order(conn: Conn, first: int, last: int) -> Rescan:
    return await rescans.begin(
        conn,
        CHAIN,
        BlockNumber(first),
        BlockNumber(last),
        cause="operator",
        read_until=None,
        now=CREATED,
    )


async def step(conn: Conn, rescan: Rescan, read: int) -> None:
    await rescans.step(conn, rescan.id, read=BlockNumber(read), time=CREATED, now=DEADLINE)


async def test_the_oldest_range_comes_first_but_gaps_before_all(conn: Conn) -> None:
    assert await rescans.following(conn, CHAIN, finalized=FINAL) is None
    order, later = await an_order(conn, 1, 5), await an_order(conn, 6, 9)
    gap = await a_gap(conn, 20, 30)
    for expected, last in ((gap, 30), (order, 5), (later, 9)):
        assert await rescans.following(conn, CHAIN, finalized=FINAL) == expected
        await step(conn, expected, last)
    assert await rescans.following(conn, CHAIN, finalized=FINAL) is None


async def test_what_is_not_final_does_not_hold_up_what_is(conn: Conn) -> None:
    await an_order(conn, 50, 60)
    ready = await an_order(conn, 1, 5)
    assert await rescans.following(conn, CHAIN, finalized=BlockNumber(49)) == ready


async def test_a_range_is_followed_step_by_step_to_its_end(conn: Conn) -> None:
    order = await an_order(conn, 1, 5)
    await step(conn, order, 3)
    now = await rescans.find(conn, order.id)
    assert now is not None
    assert (now.next, now.ended_at) == (4, None)
    assert await rescans.unfinished(conn, CHAIN, order.first, order.last) == now
    await step(conn, order, 5)
    now = await rescans.find(conn, order.id)
    assert now is not None
    assert (now.next, now.ended_at) == (6, DEADLINE)
    assert await rescans.unfinished(conn, CHAIN, order.first, order.last) is None


async def test_a_range_is_held_only_where_it_stands(pool: Pool) -> None:
    async with pool.acquire() as conn:
        order = await an_order(conn, 1, 5)
        assert await rescans.hold(conn, order.id, at=order.first)
        assert not await rescans.hold(conn, order.id, at=BlockNumber(2))


async def test_the_lowest_gap_is_the_lowest_block_that_was_never_read(conn: Conn) -> None:
    assert await rescans.lowest_gap(conn, CHAIN) is None
    await an_order(conn, 1, 5)
    lower, _ = await a_gap(conn, 20, 30), await a_gap(conn, 40, 50)
    assert await rescans.lowest_gap(conn, CHAIN) == 20
    await step(conn, lower, 25)
    assert await rescans.lowest_gap(conn, CHAIN) == 26
    await step(conn, lower, 30)
    assert await rescans.lowest_gap(conn, CHAIN) == 40


async def test_what_is_on_record_of_a_range_is_live_and_within_it(conn: Conn) -> None:
    payment = await written(conn)
    kept = a_transfer(1, block=10, to=payment.address)
    moved: list[Transfer] = [
        a_transfer(2, block=9, to=payment.address),
        kept,
        a_transfer(3, block=11, to=payment.address, orphaned=True),
        a_transfer(4, block=13, to=payment.address),
    ]
    await payments.save(conn, [payment], [(payment, one) for one in moved])
    first, last = BlockNumber(10), BlockNumber(12)
    (found,) = await rescans.on_record(conn, CHAIN, first, last)
    assert (found.key, found.block_number, found.log_index) == (kept.key, 10, None)
    assert found.block_hash == block_hash(10)
    assert await rescans.count_on_record(conn, CHAIN, first, last) == 1


async def test_a_gap_stops_the_time_of_its_chain_and_an_order_does_not(conn: Conn) -> None:
    """Deadlines are compared with the time up to which all was read."""
    await blocks.start(conn, CHAIN, a_head(40, 30), now=CREATED)
    await an_order(conn, 1, 5)
    newest = (await blocks.places(conn))[CHAIN].time
    gap = await a_gap(conn, 20, 30)
    assert newest > CREATED
    assert (await blocks.places(conn))[CHAIN].time == CREATED
    half = CREATED + timedelta(seconds=5)
    await rescans.step(conn, gap.id, read=BlockNumber(25), time=half, now=DEADLINE)
    assert (await blocks.places(conn))[CHAIN].time == half
    await step(conn, gap, 30)
    assert (await blocks.places(conn))[CHAIN].time == newest
