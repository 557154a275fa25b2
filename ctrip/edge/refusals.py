"""What is answered before there is a request, in the form that every other fault has."""

from typing import Final
from uuid import uuid4

from msgspec import json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ctrip.core.errors import RequestError
from ctrip.web.problems import RETRY_AFTER_SECONDS, BodyTooLarge, Problem

HEAD_BYTES_MAX: Final = 16_384  # of a request line and its headers, and of trailers
HEADERS_MAX: Final = 100  # browsers send 20
URI_BYTES_MAX: Final = 8_192  # RFC 9112 asks for 8,000; ours are far below
BODY_BYTES_MAX: Final = 1_048_576  # with its framing, read or not; pages take 64 KiB


class NotHttp(RequestError):
    """Not HTTP/1.1, or HTTP that can be read in two ways."""

    code = "invalid_http"


class TooSlow(RequestError):
    """The headers, or the body, did not arrive in time."""

    status = 408
    code = "request_timeout"


class UriTooLong(RequestError):
    """The path and query are longer than any of ours."""

    status = 414
    code = "uri_too_long"


class HeadTooLarge(RequestError):
    """The headers are larger, or more, than any honest ones."""

    status = 431
    code = "headers_too_large"


class NoRoom(RequestError):
    """Every connection is busy, or we stop; the caller may come again."""

    status = 503
    code = "unavailable"


def too_large(*, body: bool) -> RequestError:
    """Return what is said of too many bytes."""
    if body:
        return BodyTooLarge(f"The body may have at most {BODY_BYTES_MAX} bytes")
    return HeadTooLarge(f"At most {HEADERS_MAX} headers of {HEAD_BYTES_MAX} bytes in all")


def answer(error: RequestError) -> bytes:
    """Return an answer that no page gave, in the same form."""
    body = json.encode(Problem(detail=str(error), code=error.code))
    again = f"retry-after: {RETRY_AFTER_SECONDS}\r\n" if error.status == NoRoom.status else ""
    head = (
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{again}"
        f"cache-control: no-store\r\nx-request-id: {uuid4().hex}\r\nconnection: close\r\n\r\n"
    )
    return STATUS_LINE[error.status] + head.encode() + body
