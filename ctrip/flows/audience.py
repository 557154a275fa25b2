"""Those who follow a payment, and what is handed to them.

A listener knows the sequence of the last event it was handed. A pass asks once, for all
listeners together, for what comes after, and hands each the next ones, never another. So it
does not matter who commits when, what woke us, or whether somebody joins far behind: what
was not handed in this pass is in the next, from the database, where nothing gets lost. A pass
is bounded, and begins with those who were not served in the one before.

What a listener has not taken yet is bounded; one that is full is not asked for until it takes.
Passes follow news, at a distance that grows with what they take, so there are fewer of them
where there is much to do. Twice a second a pass looks for what nobody told us, and for keys that
have ended: their listeners are sent away.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from ctrip.clock import Clock
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.ids import NOBODY, KeyId, PaymentId
from ctrip.store import listeners
from ctrip.store.listeners import Share, Told
from ctrip.store.pool import Pool, connection

POLL_SECONDS: Final = 0.5  # how late the news of another process may come when no bell rings
KEYS_SECONDS: Final = 0.25  # at least, between looks at keys: with POLL_SECONDS well under one
GAP_SECONDS: Final = 0.05  # between two passes, or as long as the first took if that is longer
SILENCE_SECONDS: Final = 15.0  # then a listener gets a word; proxies hang up after a minute
HELD_MAX: Final = 16  # events for one listener that has not taken them; a payment has a few
HELD_BYTES_MAX: Final = 65_536  # then it gets no more, whatever their number
HANDED_MAX: Final = 1_000  # events in one pass: usually a few megabytes
HANDED_BYTES_MAX: Final = 16_777_216  # and never many more, however large events are
LISTENERS_MAX: Final = 5_000  # a pass for so many takes 15 ms of Postgres
LISTENERS_EACH_MAX: Final = 1_000  # of one key, so that it leaves room for others


class TooManyStreams(RequestError):
    """The key follows as many payments as one may."""

    status = 429
    code = "too_many_streams"


class NoSeat(OutageError):
    """There are as many listeners as there may be, or we stop."""


class Listener:
    """Somebody who follows one payment."""

    def __init__(self, key_id: KeyId, after: int, silence: float, wake: asyncio.Event) -> None:
        self.key_id = key_id
        self.reached = after  # the sequence of the last event that was handed
        self.is_over = False  # nothing more is handed
        self._held: list[Told] = []
        self._size = 0  # bytes of what is held
        self._stirred = asyncio.Event()
        self._silence_seconds = silence
        self._wake = wake

    @property
    def has_room(self) -> bool:
        """Tell whether anything more may be handed."""
        return not self.is_over and len(self._held) < HELD_MAX and self._size < HELD_BYTES_MAX

    def hand(self, told: Told) -> None:
        """Hold an event if it is the next one; else it comes in another pass."""
        if told.sequence == self.reached + 1 and self.has_room:
            self.reached = told.sequence
            self._held.append(told)
            self._size += len(told.body)
            self._stirred.set()

    def end(self) -> None:
        """Let go of whoever waits."""
        self.is_over = True
        self._stirred.set()

    async def take(self) -> list[Told]:
        """Return what was handed, in order; nothing if nothing came for a while."""
        try:
            async with asyncio.timeout(self._silence_seconds):
                await self._stirred.wait()
        except TimeoutError:
            return []
        self._stirred.clear()
        if not self.has_room:
            self._wake.set()  # the last pass may have left something out
        taken, self._held, self._size = self._held, [], 0
        return taken


class Audience:
    """All listeners of this process. Set `wake` when there is news."""

    def __init__(
        self, pool: Pool, clock: Clock, *, silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self.wake = asyncio.Event()
        self._pool = pool
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._of: dict[PaymentId, list[Listener]] = {}
        self._keys: Counter[KeyId] = Counter()
        self._is_over = False
        self._next_pass = 0.0  # by the loop's clock
        self._next_keys = 0.0

    def __len__(self) -> int:
        return self._keys.total()

    def listener(
        self, payment_id: PaymentId, key_id: KeyId, *, after: int
    ) -> AbstractContextManager[Listener]:
        """Let somebody listen for the events after one, until the end of the block to come."""
        if self._is_over or len(self) >= LISTENERS_MAX:
            raise NoSeat("as many streams are open as this process may have")
        if key_id != NOBODY and self._keys[key_id] >= LISTENERS_EACH_MAX:
            raise TooManyStreams(f"A key may have {LISTENERS_EACH_MAX} streams open at once")
        return self._listening(
            payment_id, Listener(key_id, after, self._silence_seconds, self.wake)
        )

    @contextmanager
    def _listening(self, payment_id: PaymentId, listener: Listener) -> Iterator[Listener]:
        self._of.setdefault(payment_id, []).append(listener)
        self._keys[listener.key_id] += 1
        self.wake.set()  # for what happened since its caller looked
        try:
            yield listener
        finally:
            self._leave(payment_id, listener)

    def stir(self) -> None:
        """Be told of news, which wakes nobody where nobody listens."""
        if self._of:
            self.wake.set()

    def stop(self) -> None:
        """Send everybody away, because the process ends."""
        self._is_over = True
        for listener in self._everybody():
            listener.end()

    async def run_once(self) -> bool:
        """Hand out what is new; return True if more of it may be left."""
        if not self._of:
            return False
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._next_pass - loop.time()))
        self.wake.clear()  # what comes from here on is for the next pass
        began = loop.time()
        try:
            async with connection(self._pool) as conn:
                if began >= self._next_keys:
                    now = self._clock.now()
                    self._send_away(await listeners.ended(conn, self._keys, now=now))
                    self._next_keys = began + KEYS_SECONDS
                found = await listeners.news(
                    conn,
                    self._heard(),
                    each=Share(HELD_MAX, HELD_BYTES_MAX),
                    whole=Share(HANDED_MAX, HANDED_BYTES_MAX),
                )
        finally:
            self._next_pass = loop.time() + max(GAP_SECONDS, loop.time() - began)
        for told in found:
            if of_payment := self._of.pop(told.payment_id, None):
                self._of[told.payment_id] = of_payment  # whoever was served stands last
                for listener in of_payment:
                    listener.hand(told)
        size = sum(len(told.body) for told in found)
        return len(found) == HANDED_MAX or size >= HANDED_BYTES_MAX

    def _heard(self) -> Mapping[PaymentId, int]:
        """Return from where on each payment is read, for the listener that is furthest behind."""
        heard = {}
        for payment_id, of_payment in self._of.items():
            reached = [one.reached for one in of_payment if one.has_room]
            if reached:
                heard[payment_id] = min(reached)
        return heard

    def _send_away(self, ended: set[KeyId]) -> None:
        for listener in self._everybody():
            if listener.key_id in ended:
                listener.end()

    def _everybody(self) -> Iterator[Listener]:
        return (listener for of_payment in self._of.values() for listener in of_payment)

    def _leave(self, payment_id: PaymentId, listener: Listener) -> None:
        of_payment = self._of[payment_id]
        of_payment.remove(listener)
        if not of_payment:
            del self._of[payment_id]
        self._keys[listener.key_id] -= 1
        if not self._keys[listener.key_id]:
            del self._keys[listener.key_id]
