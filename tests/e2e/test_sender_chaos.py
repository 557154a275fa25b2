"""Two senders on one database, killed a hundred times: nothing is lost, little comes twice.

Half of the kills are at a point on purpose, the others whenever they come. Some processes
are stopped instead until their leases are over, and then go on with answers that are no
longer theirs to write.

How much may come twice is counted, not guessed: a trigger notes each claim, so it is known
what every process had in hand when it died. That may be sent once more, and nothing else.
"""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from random import Random, SystemRandom
from typing import Final, Literal

from aiohttp import web
from msgspec.structs import replace

from ctrip.clock import SystemClock
from ctrip.core.events import PaymentEvent, created
from ctrip.core.ids import EventId
from ctrip.flows.deliver import SLOTS_MAX
from ctrip.settings import Secret
from ctrip.store import endpoints, outbox, payments
from ctrip.store.pool import Pool, connection, transaction
from ctrip.webhooks.seal import Sealer
from tests.store.rows import WALLET, fresh
from tests.support.builders import CREATED, run, seen
from tests.support.receiver import Receiver, receiver
from tests.support.receivers_on_record import an_endpoint, has_receiver, made, signs
from tests.support.sender_process import POINTS, Orders, Point
from tests.support.sender_slot import Life, Slot, a_slot
from tests.support.waiting import until

KILLS: Final = 100
KILLS_AT_A_POINT: Final = 8  # of each; the others are at random moments
TIMES_MAX: Final = 4  # that a process comes to its point
STOPS: Final = 3
OTHER_SECONDS: Final = 0.6  # after a lease, for the other sender to take what was in hand
LEASE_SECONDS: Final = 1.6
TIMEOUT_SECONDS: Final = 10.0  # so that who was stopped wakes up with answers, not with failures
LIFE_SECONDS_MAX: Final = 0.3
ANSWER_SECONDS_MAX: Final = 0.05
LATER_SECONDS: Final = 86_400.0  # when every lease and every retry is due
SETTLE_SECONDS_MAX: Final = 20.0
SLOTS: Final = 200  # of an endpoint; the dead keep theirs until their leases are over
EVENTS_MAX: Final = 8  # in a transaction
ROLLED_BACK_PART: Final = 0.2
WAITING_MAX: Final = 40  # deliveries; enough to find at any moment
PAUSE_SECONDS: Final = 0.005
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (published, in Standard Webhooks)
KEY: Final = "k" * 64
MADE: Final = ("we_1", "we_2")

NOTE_CLAIMS: Final = """
CREATE TABLE claims (claim_id uuid, event_id text, endpoint_id text);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO claims VALUES (NEW.claim_id, NEW.event_id, NEW.endpoint_id);
    RETURN NULL;
END $$;
CREATE TRIGGER note_claim AFTER UPDATE ON deliveries FOR EACH ROW
WHEN (NEW.claim_id IS NOT NULL AND NEW.claim_id IS DISTINCT FROM OLD.claim_id)
EXECUTE FUNCTION note_claim();
"""

Blow = Point | Literal["anytime", "stop"]
BY_US: Final[tuple[Blow, ...]] = ("anytime", "stop")
Sent = tuple[str, str]  # a path, which stands for an endpoint, and an event


class RolledBack(Exception):
    """Nobody is to hear of it."""


