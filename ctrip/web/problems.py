"""How every failure looks from outside: {"detail", "code"} and, for a wrong body, "errors".

The only place that turns errors into HTTP. Nothing of a traceback, a library or the
database reaches a caller. The codes are documented in docs/api.md, which a test compares
with this file.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, json
from msgspec.structs import replace
from starlette.responses import Response

from ctrip import logs
from ctrip.core.acts import Act, WrongState
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.payment import Status
from ctrip.flows.price import PriceUnavailable
from ctrip.flows.register import Unfit
from ctrip.flows.repeat import UnderWay

RETRY_AFTER_SECONDS: Final = "2"  # an outage of Postgres that heals by itself is a restart

log = logs.get("ctrip.web")


class FieldError(Struct, frozen=True):
    """One thing wrong in a body."""

    field: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that is not a success."""

    detail: str
    code: str
    errors: Sequence[FieldError] = ()
    status: Status | None = None  # of the payment, where it is in the way
    allowed: Sequence[Act] | None = None  # what may be done to it instead


class InvalidBody(RequestError):
    """The body is JSON, or the query is one, but not what was asked for."""

    code = "invalid_request"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))
        self.errors = errors


class InvalidJson(RequestError):
    """The body is not JSON."""

    code = "invalid_json"


class WrongContentType(RequestError):
    """The body does not say that it is JSON."""

    status = 415
    code = "unsupported_media_type"


class BodyTooLarge(RequestError):
    """The body is larger than any honest request."""

    status = 413
    code = "body_too_large"


class Unauthorized(RequestError):
    """No key, or one that is not ours."""

    status = 401
    code = "unauthorized"


class Forbidden(RequestError):
    """A key that may not do this."""

    status = 403
    code = "forbidden"


class NotFound(RequestError):
    """There is nothing here, or not for this caller."""

    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    """There is something here, which does not do this."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__("Method Not Allowed")
        self.allowed = ", ".join(sorted(allowed))


# Headers that go with a refusal.
BESIDE: Final[Mapping[type[RequestError], dict[str, str]]] = {
    Unauthorized: {"www-authenticate": "Bearer"},
}


def answer_to(error: Exception) -> Response:
    """Return what a caller is told of an error."""
    match error:
        case RequestError():
            return refusal(error)
        case OutageError():
            return outage(error)
        case _:
            log.error("request failed", exc_info=error)
            return answer(500, Problem(detail="Internal error", code="internal_error"))


def refusal(error: RequestError) -> Response:
    """The caller is wrong."""
    errors: Sequence[FieldError] = ()
    if isinstance(error, InvalidBody):
        errors = error.errors
    elif isinstance(error, Unfit):
        errors = [FieldError(field, fault) for field, fault in error.faults.items()]
    problem = Problem(detail=str(error), code=error.code, errors=errors)
    headers = BESIDE.get(type(error))
    if isinstance(error, WrongState):
        problem = replace(problem, status=error.is_now, allowed=error.allowed)
    elif isinstance(error, UnderWay):
        headers = {"retry-after": str(error.retry_after_seconds)}
    elif isinstance(error, MethodNotAllowed):
        headers = {"allow": error.allowed}
    return answer(error.status, problem, headers)


def outage(error: OutageError) -> Response:
    """Something we need is down."""
    log.warning("request refused", why=str(error))
    if isinstance(error, PriceUnavailable):
        told = Problem(detail=str(error), code=error.code)
        return answer(error.status, told, {"retry-after": str(error.retry_after_seconds)})
    problem = Problem(detail="Temporarily unavailable; try again", code="unavailable")
    return answer(503, problem, {"retry-after": RETRY_AFTER_SECONDS})


def answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    return Response(json.encode(problem), status, headers, media_type="application/json")
