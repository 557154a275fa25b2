"""Senders, endpoints and a clock whose every request is remembered, for test_sender_machine.py.

The database is real and so is every verb; receivers and clock do as they are told. Each
request is checked as it comes: it may not come at all to who is disabled, and it has to
carry a signature of each secret that signs at that time, and of no other.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from msgspec import Struct
from standardwebhooks.webhooks import Webhook

from ctrip.core.endpoints import EndpointId
from ctrip.core.events import created
from ctrip.core.ids import EventId
from ctrip.core.signature import content_of
from ctrip.flows.deliver import Sender
from ctrip.flows.endpoints import Endpoints
from ctrip.flows.prune import Pruner
from ctrip.flows.receivers import Receivers
from ctrip.flows.register import New
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store import outbox
from ctrip.store.pool import Pool, connection, transaction
from ctrip.webhooks.client import Delivered, NoAnswer, Outcome, Refused, WebhookClient, Withdrawn
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import SecretKind, verify_v1a
from tests.store.rows import fresh
from tests.support.clock import FakeClock

LEASE: Final = timedelta(seconds=30)
SENDERS: Final = 2
RETRY_AFTER_SECONDS: Final = 100
SETTINGS: Final = Webhooks(secret=Secret("s" * 32), secrets_key=Secret("k" * 64))

Mode = Literal["up", "slow", "down", "gone", "busy", "mute"]
ANSWERS: Final[Mapping[Mode, Outcome]] = {
    "up": Delivered(status=200, milliseconds=1),
    "slow": Delivered(status=200, milliseconds=1),
    "down": Refused(status=500, retry_after_seconds=None, milliseconds=1),
    "gone": Refused(status=410, retry_after_seconds=None, milliseconds=1),
    "busy": Refused(status=429, retry_after_seconds=RETRY_AFTER_SECONDS, milliseconds=1),
    "mute": NoAnswer(why="timeout", milliseconds=1),
}
TOLD: Final = """
SELECT event_id, endpoint_id FROM deliveries_done JOIN events ON events.id = event_id
WHERE events.type = 'webhook.endpoint_disabled'
"""

Pair = tuple[str, str]  # an event, an endpoint


class Key(Struct):
    """What a receiver verifies by."""

    text: str
    expires_at: datetime | None


class Shop(Struct):
    """A receiver."""

    patterns: tuple[str, ...]
    keys: list[Key]
    mode: Mode = "up"
    enabled: bool = True
    there: bool = True
    disabled: int = 0  # times; what was on the wire then may have been ended meanwhile


class OnTheWire(Struct, eq=False):
    """A request that waits for its answer."""

    endpoint: str
    since: datetime
    answer: asyncio.Future[None]


class Seat:
    """A place for one sender at a time, and what it has in hand."""

    def __init__(self, world: "SenderWorld") -> None:
        self.waiting: list[OnTheWire] = []
        self.unwritten: list[bool] = []  # answers of this pass; True: it may have lost the claim
        self.tasks: set[asyncio.Task[None]] = set()
        self.news = asyncio.Event()
        self._world = world
        self._moved = asyncio.Event()
        self.sender = self._new()

    async def send(self) -> None:
        """Do a pass, and let everything end that does."""
        count = len(self.unwritten)
        await self.sender.run_once()
        self._world.doubtful += sum(self.unwritten[:count])
        del self.unwritten[:count]
        while len(self.tasks) > len(self.waiting):
            await self._something()

    async def answer(self) -> None:
        """Let slow receivers answer."""
        for request in self.waiting:
            request.answer.set_result(None)
        while self.tasks:
            await self._something()

    async def crash(self) -> None:
        """Lose everything that it has in hand, and begin anew."""
        self._world.lost += len(self.waiting)
        self._world.doubtful += len(self.unwritten)
        self._world.crashes += 1
        await self._drop()

    async def close(self) -> None:
        """Stop as when the process is told to."""
        self._world.lost += len(self.waiting)
        self._world.given_back += len(self.waiting)
        self._world.doubtful += sum(self.unwritten)
        await self.sender.close()
        await self._drop()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], still: Callable[[], bool]
    ) -> Outcome:
        """Be the client of this seat's sender."""
        if not still():
            raise Withdrawn
        endpoint = urlsplit(url).path[1:]
        shop = self._world.check(endpoint, body, headers)
        outcome = ANSWERS[shop.mode]
        since, disabled = self._world.clock.now(), shop.disabled
        if shop.mode == "slow":
            request = OnTheWire(endpoint, since, asyncio.get_running_loop().create_future())
            self.waiting.append(request)
            self._moved.set()
            try:
                await request.answer
            finally:
                self.waiting.remove(request)
        late = self._world.clock.now() - since >= LEASE
        self.unwritten.append(late or shop.disabled > disabled or not (shop.enabled and shop.there))
        if isinstance(outcome, Delivered):
            self._world.taken.add((headers["webhook-id"], endpoint))
        return outcome

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ends)
        return task

    def _ends(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._moved.set()

    async def _something(self) -> None:
        """Wait until a request waits for its answer, or a task ends."""
        self._moved.clear()
        await self._moved.wait()

    def _new(self) -> Sender:
        world = self._world
        return Sender(
            world.pool,
            cast("WebhookClient", self),
            Receivers(world.pool, SETTINGS, world.clock),
            world.clock,
            self.news,
            lease=LEASE,
            spawn=self._spawn,
            stops=Stops(),
        )

    async def _drop(self) -> None:
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.unwritten.clear()
        self.sender = self._new()


class SenderWorld:
    """All of it, and what is known about it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.shops: dict[EndpointId, Shop] = {}
        self.events: list[EventId] = []
        self.promised: set[Pair] = set()
        self.asked_again: set[Pair] = set()
        self.taken: set[Pair] = set()
        self.seen: Counter[Pair] = Counter()
        self.lost = 0  # requests whose end nobody wrote down
        self.doubtful = 0  # answers that came too late to be written down, or may have
        self.given_back = 0
        self.crashes = 0
        self.faults: list[str] = []
        self.endpoints = Endpoints(
            pool, Guard(("127.0.0.0/8",)), SETTINGS, self.clock, asyncio.Event(), Stops()
        )
        self.pruner = Pruner(pool, self.clock, SETTINGS)
        self.seats = [Seat(self) for _ in range(SENDERS)]

    async def open_shop(
        self, patterns: tuple[str, ...], slots: int, rate: float | None, kind: SecretKind
    ) -> None:
        name = f"s{len(self.shops)}"
        new = New(
            url=f"http://127.0.0.1/{name}",
            event_types=patterns,
            concurrency_max=slots,
            rate_max=rate,
            signature=kind,
        )
        made, key = await self.endpoints.create(new)
        self.shops[made.id] = Shop(patterns, [Key(key, None)])
        await self.rows(
            "UPDATE endpoints SET url = $2 WHERE id = $1", made.id, f"http://127.0.0.1/{made.id}"
        )

    async def announce(self, count: int) -> list[EventId]:
        news = [created(fresh()) for _ in range(count)]
        async with transaction(self.pool) as conn:
            await outbox.append(conn, news, now=self.clock.now())
        return [event.id for event in news]

    async def rotate(self, one: EndpointId, overlap: timedelta, kind: SecretKind) -> None:
        text = await self.endpoints.rotate(one, overlap=overlap, signature=kind)
        until = self.clock.now() + overlap
        for key in self.shops[one].keys:
            key.expires_at = min(until, key.expires_at or until)
        self.shops[one].keys.append(Key(text, None))

    async def send(self) -> None:
        """Let both senders do a pass at once."""
        await asyncio.gather(*(seat.send() for seat in self.seats))
        await self.learn()

    async def learn(self) -> None:
        """Note who was disabled for what it answered, and what was promised because of it."""
        for row in await self.rows("SELECT id, enabled FROM endpoints"):
            shop = self.shops[row["id"]]
            shop.disabled += shop.enabled and not row["enabled"]
            shop.enabled = row["enabled"]
        self.promised |= await self.pairs("deliveries")
        # What one sender's pass made known, the other's may have delivered already.
        self.promised |= {(row["event_id"], row["endpoint_id"]) for row in await self.rows(TOLD)}

    async def pairs(self, table: str) -> set[Pair]:
        rows = await self.rows(f"SELECT event_id, endpoint_id FROM {table}")
        return {(row["event_id"], row["endpoint_id"]) for row in rows}

    async def rows(self, query: str, *args: object) -> list[Any]:
        async with connection(self.pool) as conn:
            return await conn.fetch(query, *args)

    def check(self, endpoint: str, body: bytes, headers: Mapping[str, str]) -> Shop:
        """Look at a request as it comes. What is wrong is said later: here it would be caught."""
        shop = self.shops[EndpointId(endpoint)]
        self.seen[headers["webhook-id"], endpoint] += 1
        if not (shop.enabled and shop.there):
            self.faults.append(f"{endpoint} is disabled or gone, and was sent to")
        now = self.clock.now()
        if headers["webhook-timestamp"] != str(int(now.timestamp())):
            self.faults.append("the time is not that of this attempt")
        for key in shop.keys:
            is_live = key.expires_at is None or now < key.expires_at
            if verifies(key.text, body, headers) != is_live:
                self.faults.append(f"a key that expires at {key.expires_at} at {now}")
        return shop


def verifies(key: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether a receiver with this key takes a request, but for its time."""
    event_id, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
    entries = headers["webhook-signature"].split(" ")
    if key.startswith("whpk_"):
        content = content_of(event_id, timestamp, body)
        found = (entry.removeprefix("v1a,") for entry in entries if entry.startswith("v1a,"))
        return any(verify_v1a(key, content, signature) for signature in found)
    at = datetime.fromtimestamp(timestamp, UTC)
    return Webhook(key).sign(event_id, at, body.decode()) in entries
