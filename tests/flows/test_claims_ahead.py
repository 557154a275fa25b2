"""What a sender claims ahead of a slot is sent at once, or goes back in time, and is never lost."""

from typing import Any

import asyncpg
import pytest

from ctrip.flows import deliver, lanes
from ctrip.store import queue
from ctrip.store.pool import Pool
from tests.flows.sender_world import Mode, SenderWorld
from tests.support.flaky import FlakyPool
from tests.support.waiting import until


async def with_some_ahead(pool: Pool) -> SenderWorld:
    """Return a shop with two slots on the wire and one answer behind it, and claim ahead for it."""
    life = SenderWorld(pool)
    await life.open_shop(("payment.*",), 2, None, "hmac")
    the_shop_is(life, "slow")
    life.events = await life.announce(7)
    await life.seats[0].sender.run_once()
    await until("two are on the wire", lambda: are_waiting(life, 2))
    await sends_one(life)
    await life.seats[0].sender.run_once()
    await until("two are on the wire", lambda: are_waiting(life, 2))
    return life


@pytest.fixture
async def life(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> SenderWorld:
    """A shop of whose seven deliveries one is done, two are on the wire and four claimed ahead."""
    monkeypatch.setattr(lanes, "PACE_SECONDS", 0)
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", 1e9)
    monkeypatch.setattr(deliver, "KEPT_SECONDS_MAX", 60)
    life = await with_some_ahead(pool)
    assert len(await life.rows(CLAIMED)) == 2 + 4
    return life


async def test_a_slot_is_given_away_without_a_claim(life: SenderWorld) -> None:
    for sent in (4, 5, 6):
        await sends_one(life)
        await until("the next is sent", lambda: are_waiting(life, 2))
        assert sum(life.seen.values()) == sent
    assert set(life.seen.values()) == {1}


async def with_some_that_goes_back(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> SenderWorld:
    """Return the same shop when what was claimed ahead for it has gone back."""
    monkeypatch.setattr(lanes, "PACE_SECONDS", 0)
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", 1e9)
    monkeypatch.setattr(deliver, "KEPT_SECONDS_MAX", 0.001)
    life = await with_some_ahead(pool)

    async def went_back() -> bool:
        return len(await life.rows(CLAIMED)) == 2

    await until("it went back", went_back)
    return life


class LosesOne(FlakyPool):
    """A pool whose connection dies at the first of some statements."""

    def __init__(self, pool: Pool, statement: str) -> None:
        super().__init__(pool)
        self._lost = statement

    def sends(self, statement: str, conn: Any) -> None:
        super().sends(statement, conn)
        if statement == self._lost and self.statements.count(statement) == 1:
            conn.terminate()
            raise asyncpg.ConnectionDoesNotExistError("cut off by the test")


async def test_what_could_not_go_back_goes_back_later(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing = LosesOne(pool, queue.RELEASE)
    await with_some_that_goes_back(losing.as_pool(), monkeypatch)
    assert losing.statements.count(queue.RELEASE) > 1


async def test_what_finds_no_slot_goes_back_and_costs_no_attempt(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = await with_some_that_goes_back(pool, monkeypatch)
    (seat, _) = life.seats
    the_shop_is(life, "up")
    for request in seat.waiting:
        request.answer.set_result(None)
    while len(life.taken) < 7:
        await seat.sender.run_once()
        await seat.sender.settled()
    assert set(life.seen.values()) == {1}
    ended = await life.rows("SELECT attempts FROM deliveries_done")
    assert [row["attempts"] for row in ended] == [1] * 7


async def test_who_fails_is_sent_nothing_of_what_is_ahead(life: SenderWorld) -> None:
    the_shop_is(life, "down")
    await sends_one(life)
    await until("its failure is written", lambda: are_noted(life, 3))
    assert sum(life.seen.values()) == 4
    await life.seats[0].sender.close()
    waits = await life.rows("SELECT attempts FROM deliveries ORDER BY attempts")
    assert [row["attempts"] for row in waits] == [0] * 4 + [1]


async def test_who_is_told_to_stop_gives_back_what_is_ahead(life: SenderWorld) -> None:
    await life.seats[0].sender.close()
    rows = await life.rows("SELECT attempts, claim_id FROM deliveries")
    assert [tuple(row) for row in rows] == [(0, None)] * 6


CLAIMED = "SELECT FROM deliveries WHERE claim_id IS NOT NULL"


async def sends_one(life: SenderWorld) -> None:
    """Let a request be answered, and wait until that is written."""
    (noted,) = await life.rows("SELECT count(*) FROM attempts")
    life.seats[0].waiting[0].answer.set_result(None)
    await until("it is written", lambda: are_noted(life, noted[0] + 1))


async def are_noted(life: SenderWorld, count: int) -> bool:
    (noted,) = await life.rows("SELECT count(*) FROM attempts")
    return bool(noted[0] >= count)


async def are_waiting(life: SenderWorld, count: int) -> bool:
    return len(life.seats[0].waiting) == count


def the_shop_is(life: SenderWorld, mode: Mode) -> None:
    (shop,) = life.shops.values()
    shop.mode = mode
