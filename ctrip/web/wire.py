"""The body of a create, and how it becomes an order."""

from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from ctrip.core.ids import Amount, ChainName, TokenId
from ctrip.core.money import parse_amount
from ctrip.flows.create import Order
from ctrip.web.bodies import parse
from ctrip.web.problems import FieldError, InvalidBody

METADATA_COUNT_MAX: Final = 50
URL_WORDS: Final = "must be an http(s) URL of at most 2000 characters"

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
WORDS: Final = {"redirect_url": URL_WORDS, "webhook_url": URL_WORDS}


def parse_create(body: bytes) -> Order:
    """Turn a body into an order, or say everything that is wrong with it."""
    asked = parse(body, DECODER, words=WORDS, checks={"amount": amount_in})
    faults = [f for f in ("redirect_url", "webhook_url") if not has_host(getattr(asked, f))]
    if faults:
        raise InvalidBody([FieldError(name, "must be an http(s) URL") for name in faults])
    return Order(
        chain=ChainName(asked.chain),
        amount=amount_in(asked.amount),
        token_id=None if asked.token_id is None else TokenId(asked.token_id),
        expires_in_seconds=asked.expires_in,
        order_id=asked.order_id,
        description=asked.description,
        metadata=asked.metadata,
        redirect_url=asked.redirect_url,
        webhook_url=asked.webhook_url,
    )


def amount_in(raw: Raw) -> Amount:
    """Read the amount as it was written: a float that looks whole is still a float."""
    text = bytes(raw).decode()
    if text.removeprefix("-").isdecimal():
        # int() refuses thousands of digits; so does the contract.
        return parse_amount(int(text) if len(text) <= 80 else -1)  # noqa: PLR2004  2^256 has 78
    return parse_amount(msgspec.json.decode(raw))


def has_host(url: str | None) -> bool:
    """Tell whether a URL names a host; None is no URL and has no fault."""
    if url is None:
        return True
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
