"""Payments: make one, show one."""

from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from ctrip.core.ids import PaymentId
from ctrip.core.price import BadPrice
from ctrip.core.view import PaymentView, payment_body
from ctrip.flows.create import BadWebhookUrl, Creator, TokenNotFound, UnsupportedChain
from ctrip.flows.enroll import Made, OrderTaken, Replay
from ctrip.flows.price import PriceNotOffered, PriceUnavailable
from ctrip.flows.stage import NoStage, Stage
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Caller
from ctrip.web.bodies import read_body
from ctrip.web.operation import Operation
from ctrip.web.problems import NotFound
from ctrip.web.repeats import REPLAYED, key_in
from ctrip.web.wire import CreatePayment, parse_create

ALL = "/api/v1/payments"
ONE = ALL + "/{payment_id}"


class PaymentPages:
    """The two routes every shop uses."""

    def __init__(self, creator: Creator, pool: Pool, stage: Stage) -> None:
        self._creator = creator
        self._pool = pool
        self._stage = stage

    def operations(self) -> list[Operation]:
        """Return what can be asked about payments."""
        return [
            Operation(
                method="POST",
                path=ALL,
                page=self.create,
                name="create_payment",
                says="Create a payment with a fresh address.",
                scope="write",
                takes=CreatePayment,
                status=201,
                gives=PaymentView,
                refuses=(
                    UnsupportedChain,
                    TokenNotFound,
                    BadPrice,
                    PriceNotOffered,
                    PriceUnavailable,
                    BadWebhookUrl,
                    OrderTaken,
                    NoStage,
                    BadIdempotencyKey,
                    IdempotencyKeyReused,
                ),
                repeats="own",
                links={"get_payment": {"payment_id": "$response.body#/id"}},
            ),
            Operation(
                method="GET",
                path=ONE,
                page=self.get,
                name="get_payment",
                says="Show a payment with its transfers.",
                scope="read",
                gives=PaymentView,
            ),
        ]

    async def create(self, request: Request, caller: Caller) -> Response:
        """Create a payment; 201."""
        body = await read_body(request)
        order = parse_create(body, owner=caller.key_id, key=key_in(request, body))
        require = partial(self._stage.require, order.test_case) if order.test_case else None
        made = await self._creator.create(order, require=require)
        headers = dict(REPLAYED) if isinstance(made, Replay) else None
        if order.test_case and isinstance(made, Made):
            self._stage.perform(order.test_case, made.payment)
        return Response(made.body, 201, headers, media_type="application/json")

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show a payment with its transfers."""
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, payment_in(request), owner=caller.owner)
        if payment is None:
            raise no_such_payment()
        return Response(payment_body(payment), media_type="application/json")


def payment_in(request: Request) -> PaymentId:
    """Return which payment a path means."""
    try:
        return PaymentId(UUID(request.path_params["payment_id"]))
    except ValueError:
        raise no_such_payment() from None


def no_such_payment() -> NotFound:
    """Return the refusal to tell of a payment that is not there, or not the caller's."""
    return NotFound("No payment has this id")
