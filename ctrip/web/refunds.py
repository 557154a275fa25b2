"""Refunds: ask for one, and see how far they are."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.acts import RefundTooLarge, WrongState
from ctrip.core.ids import Address, Amount, PaymentId, RefundId, TxHash
from ctrip.core.payment import GivenBack
from ctrip.core.refund import Refund, RefundState
from ctrip.flows.give_back import RefundLimit, Refunds, RefundsOff, Wish
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse, read_body
from ctrip.web.lists import All, answer
from ctrip.web.operation import Operation
from ctrip.web.payments import ONE, no_such_payment, payment_in
from ctrip.web.repeats import occasion_in
from ctrip.web.wire import AMOUNT, NOT_SAID, amount_in

ADDRESS_WORDS: Final = "must be 0x and 40 hexadecimal digits"


class RefundPayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/payments/{id}/refund."""

    to: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
    amount: Annotated[Raw, Meta(extra_json_schema=AMOUNT)] = NOT_SAID


DECODER: Final = msgspec.json.Decoder(RefundPayment)


class RefundView(Struct, frozen=True, kw_only=True):
    """Money that goes back."""

    id: RefundId
    payment_id: PaymentId
    to: Address
    amount: Amount
    state: RefundState
    why: str | None  # for administrators
    tx_hash: TxHash | None
    block_number: int | None
    created_at: datetime
    ended_at: datetime | None


class RefundPages:
    """The routes of refunds."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    def operations(self) -> list[Operation]:
        """Return what can be asked about refunds."""
        return [
            Operation(
                method="POST",
                path=ONE + "/refund",
                page=self.ask,
                name="refund_payment",
                says="Give a payment's money back, all of it or a part, out of the payout wallet.",
                scope="admin",
                takes=RefundPayment,
                status=201,
                gives=RefundView,
                refuses=(WrongState, RefundTooLarge, RefundsOff, RefundLimit),
            ),
            Operation(
                method="GET",
                path=ONE + "/refunds",
                page=self.list_all,
                name="list_payment_refunds",
                says="List what goes back of a payment's money, the oldest first.",
                scope="read",
                gives=All[RefundView],
            ),
        ]

    async def ask(self, request: Request, caller: Caller) -> Response:
        """Promise a refund; 201."""
        payment_id = payment_in(request)  # what is not there is not found, whatever the body says
        asked = parse(await read_body(request), DECODER, words=WORDS, checks={"amount": amount_in})
        wish = Wish(
            payment_id=payment_id,
            to=asked.to,
            amount=amount_in(asked.amount) if asked.amount else None,
            asked_by=caller.key_id,
        )
        occasion = occasion_in(request)
        made = await self._refunds.ask(
            wish, owner=caller.owner, refund_id=RefundId(occasion) if occasion else None
        )
        if made is None:
            raise no_such_payment()
        return answer(show_refund(*made, caller), status=201)

    async def list_all(self, request: Request, caller: Caller) -> Response:
        """List a payment's refunds."""
        found = await self._refunds.of_payment(payment_in(request), owner=caller.owner)
        if found is None:
            raise no_such_payment()
        return answer(All([show_refund(*one, caller) for one in found]))


WORDS: Final = {"to": ADDRESS_WORDS}


def show_refund(refund: Refund, back: GivenBack, caller: Caller) -> RefundView:
    """Put a refund into the words of the contract."""
    may_know_why = refund.why and "admin" in caller.scopes
    return RefundView(
        id=refund.id,
        payment_id=refund.payment_id,
        to=back.to,
        amount=refund.amount,
        state=refund.state,
        why=refund.why if may_know_why else None,
        tx_hash=back.tx_hash,
        block_number=back.block_number,
        created_at=refund.created_at,
        ended_at=refund.ended_at,
    )
