"""What can be asked of the API. Each operation says about itself all that its users must know.

From the same list come the routes, the check of keys, the retries that are safe, and the
OpenAPI document, so that none of them can tell another story than the rest. An operation
without a scope asks for no key; that is written down for each, never assumed.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from ctrip.web.auth import Caller

Page = Callable[[Request, Caller], Awaitable[Response]]
Method = Literal["GET", "POST", "PATCH", "DELETE"]
Repeats = Literal["kept", "own", "sealed"]


class Refusal(Protocol):
    """An error that callers are shown."""

    status: int
    code: str


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: Method
    path: str  # as Starlette spells it: /api/v1/payments/{payment_id}
    page: Page
    name: str  # operationId
    says: str  # a sentence
    scope: Literal["read", "write", "admin"] | None  # None: open to everybody
    takes: type[Struct] | None = None  # its JSON body
    body_may_be_left_out: bool = False
    asks: type[Struct] | None = None  # its query
    status: int = 200
    gives: Any = None  # the type of a success's body; None: there is none
    gives_too: Mapping[int, Any] = {}  # by status, what it answers beside a success and a refusal
    media_type: str = "application/json"
    refuses: tuple[type[Refusal], ...] = ()  # beside what every operation may
    # Of a POST, what becomes of an Idempotency-Key: its answer is kept, or kept sealed
    # because there is a secret in it, or the operation sees to it itself.
    repeats: Repeats = "kept"
    tag: str = ""  # under which it is listed; the first word of the path unless said
    links: Mapping[str, Mapping[str, str]] = {}  # OpenAPI: operation -> parameter -> expression