class Chaos:
    """One run."""

    def __init__(self, pool: Pool, shop: Receiver, orders: Orders, seed: int) -> None:
        self.promised: set[Sent] = set()
        self.rolled_back: set[EventId] = set()
        self.lives: list[tuple[Blow, Life]] = []
        self.hits: Counter[str] = Counter()
        self._pool = pool
        self._shop = shop
        self._orders = orders
        self._random = Random(seed)
        blows: list[Blow] = [point for point in POINTS for _ in range(KILLS_AT_A_POINT)]
        blows += [BY_US[0]] * (KILLS - len(blows)) + [BY_US[1]] * STOPS
        self._random.shuffle(blows)
        self._blows = blows

    async def answer(self, _: Receiver, __: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(self._random.uniform(0.005, ANSWER_SECONDS_MAX))
        return web.Response()

    async def write(self) -> None:
        """Promise events until all lives are over."""
        while len(self.lives) < KILLS + STOPS:
            if await self._waiting("due_at <= now()") < WAITING_MAX:
                await self._write_some()
            await asyncio.sleep(PAUSE_SECONDS)

    async def strike(self, slot: Slot) -> None:
        """Start a sender, end it, and again."""
        while self._blows:
            blow = self._blows.pop()
            await slot.begin(self._orders if blow in BY_US else self._to_die(blow))
            if blow == "anytime":
                await asyncio.sleep(self._random.uniform(0, LIFE_SECONDS_MAX))
            if blow == "stop":
                await self._stop(slot)
            if blow in BY_US:
                slot.kill()
            life = await slot.ended()
            assert life.exit_code == -signal.SIGKILL, life
            self.hits[life.last_point() if blow in BY_US else blow] += 1
            self.lives.append((blow, life))

    async def settle(self, slot: Slot) -> Life:
        """Let one sender live, long after, and end it as systemd would."""
        await slot.begin(replace(self._orders, ahead_seconds=LATER_SECONDS))

        async def is_empty() -> bool:
            return not await self._waiting()

        await until("everything is sent", is_empty, seconds=SETTLE_SECONDS_MAX)
        slot.kill(signal.SIGTERM)
        return await slot.ended()

    async def _write_some(self) -> None:
        news: list[PaymentEvent] = []
        new = [
            fresh(webhook_url=self._random.choice((None, f"{self._shop.url}/own")))
            for _ in range(self._random.randint(1, EVENTS_MAX))
        ]
        for payment in new:
            news += [created(payment), *run(payment, seen())[1]]
        ids = [event.id for event in news]
        try:
            async with transaction(self._pool) as conn:
                await payments.insert(conn, new, wallet=WALLET)
                await outbox.append(conn, news, now=SystemClock().now())
                if self._random.random() < ROLLED_BACK_PART:
                    raise RolledBack  # noqa: TRY301  what rolls a transaction back is an exception
        except RolledBack:
            self.rolled_back.update(ids)
            return
        paths = (path(self._shop.url), *(path(f"{self._shop.url}/{one}") for one in MADE))
        self.promised |= {(to, event_id) for to in paths for event_id in ids}
        own = path(f"{self._shop.url}/own")
        self.promised |= {(own, event.id) for event in news if event.payment.webhook_url}

    async def _waiting(self, such: str = "true") -> int:
        async with connection(self._pool) as conn:
            query = f"SELECT count(*) FROM deliveries WHERE {such}"
            return int(await conn.fetchval(query))

    async def _stop(self, slot: Slot) -> None:
        """Let a sender sleep through its leases, and write what it still has in hand."""

        async def has_some_in_hand() -> bool:
            life = slot.so_far()
            return life.claimed() > life.written() + life.given_back()

        async def has_completed() -> bool:
            return len(slot.so_far().completions()) > len(before.completions())

        await until("it has something in hand", has_some_in_hand)
        slot.kill(signal.SIGSTOP)
        before = slot.so_far()
        await asyncio.sleep(LEASE_SECONDS + OTHER_SECONDS)
        slot.kill(signal.SIGCONT)
        await until("it goes on", has_completed)

    def _to_die(self, at: Blow) -> Orders:
        (point,) = (point for point in POINTS if point == at)
        return replace(self._orders, dies_at=point, times=self._random.randint(1, TIMES_MAX))


def path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


async def test_a_hundred_kills_lose_nothing_and_repeat_only_what_was_in_hand(
    pool: Pool, database: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or SystemRandom().getrandbits(32))
    print(f"repeat with CHAOS_SEED={seed}")  # noqa: T201  shown when it fails
    async with (
        receiver() as shop,
        a_slot(tmp_path / "one") as one,
        a_slot(tmp_path / "other") as other,
    ):
        orders = Orders(
            database=database,
            diary="",
            secret=SECRET,
            secrets_key=KEY,
            lease_seconds=LEASE_SECONDS,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        chaos = Chaos(pool, shop, orders, seed)
        shop.answers(chaos.answer)
        await receivers_exist(pool, shop.url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(chaos.write())
            tasks.create_task(chaos.strike(one))
            tasks.create_task(chaos.strike(other))
        assert (await chaos.settle(one)).exit_code == 0
        got = Counter((r.path, r.headers["webhook-id"]) for r in shop.received)
    assert len(chaos.lives) == KILLS + STOPS
    assert all(chaos.hits[point] >= KILLS_AT_A_POINT for point in POINTS), chaos.hits
    assert chaos.rolled_back, "some were never to be sent"
    assert set(got) == chaos.promised
    await check_books(pool, chaos, got)


async def receivers_exist(pool: Pool, url: str) -> None:
    sealer = Sealer(Secret(KEY))
    await has_receiver(pool, url)
    async with connection(pool) as conn:
        for endpoint_id in MADE:
            await made(conn, an_endpoint(endpoint_id, f"{url}/{endpoint_id}"))
            await signs(conn, endpoint_id, SECRET, sealer)
        await endpoints.add_sites(conn, [url], now=CREATED)
        await conn.execute(NOTE_CLAIMS)
        await conn.execute("UPDATE endpoints SET concurrency_max = $1", SLOTS)


async def check_books(pool: Pool, chaos: Chaos, got: Counter[Sent]) -> None:
    """Compare what was received with what is on record, and with what was in hand at deaths."""
    async with connection(pool) as conn:
        done = await conn.fetch("SELECT event_id, endpoint_id, delivered FROM deliveries_done")
        noted = await conn.fetchval("SELECT count(*) FROM attempts")
        failed = await conn.fetchval("SELECT count(*) FROM attempts WHERE outcome <> '200'")
        claims = await conn.fetch("SELECT claim_id, count(*) AS n FROM claims GROUP BY claim_id")
    assert len(done) == len({(row["event_id"], row["endpoint_id"]) for row in done})
    assert len(done) == len(chaos.promised)
    assert all(row["delivered"] for row in done)
    assert noted == len(done) + failed, "who lost its claim wrote nothing"
    sizes = {row["claim_id"]: row["n"] for row in claims}
    in_hand = 0
    for blow, life in chaos.lives:
        left = sum(sizes.get(claim, 0) for claim in life.claims())
        left -= life.written() + life.given_back()
        assert 0 <= left <= SLOTS_MAX or blow == "stop"
        in_hand += left
    repeated = sum(got.values()) - len(got)
    assert 0 < repeated <= in_hand + failed
    assert sum(got.values()) <= sum(sizes.values()), "no request without a claim"
    ends = [end for _, life in chaos.lives for end in life.completions()]
    assert any(w < t for w, t in ends), "a sender that slept through its leases tried to write"
