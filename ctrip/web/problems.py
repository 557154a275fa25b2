"""How every failure looks from outside: {"detail", "code"} and, for a wrong body, "errors".

The only place that turns errors into HTTP. Nothing of a traceback, a library or the
database reaches a caller. The codes are documented in docs/api.md, which a test compares
with this file.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, json
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ctrip import logs
from ctrip.core.acts import Act, WrongState
from ctrip.core.errors import InvariantError, OutageError, RequestError
from ctrip.core.payment import Status
from ctrip.flows.price import PriceUnavailable
from ctrip.flows.register import Unfit
from ctrip.flows.repeat import UnderWay

RETRY_AFTER_SECONDS: Final = "2"  # an outage of Postgres that heals by itself is a restart

CODE_OF_STATUS: Final = {404: "not_found", 405: "method_not_allowed"}

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


class BodyTooSlow(RequestError):
    """The body did not arrive in time."""

    status = 408
    code = "request_timeout"


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


# Headers that go with a refusal.
BESIDE: Final[Mapping[type[RequestError], dict[str, str]]] = {
    Unauthorized: {"www-authenticate": "Bearer"},
    UnderWay: {"retry-after": "1"},
}


def answer(status: int, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return a problem as a response."""
    return Response(json.encode(problem), status, headers, media_type="application/json")


async def on_request_error(_request: Request, error: Exception) -> Response:
    """The caller is wrong."""
    if not isinstance(error, RequestError):
        raise error
    errors: Sequence[FieldError] = ()
    if isinstance(error, InvalidBody):
        errors = error.errors
    elif isinstance(error, Unfit):
        errors = [FieldError(field, fault) for field, fault in error.faults.items()]
    problem = Problem(detail=str(error), code=error.code, errors=errors)
    if isinstance(error, WrongState):
        problem = replace(problem, status=error.is_now, allowed=error.allowed)
    return answer(error.status, problem, BESIDE.get(type(error)))


async def on_outage(_request: Request, error: Exception) -> Response:
    """Something we need is down."""
    log.warning("request refused", why=str(error))
    if isinstance(error, PriceUnavailable):
        told = Problem(detail=str(error), code=error.code)
        return answer(error.status, told, {"retry-after": str(error.retry_after_seconds)})
    problem = Problem(detail="Temporarily unavailable; try again", code="unavailable")
    return answer(503, problem, {"retry-after": RETRY_AFTER_SECONDS})


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """The router found no route, or no such method on it."""
    if not isinstance(error, HTTPException):
        raise error
    code = CODE_OF_STATUS.get(error.status_code, "invalid_request")
    detail = "No such resource" if error.status_code == NotFound.status else error.detail
    headers = dict(error.headers) if error.headers else None
    return answer(error.status_code, Problem(detail=detail, code=code), headers)


async def on_broken_rule(request: Request, error: Exception) -> Response:
    """We are wrong, and noticed. Of other faults uvicorn logs the traceback."""
    log.error("request failed", exc_info=error)
    return await on_fault(request, error)


async def on_fault(_request: Request, _error: Exception) -> Response:
    """We are wrong. The log has the traceback; the caller has a sentence."""
    return answer(500, Problem(detail="Internal error", code="internal_error"))


HANDLERS: Final = {
    RequestError: on_request_error,
    OutageError: on_outage,
    InvariantError: on_broken_rule,
    HTTPException: on_http_exception,
    Exception: on_fault,
}
