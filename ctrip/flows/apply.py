"""The one door: the only code that changes payments that already exist.

    lock the rows -> machine.advance for each change -> write payments, transfers, events

All in the caller's transaction, so payments and the news about them are written together
or not at all. However many payments a window of blocks pays, the number of statements is
the same. Nothing is kept between calls: a caller whose commit was lost reads again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from ctrip.core.changes import Change
from ctrip.core.events import PaymentEvent
from ctrip.core.ids import PaymentId
from ctrip.core.machine import advance
from ctrip.core.payment import Payment, Transfer
from ctrip.store import outbox, payments
from ctrip.store.pool import Conn

Changes = Mapping[PaymentId, Sequence[Change]]


async def apply(
    conn: Conn, changes: Changes, *, to_global: bool, now: datetime
) -> list[PaymentEvent]:
    """Let changes happen to payments, each payment's in the order given; return the news."""
    if not changes:
        return []
    before = await payments.lock(conn, list(changes))
    events: list[PaymentEvent] = []
    changed: list[Payment] = []
    moved: list[tuple[Payment, Transfer]] = []
    for payment in before:
        after = payment
        for change in changes[payment.id]:
            step = advance(after, change)
            after = step.payment
            events += step.events
        if after != payment:
            changed.append(after)
            moved += [(after, t) for t in after.transfers if t not in payment.transfers]
    if changed:
        await payments.save(conn, changed, moved)
    if events:
        await outbox.append(conn, events, to_global=to_global, now=now)
    return events
