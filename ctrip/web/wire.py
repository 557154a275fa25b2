"""The body of a create, and how it becomes an order."""

from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from ctrip.core.idempotency import IdempotencyKey
from ctrip.core.ids import AMOUNT_MAX, Amount, ChainName, KeyId, TokenId
from ctrip.core.money import parse_amount
from ctrip.core.plays import Case
from ctrip.core.price import CURRENCY_TEXT, PRICE_TEXT, BadPrice, Price, parse_price
from ctrip.flows.create import Order
from ctrip.web.bodies import parse
from ctrip.web.problems import FieldError, InvalidBody
from ctrip.web.schemas import one_of

METADATA_COUNT_MAX: Final = 50
PRICE_WORDS: Final = 'must be an object such as {"currency": "USD", "amount": "19.99"}'
URL_WORDS: Final = "must be an http(s) URL of at most 2000 characters"

# Postgres cannot hold U+0000 in text.
Text = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*\Z")]
Url = Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"^https?://[^\x00-\x20]+\Z")]
Value = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00]*\Z")]


# It is read as it was written, which no decoder does; amount_in does, and says what is wrong.
AMOUNT: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": AMOUNT_MAX},
        # 2^256-1 has 78 digits, of which the first are 1157.
        {
            "type": "string",
            "maxLength": 78,
            "pattern": "^(0{0,77}[1-9][0-9]{0,76}|1(0[0-9]|1[0-4])[0-9]{75})$",
        },
    ],
    "examples": ["19990000"],
    "description": "Base units, from 1 to 2^256-1.",
}


NOT_SAID: Final = Raw()


class AskedPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be paid in a currency; it is converted when the payment is made."""

    currency: Annotated[str, Meta(pattern=CURRENCY_TEXT, examples=["USD"])]
    amount: Annotated[str, Meta(pattern=PRICE_TEXT, examples=["19.99"])]


class CreatePayment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/payments: either an amount or a price."""

    EXTRA_SCHEMA: ClassVar = one_of("amount", "price")

    chain: Annotated[str, Meta(min_length=3, max_length=20, pattern=r"^[^\x00]*\Z")]
    amount: Annotated[Raw, Meta(extra_json_schema=AMOUNT)] = NOT_SAID
    price: AskedPrice | None = None
    token_id: UUID | None = None
    expires_in: Annotated[int, Meta(ge=60, le=604_800)] | None = None  # seconds
    order_id: Text | None = None
    description: Text | None = None
    metadata: Annotated[dict[Name, Value], Meta(max_length=METADATA_COUNT_MAX)] = {}
    redirect_url: Url | None = None
    webhook_url: Url | None = None
    test_case: Case | None = None


DECODER: Final = msgspec.json.Decoder(CreatePayment)
WORDS: Final = {"redirect_url": URL_WORDS, "webhook_url": URL_WORDS, "price": PRICE_WORDS}


def parse_create(body: bytes, *, owner: KeyId, key: IdempotencyKey | None) -> Order:
    """Turn a body into an order, or say everything that is wrong with it."""
    asked = parse(body, DECODER, words=WORDS, checks={"amount": amount_in})
    urls = [f for f in ("redirect_url", "webhook_url") if not has_host(getattr(asked, f))]
    faults = [FieldError(name, "must be an http(s) URL") for name in urls]
    if bool(asked.amount) == bool(asked.price):
        both = "cannot stand beside a price" if asked.price else "is required, or a price instead"
        faults.append(FieldError("amount", both))
    if faults:
        raise InvalidBody(faults)
    return Order(
        owner=owner,
        key=key,
        chain=ChainName(asked.chain),
        amount=amount_in(asked.amount) if asked.amount else None,
        price=price_in(asked.price) if asked.price else None,
        token_id=None if asked.token_id is None else TokenId(asked.token_id),
        expires_in_seconds=asked.expires_in,
        order_id=asked.order_id,
        description=asked.description,
        metadata=asked.metadata,
        redirect_url=asked.redirect_url,
        webhook_url=asked.webhook_url,
        test_case=asked.test_case,
    )


def price_in(asked: AskedPrice) -> Price:
    """Read a price, as strictly as an amount."""
    try:
        return parse_price(asked.currency, asked.amount)
    except BadPrice as fault:
        raise InvalidBody([FieldError("price", str(fault))]) from None


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
