"""What callers send: bounded in size, depth and time, then checked field by field.

The fast path decodes a body straight into its struct. Only if that fails is it taken
apart, so that all faults are reported at once.
"""

import asyncio
import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct, ValidationError
from msgspec.structs import fields
from starlette.requests import Request

from ctrip.core.ids import ChainName, TokenId
from ctrip.core.money import BadAmount, parse_amount
from ctrip.flows.create import Order
from ctrip.web.problems import (
    BodyTooLarge,
    BodyTooSlow,
    FieldError,
    InvalidBody,
    InvalidJson,
    WrongContentType,
)

BODY_SIZE_MAX: Final = 65_536  # bytes; the largest honest create, full metadata, is half of it
BODY_SECONDS_MAX: Final = 10.0
METADATA_COUNT_MAX: Final = 50
# The decoder recurses on the C stack, guarded only by Python's recursion limit, which any
# library may raise: a deep body then ends the process. Nothing honest is deeper than two.
DEPTH_MAX: Final = 32

STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
FAULTS_TOLD_MAX: Final = 20  # the known fields, which come last, are all told

# Postgres cannot hold U+0000 in text.
Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*\Z")]
Url = Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"^https?://[^\x00-\x20]+\Z")]
Value = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00]*\Z")]


class CreatePayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/payments."""

    chain: Annotated[str, Meta(min_length=3, max_length=20, pattern=r"^[^\x00]*\Z")]
    amount: Raw
    token_id: UUID | None = None
    expires_in: Annotated[int, Meta(ge=60, le=604_800)] | None = None  # seconds
    order_id: Text | None = None
    description: Text | None = None
    metadata: Annotated[dict[Name, Value], Meta(max_length=METADATA_COUNT_MAX)] = {}
    redirect_url: Url | None = None
    webhook_url: Url | None = None


DECODER: Final = msgspec.json.Decoder(CreatePayment)


def parse_create(body: bytes) -> Order:
    """Turn a body into an order, or say everything that is wrong with it."""
    if depth_of(body) > DEPTH_MAX:
        raise InvalidJson(f"The JSON may be nested at most {DEPTH_MAX} levels deep")
    try:
        asked = DECODER.decode(body)
        amount = parse_amount(number_in(asked.amount))
        faults = [f for f in ("redirect_url", "webhook_url") if not has_host(getattr(asked, f))]
    except ValidationError:
        raise InvalidBody(faults_in(body)) from None
    except BadAmount as fault:
        raise InvalidBody([FieldError("amount", without_name(str(fault)))]) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidJson("The body is not valid JSON") from None
    if faults:
        raise InvalidBody([FieldError(name, "must be an http(s) URL") for name in faults])
    return Order(
        chain=ChainName(asked.chain),
        amount=amount,
        token_id=None if asked.token_id is None else TokenId(asked.token_id),
        expires_in_seconds=asked.expires_in,
        order_id=asked.order_id,
        description=asked.description,
        metadata=asked.metadata,
        redirect_url=asked.redirect_url,
        webhook_url=asked.webhook_url,
    )


def depth_of(body: bytes) -> int:
    """Return how deep the brackets of a JSON text nest, those inside of strings left out."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0  # as nearly always: it cannot be too deep
    depth = deepest = 0
    for mark in STRING.sub(b"", body):
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def number_in(raw: Raw) -> object:
    """Read the amount as it was written: a float that looks whole is still a float."""
    text = bytes(raw).decode()
    if text.removeprefix("-").isdecimal():
        # int() refuses thousands of digits; so does the contract.
        return int(text) if len(text) <= 80 else -1  # noqa: PLR2004  2^256 has 78
    return msgspec.json.decode(raw)


def faults_in(body: bytes) -> list[FieldError]:
    """Check each field by itself."""
    try:
        sent = msgspec.json.decode(body, type=dict[str, Raw])
    except ValidationError:
        return [FieldError("", "The body must be a JSON object")]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidJson("The body is not valid JSON") from None
    known = {field.name: field for field in fields(CreatePayment)}
    faults = [FieldError(name[:80], "unknown field") for name in sent if name not in known]
    for name, field in known.items():
        if name not in sent:
            if field.required:
                faults.append(FieldError(name, "is required"))
        elif fault := fault_in(name, field.type, sent[name]):
            faults.append(FieldError(name, fault))
    return faults[-FAULTS_TOLD_MAX:] or [FieldError("", "The body is not what was asked for")]


def fault_in(name: str, kind: Any, value: Raw) -> str:
    """Return what is wrong with one field, or nothing."""
    try:
        if name == "amount":
            parse_amount(number_in(value))
        else:
            msgspec.json.decode(value, type=kind)
    except BadAmount as fault:
        return without_name(str(fault))
    except ValidationError as fault:
        return explain(name, str(fault))
    except (ValueError, RecursionError):
        return "is not valid JSON"
    return ""


def explain(name: str, said: str) -> str:
    """Put a decoder's words into ours where ours are plainer."""
    if name.endswith("_url"):
        return "must be an http(s) URL of at most 2000 characters"
    if "regex" in said:
        return "must not contain U+0000"
    return said[0].lower() + said[1:].replace("`", "")


def without_name(detail: str) -> str:
    """Return a fault without the name of the field, which stands beside it."""
    return detail.removeprefix("amount ")


def has_host(url: str | None) -> bool:
    """Tell whether a URL names a host; None is no URL and has no fault."""
    if url is None:
        return True
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


async def read_body(request: Request) -> bytes:
    """Return a JSON body, refusing one that is too large, too slow or of another type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongContentType("Content-Type must be application/json")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > BODY_SIZE_MAX:
        raise BodyTooLarge(f"The body may have at most {BODY_SIZE_MAX} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await gather(request)
    except TimeoutError:
        raise BodyTooSlow(f"The body must arrive within {BODY_SECONDS_MAX:.0f} s") from None


async def gather(request: Request) -> bytes:
    """Put a body's pieces together; most come in one."""
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
    return body
