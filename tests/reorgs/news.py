"""Whether what was announced of a payment hangs together."""

from typing import Final

from ctrip.core.events import OF_STATUS
from ctrip.core.machine import EDGES
from ctrip.core.payment import Payment, Status
from ctrip.store.pool import Pool, connection

BY_WORD: Final = {OF_STATUS[status].removeprefix("payment."): status for status in Status}
NEWS: Final = "SELECT sequence, type FROM events WHERE payment_id = $1 ORDER BY sequence"


async def assert_consistent(pool: Pool, payment: Payment) -> None:
    """The news of a payment are numbered without a hole and follow the edges to where it is.

    `reorged` may take all money of a payment that was detected, which is pending then, or some.
    """
    async with connection(pool) as conn:
        rows = await conn.fetch(NEWS, payment.id)
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    told = [row["type"].removeprefix("payment.") for row in rows]
    may_be = {Status.PENDING}
    for word in told[1:]:
        after = BY_WORD.get(word)
        if word == "reorged":
            may_be |= {Status.PENDING} if Status.DETECTED in may_be else set()
        elif after is not None:
            assert after in may_be or any(after in EDGES[status] for status in may_be), told
            may_be = {after}
    assert payment.status in may_be, told
