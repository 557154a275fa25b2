"""What is said to a gateway and what its answers mean, whatever carries them.

    GatewayOutage   nobody answers, or it cannot answer now: ask again
    Denied          the gateway says no, in its own words
    NotAGateway     somebody answers who is no ctrip

No redirect is followed and no proxy of the environment is asked: the key goes where it was
meant to go. Every POST bears an Idempotency-Key, so all that is asked may be asked again.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Generic, Literal, NoReturn, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from msgspec import DecodeError, Struct, ValidationError, json

from ctrip.client.frames import Frame
from ctrip.client.models import Change, change_of
from ctrip.core.endpoints import origin_of
from ctrip.core.errors import ConfigError, OutageError, RequestError

ANSWER_SECONDS_MAX: Final = 15.0  # beyond what the gateway was asked to wait
WAITS: Final = (0.2, 1.0, 3.0)  # seconds between tries
WAIT_SECONDS_MAX: Final = 30.0  # however long the gateway asks for
UNDER_WAY: Final = "idempotency_key_in_use"

T = TypeVar("T")


class GatewayOutage(OutageError):
    """The gateway did not answer, or said that it cannot now."""

    def __init__(self, why: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_seconds: float | None = retry_after_seconds


class NotAGateway(ConfigError):
    """What answers at this address does not speak as ctrip does."""


class FieldFault(Struct, frozen=True):
    """One thing wrong in a body."""

    field: str
    detail: str


class Denied(RequestError):
    """The gateway refused, in a sentence of its own."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldFault, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds  # None: the same again is as wrong


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One thing to ask."""

    kind: type[T]  # of the answer
    path: str
    method: Literal["GET", "POST"] = "GET"
    query: Mapping[str, str] = {}
    body: Any = None
    key: str = ""  # Idempotency-Key of a POST
    seconds: float = ANSWER_SECONDS_MAX

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def content(self) -> bytes:
        return b"" if self.body is None else json.encode(self.body)


class Answer(Struct, frozen=True):
    """What came back."""

    status: int
    retry_after: str | None
    body: bytes


class Gateway:
    """Where a gateway is, and who asks it."""

    def __init__(self, url: str, key: str) -> None:
        if not is_root(url):
            raise NotAGateway(
                "the address of the gateway must be http://… or https://…, without user and query"
            )
        if not (key.isascii() and key.isprintable()):
            raise NotAGateway("the API key holds characters that no key of ctrip has")
        self.url = url.rstrip("/")
        self.shown = origin_of(url)  # the rest of a URL may be secret
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def headers(self, call: Call[Any]) -> dict[str, str]:
        """Return the headers of a request."""
        headers = {**self._headers, "accept": "application/json"}
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.method == "POST":
            headers["idempotency-key"] = call.key
        return headers

    def silent(self, error: BaseException) -> GatewayOutage:
        """Return what to tell of a gateway that did not answer."""
        return GatewayOutage(f"no gateway answers at {self.shown} ({type(error).__name__})")

    def read(self, call: Call[T], answer: Answer) -> T:
        """Return what was answered, or raise what it means."""
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            try:
                return json.decode(answer.body, type=call.kind)
            except (DecodeError, ValidationError):
                raise self._stranger(answer.status) from None
        return self.refuse(answer)

    def change_in(self, frame: Frame) -> Change:
        """Return what a frame of a stream says."""
        try:
            return change_of(frame)
        except (DecodeError, ValueError):
            raise self._stranger(HTTPStatus.OK) from None

    def mute(self) -> GatewayOutage:
        """Return what to tell of a stream that ended before it said anything."""
        return GatewayOutage(f"the gateway at {self.shown} ended the stream at once")

    def refuse(self, answer: Answer) -> NoReturn:
        """Raise what an answer means that is no success."""
        status, wait = answer.status, seconds_in(answer.retry_after)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GatewayOutage(f"the gateway at {self.shown} answered {status}", wait)
        try:
            problem = json.decode(answer.body, type=_Problem)
        except (DecodeError, ValidationError):
            raise self._stranger(status) from None
        may_come_again = status == HTTPStatus.TOO_MANY_REQUESTS or problem.code == UNDER_WAY
        raise Denied(
            status,
            problem.code,
            problem.detail,
            errors=problem.errors,
            retry_after_seconds=wait if may_come_again else None,
        )

    def _stranger(self, status: int) -> NotAGateway:
        return NotAGateway(f"what answers at {self.shown} is no gateway of this version ({status})")


class _Problem(Struct, frozen=True):
    """What the gateway answers when it does not do what it was asked."""

    detail: str
    code: str
    errors: tuple[FieldFault, ...] = ()


def pause_before(fault: GatewayOutage | Denied, wait: float | None) -> float:
    """Return how long to wait before asking again; raise the fault if it is not worth it."""
    if fault.retry_after_seconds is None or wait is None:
        raise fault
    return min(max(wait, fault.retry_after_seconds), WAIT_SECONDS_MAX)


def seconds_in(retry_after: str | None) -> float:
    """Return what a header says, if it says seconds."""
    text = retry_after or ""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0.0  # noqa: PLR2004  a day has five digits


def a_key() -> str:
    """Return an Idempotency-Key that nobody has said yet."""
    return str(uuid4())


def is_root(url: str) -> bool:
    """Tell whether paths of the API may be put behind a URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and "@" not in parts.netloc and not (parts.query or parts.fragment)
