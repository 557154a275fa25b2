"""Lists in pages, and answers in JSON: the same everywhere.

A page ends with a cursor, which names the last row that was shown, so rows that come or go
meanwhile move nobody's place. What it names is nobody's business: callers send it back as
it was. A cursor belongs to one list and is refused by every other.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from ctrip.web.problems import FieldError, InvalidBody

PAGE_MAX: Final = 100  # rows in one answer
TIME_WORDS: Final = "must be a time such as 2026-01-31T12:00:00Z"

ENCODER: Final = msgspec.json.Encoder(uuid_format="canonical")

Time = Annotated[datetime, Meta(tz=True)]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Row = TypeVar("Row")


class Listed(Struct, Generic[Row], frozen=True):
    """One page of a list."""

    data: Sequence[Row]
    next_cursor: str | None  # null on the last page


class All(Struct, Generic[Row], frozen=True):
    """The whole of a list that is never long."""

    data: Sequence[Row]


class Cursor(Struct, frozen=True, array_like=True):
    """After which row a list goes on."""

    of: str
    time: Time
    id: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*\Z")]


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as it travels."""
    return urlsafe_b64encode(ENCODER.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str, *, of: Sequence[str]) -> Cursor | None:
    """Return a cursor that came back, None for the start; refuse one of another list."""
    if not text:
        return None
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        cursor = msgspec.json.decode(urlsafe_b64decode(padded), type=Cursor)
        cursor.time.astimezone(UTC)
    except (ValueError, OverflowError, RecursionError):
        cursor = None
    if cursor is None or cursor.of not in of:
        raise bad_cursor()
    return cursor


def bad_cursor() -> InvalidBody:
    """Return the refusal of a cursor that does not lead back into its list."""
    return InvalidBody([FieldError("cursor", "is not one that this list gave")])


def in_utc(name: str, time: datetime) -> datetime:
    """Return a time as the database takes it; an offset can lead out of the calendar."""
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidBody([FieldError(name, TIME_WORDS)]) from None


def listed(data: Sequence[object], cursor: Cursor | None) -> Response:
    """Return one page of a list."""
    return answer(Listed(data, None if cursor is None else write_cursor(cursor)))


def answer(body: object, status: int = 200) -> Response:
    """Return something as JSON."""
    return Response(ENCODER.encode(body), status, media_type="application/json")
