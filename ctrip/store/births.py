"""New payments and the news of them, written by one statement.

The texts belong to the modules that own the tables; here they only travel together. A
statement is a transaction of its own, so begin and commit cost no round trips: one, where
there were four, in the path that every shop waits for.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, json

from ctrip.core.events import created
from ctrip.core.idempotency import IdempotencyKey
from ctrip.core.ids import KeyId, PaymentId, RawAddress, raw
from ctrip.core.view import payment_in
from ctrip.store import outbox, payments
from ctrip.store.payments import Birth
from ctrip.store.pool import Conn

PARAMETER: Final = re.compile(r"\$(\d+)")


def behind(first: str, second: str) -> str:
    """Return the second statement, whose parameters follow the first's."""
    count = max(int(number) for number in PARAMETER.findall(first))
    return PARAMETER.sub(lambda found: f"${int(found[1]) + count}", second)


WRITE = f"""
WITH born AS ({payments.INSERT}),
event AS (
    {behind(payments.INSERT, outbox.EVENTS)}
    WHERE payment_id IN (SELECT id FROM born) {outbox.ONCE}
),
promised AS ({behind(payments.INSERT, outbox.DELIVERIES)})
SELECT id FROM born
"""  # noqa: S608  of our own texts


async def write(
    conn: Conn, new: Sequence[Birth], *, wallet: str, orders_are_unique: bool, now: datetime
) -> dict[PaymentId, bytes]:
    """Write payments, each with its event; return those that nothing was in the way of, as JSON."""
    events = [outbox.row(created(birth.payment), now) for birth in new]
    written = await conn.fetch(
        WRITE,
        *payments.insert_arguments(new, wallet=wallet, orders_are_unique=orders_are_unique),
        *outbox.columns(events, now=now),
    )
    bodies = {event.payment_id: event.body for event in events}
    return {row["id"]: payment_in(bodies[row["id"]]) for row in written}


# Each by an index, where an OR would read the whole table.
IN_THE_WAY = """
SELECT new.id, coalesce(
    (SELECT p.id FROM payments p WHERE p.id = new.id),
    (SELECT p.id FROM payments p WHERE p.owner = new.owner AND p.idempotency_key = new.key),
    (SELECT p.id FROM payments p
     WHERE p.owner = new.owner AND p.order_id = new.order_id AND p.order_is_unique),
    (SELECT p.id FROM payments p WHERE lower(p.address) = new.address)) AS there
FROM json_to_recordset($1::json) AS new (id uuid, owner uuid, key text, order_id text, address text)
"""


class Sought(Struct, frozen=True):
    """What may be in the way of a new payment, as IN_THE_WAY reads it."""

    id: PaymentId
    owner: KeyId
    key: str | None
    order_id: str | None
    address: RawAddress


async def in_the_way(
    conn: Conn, unwritten: Sequence[Birth], *, orders_are_unique: bool
) -> dict[PaymentId, PaymentId]:
    """Return which payment was there before each of those that could not be written.

    It is the same one if its write was not heard of, one of the same key, one of the
    same order where orders are unique, or, which must not be, one of the same address.
    """
    sought = [
        Sought(
            b.payment.id,
            b.payment.owner,
            b.key.text if b.key else None,
            b.payment.order_id if orders_are_unique else None,
            raw(b.payment.address),
        )
        for b in unwritten
    ]
    rows = await conn.fetch(IN_THE_WAY, json.encode(sought).decode())
    return {row["id"]: row["there"] for row in rows if row["there"]}


class FirstAnswer(Struct, frozen=True):
    """What was answered when a payment was made, and to which key."""

    key: IdempotencyKey | None
    order_id: str | None
    body: bytes  # of its first event


FIRST_ANSWERS = """
SELECT p.id, p.idempotency_key AS key, p.fingerprint, p.order_id, v.body
FROM payments p JOIN events v ON v.payment_id = p.id AND v.sequence = 1 WHERE p.id = ANY($1::uuid[])
"""


async def first_answers(conn: Conn, ids: Sequence[PaymentId]) -> dict[PaymentId, FirstAnswer]:
    """Return what was said of payments when they were new."""
    return {row["id"]: first_answer({**row}) for row in await conn.fetch(FIRST_ANSWERS, ids)}


ANSWERED = """
SELECT p.idempotency_key AS key, p.fingerprint, p.order_id, v.body
FROM payments p JOIN events v ON v.payment_id = p.id AND v.sequence = 1
WHERE p.owner = $1 AND p.idempotency_key = $2
"""


async def answered(conn: Conn, owner: KeyId, key: str) -> FirstAnswer | None:
    """Return what was said when a payment was made for a key, if one was."""
    row = await conn.fetchrow(ANSWERED, owner, key)
    return None if row is None else first_answer({**row})


def first_answer(row: Mapping[str, Any]) -> FirstAnswer:
    """Read what was said of a payment when it was new."""
    key = None if row["key"] is None else IdempotencyKey(row["key"], row["fingerprint"])
    return FirstAnswer(key, row["order_id"], row["body"])
