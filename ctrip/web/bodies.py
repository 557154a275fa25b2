"""What callers send: bounded in size and depth, then checked field by field.

A body, or a query, is a struct that knows no other field. The fast path decodes straight into
it. Only if that fails is what was sent taken apart, so that all faults are told at once.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct, ValidationError
from msgspec.structs import FieldInfo, fields
from starlette.requests import Request

from ctrip.core.errors import RequestError
from ctrip.core.nesting import DEPTH_MAX, is_too_deep
from ctrip.core.twins import twin_in
from ctrip.web.auth import ask_again
from ctrip.web.problems import (
    BodyTooLarge,
    FieldError,
    InvalidBody,
    InvalidJson,
    WrongContentType,
)

BODY_SIZE_MAX: Final = 65_536  # bytes; the largest honest create, full metadata, is half of it
FAULTS_TOLD_MAX: Final = 20  # the known fields, which come last, are all told

Asked = TypeVar("Asked", bound=Struct)
Check = Callable[[Raw], object]  # raises RequestError

NOT_JSON: Final = "The body is not valid JSON"


def parse(
    body: bytes,
    decoder: "msgspec.json.Decoder[Asked]",
    *,
    words: Mapping[str, str] = {},
    checks: Mapping[str, Check] = {},
) -> Asked:
    """Return what a body asks for, or raise all that is wrong with it.

    `words` say what a field must be where the decoder's own words would help nobody, and
    `checks` read those fields that it hands on as they were written.
    """
    if is_too_deep(body):
        raise InvalidJson(f"The JSON may be nested at most {DEPTH_MAX} levels deep")
    try:
        asked = decoder.decode(body)
        for name, check in checks.items():
            if sent := getattr(asked, name):  # else it was left out
                check(sent)
    except (ValidationError, RequestError):
        raise InvalidBody(faults_in(body, decoder.type, words, checks)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidJson(NOT_JSON) from None
    if twin := twin_in(body):
        raise InvalidBody([FieldError(twin[:80], "is there twice")])
    return asked


def parse_query(request: Request, kind: type[Asked], *, words: Mapping[str, str] = {}) -> Asked:
    """Return what a query asks for, or raise all that is wrong with it."""
    said = dict(request.query_params)
    if len(said) < len(request.query_params.multi_items()):
        names = Counter(name for name, _ in request.query_params.multi_items())
        raise InvalidBody([FieldError(n[:80], "is there twice") for n in names if names[n] > 1])
    try:
        asked = msgspec.convert(said, kind, strict=False)
    except ValidationError:
        known = {field.encode_name: field for field in fields(kind)}
        faults = [FieldError(name[:80], "unknown parameter") for name in said if name not in known]
        for name, field in known.items():
            if name in said and (fault := fault_in_text(field, said[name], words)):
                faults.append(FieldError(name, fault))
        raise InvalidBody(faults[-FAULTS_TOLD_MAX:]) from None
    # The decoder takes more than we say: "null" for nothing said, and a number for a time.
    if loose := [name for name, text in said.items() if is_loose(getattr(asked, name), text)]:
        raise InvalidBody([FieldError(name, words.get(name, "is not valid")) for name in loose])
    return asked


def is_loose(value: object, text: str) -> bool:
    """Tell whether a parameter was read as something that it does not say."""
    return value is None or (isinstance(value, datetime) and ":" not in text)


def faults_in(
    body: bytes, kind: type[Struct], words: Mapping[str, str], checks: Mapping[str, Check]
) -> list[FieldError]:
    """Check each field by itself."""
    try:
        sent = msgspec.json.decode(body, type=dict[str, Raw])
    except ValidationError:
        return [FieldError("", "The body must be a JSON object")]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidJson(NOT_JSON) from None
    known = {field.name: field for field in fields(kind)}
    faults = [FieldError(name[:80], "unknown field") for name in sent if name not in known]
    for name, field in known.items():
        if name not in sent:
            if field.required:
                faults.append(FieldError(name, "is required"))
        elif fault := fault_in(field, sent[name], words, checks.get(name)):
            faults.append(FieldError(name, fault))
    return faults[-FAULTS_TOLD_MAX:] or [FieldError("", "The body is not what was asked for")]


def fault_in(field: FieldInfo, value: Raw, words: Mapping[str, str], check: Check | None) -> str:
    """Return what is wrong with one field, or nothing."""
    try:
        if check:
            check(value)
        else:
            msgspec.json.decode(value, type=field.type)
    except RequestError as fault:
        return str(fault).removeprefix(f"{field.name} ")  # the name stands beside it
    except ValidationError as fault:
        return words.get(field.name) or explain(str(fault))
    except (ValueError, RecursionError):
        return "is not valid JSON"
    return ""


def fault_in_text(field: FieldInfo, value: Any, words: Mapping[str, str]) -> str:
    """Return what is wrong with one parameter, or nothing."""
    try:
        msgspec.convert(value, field.type, strict=False)
    except ValidationError as fault:
        return words.get(field.name) or explain(str(fault))
    return ""


def explain(said: str) -> str:
    """Put a decoder's words into ours where ours are plainer."""
    if "regex" in said:
        return "must not contain U+0000"
    return said[0].lower() + said[1:].replace("`", "")


async def read_body(request: Request) -> bytes:
    """Return a JSON body, refusing one that is too large or of another type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongContentType("Content-Type must be application/json")
    return await read_bytes(request)


async def read_bytes(request: Request) -> bytes:
    """Return a body of any type, refusing one that is too large; the edge refuses slow ones."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > BODY_SIZE_MAX:
        raise BodyTooLarge(f"The body may have at most {BODY_SIZE_MAX} bytes")
    body = b""
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise InvalidJson("The body ended early")
        body += message.get("body", b"")
        if len(body) > BODY_SIZE_MAX:
            raise BodyTooLarge(f"The body may have at most {BODY_SIZE_MAX} bytes")
        more = message.get("more_body", False)
    await ask_again(request)
    return body
