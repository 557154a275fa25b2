"""Give new payments their addresses and write them, each with its event, once for each key.

Many are written in one statement: who comes first writes all that wait, and those that
come meanwhile are the next batch, which the first of them writes. One batch at a time: the
fewer they are, the less each payment costs. A lone payment waits for nobody.

What could not be written has something in its way, and the database says what. The payment
itself: Postgres died under the write, which had happened. Another one of the same
Idempotency-Key: it is answered as the first was. Another one of the same order: refused,
where orders are unique.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ctrip import logs
from ctrip.core.endpoints import EndpointId, site_of
from ctrip.core.errors import InvariantError, OutageError, RequestError
from ctrip.core.idempotency import IdempotencyKey, reused
from ctrip.core.ids import ChainName, PaymentId
from ctrip.core.payment import Payment
from ctrip.core.view import payment_body, payment_in
from ctrip.flows.addresses import Addresses, Place
from ctrip.store import births, endpoints
from ctrip.store.births import FirstAnswer
from ctrip.store.payments import Birth
from ctrip.store.pool import DatabaseOutage, Pool, connection
from ctrip.wallet.derive import Wallet

BATCH_MAX: Final = 256  # payments; beyond it a transaction gets long for those who wait
TRIES: Final = 2  # a pool's idle connections die unnoticed when Postgres restarts

# Origins of webhook URLs, remembered so as not to be written again for a while; longer than it they
# would seem idle (core/endpoints.py).
SITES_KNOWN_MAX: Final = 10_000
SITES_KNOWN_FOR: Final = timedelta(hours=1)

log = logs.get("ctrip.create")


class OrderTaken(RequestError):
    """The order has a payment already."""

    status = 409
    code = "order_id_taken"


class Interrupted(OutageError):
    """Nobody knows yet whether it was written."""


class Made(Struct, frozen=True):
    """A new payment, and how it was announced."""

    payment: Payment
    body: bytes


class Replay(Struct, frozen=True):
    """What the same request was answered before: a payment, as it was when it was new."""

    body: bytes


Outcome: TypeAlias = Made | Replay | BaseException


class Waiting(Struct, frozen=True):
    """A payment to be written, and who waits to hear of it; None tells him to write it himself."""

    birth: Birth
    told: "asyncio.Future[Outcome | None]"


class Enroller:
    """Writes new payments, those that come at once together."""

    def __init__(
        self,
        wallet: Wallet,
        pool: Pool,
        news: asyncio.Event,
        on_open: Callable[[ChainName], None],
        *,
        orders_are_unique: bool,
    ) -> None:
        self._addresses = Addresses(wallet, pool)
        self._pool = pool
        self._news = news
        self._on_open = on_open
        self._orders_are_unique = orders_are_unique
        self._sites: dict[EndpointId, datetime] = {}  # of webhook URLs, and when they were written
        self._waiting: dict[PaymentId, Waiting] = {}
        self._writer: PaymentId | None = None

    async def enroll(self, birth: Birth) -> Made | Replay:
        """Return the payment with its address, written and announced, or what was there before."""
        mine = birth.payment.id
        told: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = Waiting(birth, told)
        if self._writer is None:
            self._writer = mine
            asyncio.get_running_loop().call_soon(self._pass_on, mine)  # others join meanwhile
        try:
            outcome = await told
        except asyncio.CancelledError:
            self._waiting.pop(mine, None)
            self._pass_on(mine)
            raise
        if outcome is None:
            outcome = (await self._write_batch(mine))[mine]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _pass_on(self, writer: PaymentId) -> None:
        """Let the first who still waits write, unless this writer has passed on already."""
        if self._writer != writer:
            return
        self._writer = None
        for mine, waiting in self._waiting.items():
            if not waiting.told.done():
                self._writer = mine
                waiting.told.set_result(None)
                return

    async def _write_batch(self, first: PaymentId) -> dict[PaymentId, Outcome]:
        """Write one and what else fits of what waits, and tell those who wait what became of it."""
        batch = [self._waiting.pop(first), *islice(self._waiting.values(), BATCH_MAX - 1)]
        births = {waiting.birth.payment.id: waiting.birth for waiting in batch}
        for one in births:
            self._waiting.pop(one, None)
        outcomes: dict[PaymentId, Outcome] = dict.fromkeys(
            births, Interrupted("ctrip is stopping; try again")
        )
        try:
            outcomes = await self._write(list(births.values()))
        except BaseException as fault:
            if isinstance(fault, asyncio.CancelledError):
                raise
            outcomes = dict.fromkeys(births, fault)
        finally:
            self._pass_on(first)
            tell(batch, outcomes)
        for chain in {made.payment.chain for made in outcomes.values() if isinstance(made, Made)}:
            self._on_open(chain)
        self._news.set()
        return outcomes

    async def _write(self, drawn_up: Sequence[Birth]) -> dict[PaymentId, Outcome]:
        """Give each payment an address, write those that may be, and say what became of all."""
        places = await self._addresses.take(len(drawn_up))
        left = {
            birth.payment.id: replace(birth, payment=at(birth.payment, place))
            for birth, place in zip(drawn_up, places, strict=True)
        }
        outcomes: dict[PaymentId, Outcome] = {}
        fault: OutageError = Interrupted("what was in the way is gone; try again")
        for _ in range(TRIES):
            try:
                written, _ = await asyncio.gather(
                    self._insert(list(left.values())), self._addresses.prepare(len(left))
                )
                outcomes |= {one: Made(left.pop(one).payment, written[one]) for one in written}
            except DatabaseOutage as outage:
                fault = outage
            if left:
                outcomes |= await self._find(list(left.values()))
                left = {one: birth for one, birth in left.items() if one not in outcomes}
            if not left:
                break
        return outcomes | dict.fromkeys(left, fault)

    async def _insert(self, new: Sequence[Birth]) -> dict[PaymentId, bytes]:
        now = new[0].payment.created_at
        urls = [birth.payment.webhook_url for birth in new if birth.payment.webhook_url]
        strangers = {site_of(url): url for url in urls if not self._knows(site_of(url), now)}
        async with connection(self._pool) as conn:
            if strangers:
                await endpoints.add_sites(conn, list(strangers.values()), now=now)
                self._sites = self._sites if len(self._sites) < SITES_KNOWN_MAX else {}
                self._sites |= dict.fromkeys(strangers, now)
            written = await births.write(
                conn,
                new,
                wallet=self._addresses.wallet,
                orders_are_unique=self._orders_are_unique,
                now=now,
            )
            if len(written) == len(new):  # else it is to be found out what is in the way
                # At once: Postgres would wait for the next batch longer than who is told of this.
                self._pass_on(new[0].payment.id)
            return written

    def _knows(self, site: EndpointId, now: datetime) -> bool:
        """Tell whether a site was written lately."""
        written = self._sites.get(site)
        return written is not None and now - written < SITES_KNOWN_FOR

    async def _find(self, unwritten: Sequence[Birth]) -> dict[PaymentId, Outcome]:
        """Find out what is in the way of payments, or what a lost answer would have said."""
        async with connection(self._pool) as conn:
            there = await births.in_the_way(
                conn, unwritten, orders_are_unique=self._orders_are_unique
            )
            others = [other for one, other in there.items() if other != one]
            answers = await births.first_answers(conn, others) if others else {}
        if len(others) < len(there):
            log.warning("commit answer lost", written=len(there) - len(others), of=len(unwritten))
        return {
            birth.payment.id: judge(birth, other, answers.get(other))
            for birth in unwritten
            if (other := there.get(birth.payment.id))
        }


def at(payment: Payment, place: Place) -> Payment:
    """Return a payment with its address."""
    return replace(payment, address=place.address, derivation_index=place.index)


def judge(birth: Birth, other: PaymentId, first: FirstAnswer | None) -> Outcome:
    """Say what becomes of a payment, given the one that is there and, of another, its answer."""
    mine = birth.payment
    if other == mine.id:
        return Made(mine, payment_body(mine))
    if first is None:
        return InvariantError(f"payment {other} was never announced")
    if birth.key and first.key and birth.key.text == first.key.text:
        return answer_again(birth.key, first)
    if mine.order_id is None or mine.order_id != first.order_id:
        return InvariantError(f"payment {mine.id} was given the address of {other}")
    return OrderTaken(f"order_id {mine.order_id} has a payment already: {other}")


def answer_again(key: IdempotencyKey, first: FirstAnswer) -> Replay | RequestError:
    """Return what a key is answered that was said before."""
    same = first.key is not None and first.key.fingerprint == key.fingerprint
    return Replay(payment_in(first.body)) if same else reused()


def tell(batch: Sequence[Waiting], outcomes: Mapping[PaymentId, Outcome]) -> None:
    """Let those who wait go on."""
    for waiting in batch:
        if not waiting.told.done():
            waiting.told.set_result(outcomes[waiting.birth.payment.id])
