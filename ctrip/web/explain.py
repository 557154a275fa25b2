"""Why isn't this paid: of a payment, and of whatever a payer or a shop has at hand."""

from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.case import About, read_about
from ctrip.core.explain import Explanation
from ctrip.core.ids import TxHash
from ctrip.flows.explain import Explainer
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse_query
from ctrip.web.lists import answer
from ctrip.web.operation import Operation
from ctrip.web.payments import ONE, no_such_payment, payment_in
from ctrip.web.problems import FieldError, InvalidBody, NotFound

UUID_SHAPE: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
WORDS: Final = {
    "tx_hash": "must be a transaction hash: 0x and 64 hex digits",
    "about": "must be the id or the address of a payment, or a transaction hash",
}


class ExplainPayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of one payment's explanation: a transaction that is said to have paid it."""

    tx_hash: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{64}\Z")] | None = None


class ExplainAbout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of an explanation: the id or address of a payment, or a transaction hash."""

    about: Annotated[
        str, Meta(pattern=rf"^(0x([0-9a-fA-F]{{24}})?[0-9a-fA-F]{{40}}|{UUID_SHAPE})\Z")
    ]


class ExplainPages:
    """The routes of explanations."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    def operations(self) -> list[Operation]:
        """Return what can be explained."""
        return [
            Operation(
                method="GET",
                path=ONE + "/explain",
                page=self.of_payment,
                name="explain_payment",
                says="Say why a payment is not paid, or what became of a transaction meant for it.",
                scope="read",
                asks=ExplainPayment,
                gives=Explanation,
            ),
            Operation(
                method="GET",
                path="/api/v1/explain",
                page=self.of_anything,
                name="explain",
                says="Say what became of a payment or a transaction, whichever is at hand.",
                scope="read",
                asks=ExplainAbout,
                gives=Explanation,
                refuses=(NotFound,),
                tag="payments",
            ),
        ]

    async def of_payment(self, request: Request, caller: Caller) -> Response:
        """Explain a payment."""
        about = About(payment_id=payment_in(request))
        tx_hash = parse_query(request, ExplainPayment, words=WORDS).tx_hash
        return await self._explain(about, caller, TxHash(tx_hash.lower()) if tx_hash else None)

    async def of_anything(self, request: Request, caller: Caller) -> Response:
        """Explain what a query names."""
        if "about" not in request.query_params:
            raise InvalidBody([FieldError("about", WORDS["about"])])
        about = read_about(parse_query(request, ExplainAbout, words=WORDS).about)
        if about is None:
            raise InvalidBody([FieldError("about", WORDS["about"])])
        return await self._explain(about, caller, None)

    async def _explain(self, about: About, caller: Caller, tx_hash: TxHash | None) -> Response:
        told = await self._explainer.explain(about, owner=caller.owner, tx_hash=tx_hash)
        if told is None:
            raise no_such_payment()
        return answer(told)
