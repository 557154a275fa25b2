"""POST /api/v1/payments and GET /api/v1/payments/{id}."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.ids import PaymentId
from ctrip.core.view import payment_body
from ctrip.flows.create import Creator
from ctrip.store import payments
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Door
from ctrip.web.bodies import read_body
from ctrip.web.problems import NotFound
from ctrip.web.wire import parse_create


class PaymentPages:
    """The two routes every shop uses."""

    def __init__(self, creator: Creator, pool: Pool, door: Door) -> None:
        self._creator = creator
        self._pool = pool
        self._door = door

    async def create(self, request: Request) -> Response:
        """Create a payment; 201."""
        await self._door.let_in(request, "write")
        order = parse_create(await read_body(request))
        payment = await self._creator.create(order)
        return Response(payment_body(payment), 201, media_type="application/json")

    async def get(self, request: Request) -> Response:
        """Show a payment with its transfers."""
        await self._door.let_in(request, "read")
        wanted = request.path_params["payment_id"]
        try:
            payment_id = PaymentId(UUID(wanted))
        except ValueError:
            raise NotFound("No payment has this id") from None
        async with connection(self._pool) as conn:
            payment = await payments.find(conn, payment_id)
        if payment is None:
            raise NotFound("No payment has this id")
        return Response(payment_body(payment), media_type="application/json")
