"""What is handed in one pass is bounded, in number and in bytes, and everybody has a turn."""

from contextlib import ExitStack

import pytest

from ctrip.core.ids import NOBODY, PaymentId
from ctrip.flows import audience as flow
from ctrip.flows.audience import Audience, Listener
from ctrip.store.listeners import Share, news
from ctrip.store.pool import Pool, connection
from tests.support.builders import CREATED
from tests.support.changes import an_open_payment, change, open_payments
from tests.support.clock import FakeClock

LARGE = 100_000  # bytes


async def a_dusted_payment(pool: Pool) -> PaymentId:
    """Return a payment that has four large events after its first."""
    payment = await an_open_payment(pool)
    for _ in range(4):
        await change(pool, payment)
    async with connection(pool) as conn:
        await conn.execute(
            "UPDATE events SET body = convert_to(repeat('x', $2), 'UTF8') "
            "WHERE payment_id = $1 AND sequence > 1",
            payment,
            LARGE,
        )
    return payment


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "GAP_SECONDS", 0.005)


@pytest.fixture
def audience(pool: Pool) -> Audience:
    return Audience(pool, FakeClock(CREATED), silence_seconds=5)


async def told(listener: Listener) -> list[int]:
    """Return the sequences of what was handed."""
    return [one.sequence for one in await listener.take()]


async def test_what_is_held_is_bounded_in_bytes_too(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HELD_BYTES_MAX", 1)
    payment = await an_open_payment(pool)
    await change(pool, payment)
    with audience.listener(payment, NOBODY, after=0) as listener:
        for n in (1, 2):
            await audience.run_once()
            assert await told(listener) == [n]


async def test_a_pass_is_bounded_and_asks_for_another(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HANDED_MAX", 3)
    ids = await open_payments(pool, 5)
    with ExitStack() as stack:
        all_of_them = [
            stack.enter_context(audience.listener(payment, NOBODY, after=0)) for payment in ids
        ]
        assert await audience.run_once()
        assert not await audience.run_once()
        assert [await told(one) for one in all_of_them] == [[1]] * 5


async def test_large_events_are_read_only_as_far_as_they_will_be_held(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HELD_BYTES_MAX", 2 * LARGE)
    payment = await a_dusted_payment(pool)
    async with connection(pool) as conn:
        found = await news(conn, {payment: 0}, each=Share(16, 2 * LARGE), whole=Share(100, 10**9))
    assert [one.sequence for one in found] == [1, 2, 3]  # the first says next to nothing
    with audience.listener(payment, NOBODY, after=0) as listener:
        heard: list[int] = []
        while len(heard) < 5:
            await audience.run_once()
            heard += await told(listener)
        assert heard == [1, 2, 3, 4, 5]


async def test_a_pass_is_bounded_in_bytes_and_hands_something_all_the_same(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HANDED_BYTES_MAX", 1)
    ids = await open_payments(pool, 3)
    with ExitStack() as stack:
        all_of_them = [
            stack.enter_context(audience.listener(payment, NOBODY, after=0)) for payment in ids
        ]
        for n in (1, 2, 3):
            assert await audience.run_once()
            assert sum(one.reached for one in all_of_them) == n
        assert not await audience.run_once()


async def test_who_is_far_behind_holds_nobody_up(
    audience: Audience, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HANDED_MAX", 2)
    greedy, modest = await open_payments(pool, 2)
    for _ in range(6):
        await change(pool, greedy)
    with (
        audience.listener(greedy, NOBODY, after=0) as first,
        audience.listener(modest, NOBODY, after=0) as last,
    ):
        await audience.run_once()
        assert await told(first) == [1, 2]
        await audience.run_once()
        assert await told(last) == [1]
        await audience.run_once()
        assert await told(first) == [3, 4, 5]
