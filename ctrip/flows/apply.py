"""The one door: the only code that changes payments that already exist.

    lock the rows -> machine.advance for each change -> write payments, transfers, events

All in the caller's transaction, so payments and the news about them are written together
or not at all. Nothing is kept between calls: a caller whose commit was lost reads again.

However many payments a window of blocks pays, the number of statements has a limit. Many
are drawn up in a few parts, each while Postgres writes the one before, and the process
does its other work in between.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import ceil
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.core.changes import Change
from ctrip.core.endpoints import SITE_SURE
from ctrip.core.events import PaymentEvent
from ctrip.core.facts import FinalElsewhere
from ctrip.core.ids import PaymentId
from ctrip.core.machine import advance
from ctrip.core.payment import Payment, Status
from ctrip.store import endpoints, outbox, payments, transfers
from ctrip.store.pool import Conn

Changes = Mapping[PaymentId, Sequence[Change]]

PARTS_MAX: Final = 8
PART_MIN: Final = 500  # payments; below, statements of its own cost more than waiting saves
BREATH: Final = 5  # payments, 0.2 ms of work, before others have a turn; Postgres is one of them


log = logs.get("ctrip.apply")


class Part(Struct, frozen=True):
    """What becomes of some of the payments, ready to be written."""

    events: Sequence[PaymentEvent] = ()
    changed: str | None = None  # what follows: rows as they travel
    arrived: str | None = None
    moved: str | None = None
    news: Sequence[object] = ()


async def apply(conn: Conn, changes: Changes, *, now: datetime) -> list[PaymentEvent]:
    """Let changes happen to payments, each payment's in the order given; return the news."""
    if not changes:
        return []
    before = await payments.lock(conn, list(changes))
    if urls := [p.webhook_url for p in before if p.webhook_url and now - p.created_at > SITE_SURE]:
        await endpoints.add_sites(conn, urls, now=now)  # they may have been forgotten
    events: list[PaymentEvent] = []
    ready = Part()
    for start, end in parts_of(len(before)):
        coming = draw_up(before[start:end], changes, now)
        ready = await beside(write(conn, ready), coming)
        events += ready.events
    await write(conn, ready)
    return events


def parts_of(count: int) -> Iterator[tuple[int, int]]:
    """Cut so many payments into parts; the first, for which Postgres waits, is the smallest."""
    size = max(PART_MIN, ceil((count - PART_MIN) / (PARTS_MAX - 1)))
    yield from pairwise([0, *range(PART_MIN, count, size), count])


async def beside(writing: Coroutine[None, None, None], coming: Coroutine[None, None, Part]) -> Part:
    """Return what is drawn up while the part before is written; no fault leaves one running."""
    written, part = await asyncio.gather(writing, coming, return_exceptions=True)
    if isinstance(written, BaseException):
        raise written
    if isinstance(part, BaseException):
        raise part
    return part


async def draw_up(before: Sequence[Payment], changes: Changes, now: datetime) -> Part:
    """Advance payments, and let others have their turn now and then."""
    events: list[PaymentEvent] = []
    changed: list[payments.Row] = []
    arrived: list[transfers.Row] = []
    moved: list[transfers.Row] = []
    news: list[outbox.Row] = []
    for number, payment in enumerate(before, start=1):
        after = payment
        for change in changes[payment.id]:
            try:
                step = advance(after, change)
            except FinalElsewhere as lie:  # what is on record stays, and holds up nobody
                log.error(  # noqa: TRY400  it is no fault of ours, and has no traceback
                    "a final transfer was shown elsewhere", chain=after.chain, why=str(lie)
                )
                continue
            after = step.payment
            events += step.events
            news += [outbox.row(event, now) for event in step.events]
        if payment.status is Status.SETTLED and after.status is Status.FAILED:
            log.error("settled money was taken back", payment_id=after.id, chain=after.chain)
        if after != payment:
            changed.append(payments.row(after))
            known = {t.key for t in payment.transfers}
            for transfer in after.transfers:
                if transfer not in payment.transfers:
                    rows = moved if transfer.key in known else arrived
                    rows.append(transfers.row(after, transfer))
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return Part(
        events,
        payments.packed(changed) if changed else None,
        transfers.packed(arrived) if arrived else None,
        transfers.packed(moved) if moved else None,
        outbox.columns(news, now=now) if news else (),
    )


async def write(conn: Conn, part: Part) -> None:
    """Write a part, in three statements, or in four if some of its money was known before."""
    if part.changed:
        await payments.write(conn, part.changed)
    if part.arrived:
        await transfers.insert(conn, part.arrived)
    if part.moved:
        await transfers.move(conn, part.moved)
    if part.news:
        await outbox.write(conn, part.news)
