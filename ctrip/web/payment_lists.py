"""Lists of payments, and of what belongs to one: its events and its transfers."""

from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.ids import ChainName, PaymentId
from ctrip.core.payment import Payment, Status
from ctrip.core.view import EventView, PaymentView, TransferView, show
from ctrip.store import listing, payments
from ctrip.store.listing import Filter, Place
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse_query
from ctrip.web.lists import (
    PAGE_MAX,
    TIME_WORDS,
    All,
    Cursor,
    Limit,
    Listed,
    Time,
    answer,
    bad_cursor,
    in_utc,
    listed,
    read_cursor,
)
from ctrip.web.operation import Operation
from ctrip.web.payments import ALL, ONE, no_such_payment, payment_in

PAGE: Final = 20  # payments, unless asked otherwise: what people look at; programs ask for 100
SEQUENCE_MAX: Final = 2**31 - 1

WORDS: Final = {
    "status": f"must be one of: {', '.join(Status)}",
    "created_after": TIME_WORDS,
    "created_before": TIME_WORDS,
}


class ListPayments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/payments."""

    status: Status | None = None
    chain: Annotated[str, Meta(min_length=1, max_length=20, pattern=r"^[^\x00]*\Z")] | None = None
    order_id: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*\Z")] | None = (
        None
    )
    created_after: Time | None = None
    created_before: Time | None = None
    limit: Limit = PAGE
    cursor: str = ""


class ListPaymentEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/payments/{id}/events."""

    limit: Limit = PAGE_MAX
    cursor: str = ""


class PaymentListPages:
    """The routes of lists."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def operations(self) -> list[Operation]:
        """Return what can be listed of payments."""
        return [
            Operation(
                method="GET",
                path=ALL,
                page=self.list_all,
                name="list_payments",
                says="List payments, the newest first.",
                scope="read",
                asks=ListPayments,
                gives=Listed[PaymentView],
            ),
            Operation(
                method="GET",
                path=ONE + "/events",
                page=self.events,
                name="list_payment_events",
                says="List what was announced of a payment, in the order of its sequence.",
                scope="read",
                asks=ListPaymentEvents,
                gives=Listed[EventView],
            ),
            Operation(
                method="GET",
                path=ONE + "/transfers",
                page=self.transfers,
                name="list_payment_transfers",
                says="List everything that reached a payment's address, the oldest first.",
                scope="read",
                gives=All[TransferView],
            ),
        ]

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """List payments, the newest first."""
        asked = parse_query(request, ListPayments, words=WORDS)
        after, before = asked.created_after, asked.created_before
        wanted = Filter(
            owner=caller.owner,
            status=asked.status,
            chain=None if asked.chain is None else ChainName(asked.chain),
            order_id=asked.order_id,
            created_after=in_utc("created_after", after) if after else None,
            created_before=in_utc("created_before", before) if before else None,
        )
        place = place_in(asked.cursor)
        async with connection(self._pool) as conn:
            found = await listing.page(conn, wanted, before=place, count_max=asked.limit + 1)
        page = found[: asked.limit]
        last = page[-1] if len(found) > asked.limit else None
        cursor = Cursor("payments", last.created_at, str(last.id)) if last else None
        return listed([show(payment) for payment in page], cursor)

    async def events(self, request: Request, caller: Caller) -> Response:
        """List a payment's events; each is what was signed, byte for byte."""
        payment = await self._find(request, caller)
        asked = parse_query(request, ListPaymentEvents)
        after = sequence_in(asked.cursor)
        async with connection(self._pool) as conn:
            found = await listing.events(conn, payment.id, after=after, count_max=asked.limit + 1)
        page = found[: asked.limit]
        last = page[-1] if len(found) > asked.limit else None
        cursor = Cursor("payment_events", last.created_at, str(last.sequence)) if last else None
        return listed([Raw(event.body) for event in page], cursor)

    async def transfers(self, request: Request, caller: Caller) -> Response:
        """List a payment's transfers."""
        return answer(All(show(await self._find(request, caller)).transfers))

    async def _find(self, request: Request, caller: Caller) -> Payment:
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, payment_in(request), owner=caller.owner)
        if payment is None:
            raise no_such_payment()
        return payment


def place_in(text: str) -> Place | None:
    """Return behind which payment a list goes on; None at its beginning."""
    cursor = read_cursor(text, of=["payments"])
    if cursor is None:
        return None
    try:
        return cursor.time, PaymentId(UUID(cursor.id))
    except ValueError:
        raise bad_cursor() from None


def sequence_in(text: str) -> int:
    """Return behind which event a list goes on."""
    cursor = read_cursor(text, of=["payment_events"])
    if cursor is None:
        return 0
    said = cursor.id
    if not (said.isascii() and said.isdecimal() and int(said) <= SEQUENCE_MAX):
        raise bad_cursor()
    return int(said)
