"""New payments and the news of them, written by one statement.

Both texts belong to the modules that own the tables; here they only travel together. A
statement is a transaction of its own, so begin and commit cost no round trips: one, where
there were four, in the path that every shop waits for.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ctrip.core.events import created
from ctrip.core.payment import Payment
from ctrip.store import outbox, payments
from ctrip.store.pool import Conn

PARAMETER: Final = re.compile(r"\$(\d+)")


def together(first: str, second: str) -> str:
    """Return one statement that does both; the second's parameters follow the first's."""
    count = max(int(number) for number in PARAMETER.findall(first))
    moved = PARAMETER.sub(lambda found: f"${int(found[1]) + count}", second)
    keyword, _, rest = moved.strip().partition(" ")  # the second begins with a WITH of its own
    return f"{keyword} first AS ({first}), {rest}"


INSERT_AND_APPEND = together(payments.INSERT, outbox.APPEND)


async def write(conn: Conn, new: Sequence[Payment], *, wallet: str, now: datetime) -> None:
    """Write payments that do not exist yet, each with its event, or none of them."""
    events = [created(payment) for payment in new]
    await conn.execute(
        INSERT_AND_APPEND,
        *payments.insert_arguments(new, wallet),
        *outbox.append_arguments(events, now=now),
    )
