"""What a shop may do to a payment by hand: cancel, accept, extend.

Each answers with the payment as it is then. What is not possible in its state is refused with
409, the state, and what would be possible.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.clock import Clock
from ctrip.core.acts import AHEAD_MAX, WrongState
from ctrip.core.changes import Accepted, Cancelled, Decision, Extended
from ctrip.core.view import PaymentView, payment_body
from ctrip.flows.act import Acts
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse, read_body
from ctrip.web.lists import TIME_WORDS, Time
from ctrip.web.operation import Operation
from ctrip.web.payments import ONE, no_such_payment, payment_in
from ctrip.web.problems import FieldError, InvalidBody
from ctrip.web.schemas import one_of

SECONDS_MAX: Final = int(AHEAD_MAX.total_seconds())
WORDS: Final = {"expires_at": TIME_WORDS}


class ExtendPayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/payments/{id}/extend: one of the two."""

    EXTRA_SCHEMA: ClassVar = one_of("expires_at", "expires_in")

    expires_at: Time | None = None
    expires_in: Annotated[int, Meta(ge=1, le=SECONDS_MAX)] | None = None  # seconds from now


EXTEND: Final = msgspec.json.Decoder(ExtendPayment)


class ActPages:
    """The routes of decisions."""

    def __init__(self, acts: Acts, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock

    def operations(self) -> list[Operation]:
        """Return what can be done to payments."""
        return [
            Operation(
                method="POST",
                path=ONE + "/cancel",
                page=self.cancel,
                name="cancel_payment",
                says="End a pending payment that has received nothing.",
                scope="write",
                gives=PaymentView,
                refuses=(WrongState,),
            ),
            Operation(
                method="POST",
                path=ONE + "/accept",
                page=self.accept,
                name="accept_payment",
                says="Take what has come as enough, though it is too little or too late.",
                scope="write",
                gives=PaymentView,
                refuses=(WrongState,),
            ),
            Operation(
                method="POST",
                path=ONE + "/extend",
                page=self.extend,
                name="extend_payment",
                says="Give the payer of a pending payment more time.",
                scope="write",
                takes=ExtendPayment,
                gives=PaymentView,
                refuses=(WrongState,),
            ),
        ]

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """End a payment."""
        return await self._decide(request, caller, Cancelled())

    async def accept(self, request: Request, caller: Caller) -> Response:
        """Take what has come as enough."""
        return await self._decide(request, caller, Accepted())

    async def extend(self, request: Request, caller: Caller) -> Response:
        """Give more time."""
        payment_in(request)  # what is not there is not found, whatever the body says
        asked = parse(await read_body(request), EXTEND, words=WORDS)
        return await self._decide(request, caller, Extended(until_in(asked, self._clock.now())))

    async def _decide(self, request: Request, caller: Caller, decision: Decision) -> Response:
        decided = await self._acts.decide(payment_in(request), decision, owner=caller.owner)
        if decided is None:
            raise no_such_payment()
        return Response(payment_body(decided), media_type="application/json")


def until_in(asked: ExtendPayment, now: datetime) -> datetime:
    """Return until when a body gives time."""
    if (asked.expires_at is None) == (asked.expires_in is None):
        fault = "is required, or expires_in, and not both"
        raise InvalidBody([FieldError("expires_at", fault)])
    if asked.expires_at is None:
        return now + timedelta(seconds=asked.expires_in or 0)
    if not now < asked.expires_at <= now + AHEAD_MAX:
        fault = "must be later than now, and at most 7 days ahead"
        raise InvalidBody([FieldError("expires_at", fault)])
    return asked.expires_at.astimezone(UTC)
