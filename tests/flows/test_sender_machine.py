"""Whatever receivers, clock, crashes and hands do: what was promised is sent, or says why not."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ctrip.core.endpoints import EndpointId, matches
from ctrip.core.retry import SCHEDULE
from ctrip.flows import deliver, lanes
from ctrip.settings import Secret
from ctrip.store import pool as store
from ctrip.store.pool import Pool
from tests.flows.sender_world import LEASE, SENDERS, Mode, SenderWorld
from tests.support.one_database import EMPTY

EXAMPLES: Final = 60
STEPS: Final = 40
SHOPS_MAX: Final = 3
ROUNDS_MAX: Final = 60
LATER: Final = timedelta(hours=30)  # the longest wait, and some

kinds = st.sampled_from(["hmac", "hmac", "ed25519"])
numbers = st.integers(0, SHOPS_MAX - 1)
seats = st.integers(0, SENDERS - 1)
modes = st.sampled_from(["up", "slow", "slow", "down", "gone", "busy", "mute"])
filters = st.sampled_from(
    [("*",), ("payment.*",), ("payment.paid",), ("payment.created", "webhook.*")]
)
seconds = st.sampled_from([1, 6, 14, 31, 31, 70, 400, 2_500, 10_000, 50_000, 90_000, 500_000])
overlaps = st.sampled_from([timedelta(0), timedelta(seconds=20), timedelta(hours=24)])


class Machine(RuleBasedStateMachine):
    """A life of endpoints and senders."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Pool) -> None:
        super().__init__()
        self.loop = loop
        self.world = SenderWorld(pool)
        self.run(self.world.rows(EMPTY))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def pick(self, number: int) -> EndpointId:
        names = [name for name, shop in self.world.shops.items() if shop.there]
        return names[number % len(names)]

    @initialize(kind=kinds, mode=modes)
    def begin(self, kind: Any, mode: Mode) -> None:
        self.run(self.world.open_shop(("*",), 2, None, kind))
        self.behave(0, mode)
        self.announce(3)
        self.send()

    @precondition(lambda self: len(self.world.shops) < SHOPS_MAX)
    @rule(patterns=filters, slots=st.integers(1, 3), rate=st.sampled_from([None, 0.5]), kind=kinds)
    def open_shop(
        self, patterns: tuple[str, ...], slots: int, rate: float | None, kind: Any
    ) -> None:
        self.run(self.world.open_shop(patterns, slots, rate, kind))

    @rule(count=st.integers(1, 4))
    def announce(self, count: int) -> None:
        news = self.run(self.world.announce(count))
        expected = {
            (event, name)
            for event in news
            for name, shop in self.world.shops.items()
            if shop.enabled and shop.there and matches(shop.patterns, "payment.created")
        }
        waiting = self.run(self.world.pairs("deliveries"))
        assert {pair for pair in waiting if pair[0] in news} == expected
        self.world.events += news
        self.world.promised |= expected

    @rule()
    def send(self) -> None:
        self.run(self.world.send())

    @rule(step=seconds)
    def wait_and_send(self, step: int) -> None:
        self.world.clock.move(seconds=step)
        self.run(self.world.send())

    @rule(number=numbers, mode=modes)
    def behave(self, number: int, mode: Mode) -> None:
        self.world.shops[self.pick(number)].mode = mode

    @rule(seat=seats)
    def answer(self, seat: int) -> None:
        self.run(self.world.seats[seat].answer())

    @rule(seat=seats)
    def crash(self, seat: int) -> None:
        self.run(self.world.seats[seat].crash())

    @rule(seat=seats)
    def close(self, seat: int) -> None:
        self.run(self.world.seats[seat].close())
        self.run(self.world.learn())

    @rule(number=numbers, overlap=overlaps, kind=kinds)
    def rotate(self, number: int, overlap: timedelta, kind: Any) -> None:
        one = self.pick(number)
        now = self.world.clock.now()
        live = [k for k in self.world.shops[one].keys if k.expires_at is None or k.expires_at > now]
        if len(live) < SHOPS_MAX:
            self.run(self.world.rotate(one, overlap, kind))

    @rule(number=numbers, on=st.booleans())
    def switch(self, number: int, on: bool) -> None:  # noqa: FBT001  hypothesis draws it
        one = self.pick(number)
        work = self.world.endpoints.enable if on else self.world.endpoints.disable
        self.run(work(one))
        self.run(self.world.learn())

    @precondition(lambda self: self.world.events)
    @rule(number=numbers, index=st.integers(0, 30))
    def ask_again(self, number: int, index: int) -> None:
        one = self.pick(number)
        event = self.world.events[index % len(self.world.events)]
        if self.world.shops[one].enabled:
            self.run(self.world.endpoints.redeliver(one, [event]))
            self.world.asked_again.add((event, one))
            self.world.promised.add((event, one))

    @precondition(lambda self: sum(shop.there for shop in self.world.shops.values()) > 1)
    @rule(number=numbers)
    def remove(self, number: int) -> None:
        one = self.pick(number)
        self.run(self.world.endpoints.remove(one))
        self.world.shops[one].there = False

    @rule()
    def prune(self) -> None:
        self.run(self.world.pruner.run_once())

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.run(self.look())

    async def look(self) -> None:
        """Compare the books with what receivers saw."""
        world = self.world
        assert not world.faults
        waiting = await world.pairs("deliveries")
        done = await world.pairs("deliveries_done")
        assert waiting | done == world.promised, "nothing is forgotten, nothing is made up"
        assert waiting & done <= world.asked_again
        (leased,) = await world.rows(
            "SELECT max(due_at) FROM deliveries WHERE claim_id IS NOT NULL"
        )
        assert leased[0] is None or leased[0] <= world.clock.now() + LEASE
        counts = await world.rows(
            "SELECT attempts FROM deliveries UNION ALL SELECT attempts FROM deliveries_done"
        )
        counted = [row["attempts"] for row in counts]
        seen = sum(world.seen.values())
        assert max(counted, default=0) <= len(SCHEDULE) + world.crashes
        assert seen - world.given_back <= sum(counted) <= seen, "waiting costs no attempt"
        await self.compare_attempts(seen)

    async def compare_attempts(self, seen: int) -> None:
        world = self.world
        (noted,) = await world.rows("SELECT count(*) FROM attempts")
        most = seen - world.lost - sum(len(seat.waiting) for seat in world.seats)
        unwritten = sum(len(seat.unwritten) for seat in world.seats)
        assert most - world.doubtful - unwritten <= noted[0] <= most

    def teardown(self) -> None:
        try:
            if self.world.shops:
                self.run(self.end_well())
        finally:
            for seat in self.world.seats:
                self.run(seat.crash())

    async def end_well(self) -> None:
        """Make everybody well, wait long enough, and see that all was sent or says why not."""
        world = self.world
        for seat in world.seats:
            await seat.answer()
        for shop in world.shops.values():
            shop.mode = "up"
        await world.pruner.run_once()
        for _ in range(ROUNDS_MAX):
            await world.send()
            await world.send()
            if not await world.pairs("deliveries"):
                break
            world.clock.move(seconds=LATER.total_seconds())
            await world.pruner.run_once()
        await self.look()
        assert not await world.pairs("deliveries")
        ended = await world.rows("SELECT * FROM deliveries_done")
        assert {(row["event_id"], row["endpoint_id"]) for row in ended} == world.promised
        for row in ended:
            if row["delivered"]:
                assert (row["event_id"], row["endpoint_id"]) in world.taken
            else:
                over = row["attempts"] >= len(SCHEDULE)
                assert over or row["outcome"] in {"410", "disabled"}, row


@contextmanager
def a_loop_with_a_pool(url: str) -> Iterator[tuple[asyncio.AbstractEventLoop, Pool]]:
    """Lend a loop for rules, which are no coroutines, and a pool that lives on it."""
    loop = asyncio.new_event_loop()
    pool = loop.run_until_complete(store.connect(Secret(url), size_max=4))
    try:
        yield loop, pool
    finally:
        loop.run_until_complete(pool.close())
        loop.close()


def test_whatever_happens_what_was_promised_is_sent_or_says_why_not(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "EMPTY_SECONDS", 0)
    # Whoever answered well since the last claim is given twice its slots ahead, however long ago.
    monkeypatch.setattr(deliver, "KEPT_SECONDS_MAX", 0.001)
    monkeypatch.setattr(lanes, "PACE_SECONDS", 0)
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", 1e9)
    with a_loop_with_a_pool(database) as (loop, pool):
        run_state_machine_as_test(
            lambda: Machine(loop, pool),  # type: ignore[arg-type]  # a factory will do, it says
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
