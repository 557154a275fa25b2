"""No slot waits for the next look while something is due for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ctrip.core.endpoints import EndpointId
from ctrip.flows import lanes
from ctrip.store.pool import Pool, transaction
from tests.flows.sender_world import Seat, SenderWorld

PATIENCE_SECONDS = 5.0  # a call for a pass takes milliseconds; there is no look without one here


@pytest.fixture(autouse=True)
def nothing_is_claimed_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", 0)


@pytest.fixture
async def life(pool: Pool) -> SenderWorld:
    """One shop with one slot, which is slow, and three events for it."""
    life = SenderWorld(pool)
    await life.open_shop(("payment.*",), 1, None, "hmac")
    the_shop_is(life, slow=True)
    life.events = await life.announce(3)
    return life


async def test_a_slot_that_is_free_once_answers_are_written_is_given_away(
    life: SenderWorld,
) -> None:
    (seat, _) = life.seats
    await seat.send()
    async with no_record(life):
        the_shop_is(life, slow=False)
        answer(seat)
        await a_pass(seat)
        await a_pass(seat)
        assert len(life.taken) == 2, "another slot is not given before the first is written"
    await all_is_taken(life, seat)


async def test_a_slot_that_is_free_after_the_last_was_written_is_given_away(
    life: SenderWorld,
) -> None:
    (seat, _) = life.seats
    await seat.send()
    async with no_record(life):
        answer(seat)
        await a_pass(seat)
    await a_pass(seat)
    assert len(life.taken) == 1, "the one slot is on the wire"
    the_shop_is(life, slow=False)
    answer(seat)
    await all_is_taken(life, seat)


@asynccontextmanager
async def no_record(life: SenderWorld) -> AsyncIterator[None]:
    """Keep what was claimed so far from being written down."""
    async with transaction(life.pool) as conn:
        await conn.execute("SELECT FROM deliveries WHERE claim_id IS NOT NULL FOR UPDATE")
        yield


def the_shop_is(life: SenderWorld, *, slow: bool) -> None:
    (shop,) = life.shops
    life.shops[EndpointId(shop)].mode = "slow" if slow else "up"


def answer(seat: Seat) -> None:
    (request,) = seat.waiting
    request.answer.set_result(None)


async def a_pass(seat: Seat) -> None:
    """Do a pass when one is called for."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await seat.news.wait()
    seat.news.clear()
    await seat.sender.run_once()


async def all_is_taken(life: SenderWorld, seat: Seat) -> None:
    while len(life.taken) < len(life.events):
        await a_pass(seat)
    await seat.sender.settled()
    assert not await life.pairs("deliveries")
