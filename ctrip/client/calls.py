"""Every request the clients know how to make, as a value; aio.py and sync.py send it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from ctrip.client.models import All, Chain, Event, Listed, Page, Payment, Refund, Token
from ctrip.client.talk import ANSWER_SECONDS_MAX, Call, a_key

PAYMENTS: Final = "/api/v1/payments"
PAGE_SIZE: Final = 100  # rows


def create_payment(
    chain: str, amount: int | None, options: Mapping[str, Any], key: str | None
) -> Call[Payment]:
    """Ask for a payment; the amount as text, because not every number is safe in JSON."""
    body = {"chain": chain, **options}
    if amount is not None:
        body["amount"] = str(amount)
    return Call(kind=Payment, method="POST", path=PAYMENTS, body=body, key=key or a_key())


def get_payment(payment_id: object) -> Call[Payment]:
    """Ask for one payment."""
    return Call(kind=Payment, path=of(payment_id))


def list_payments(filters: Mapping[str, Any], cursor: str | None) -> Call[Listed[Payment]]:
    """Ask for a piece of the list of payments, newest first."""
    query = {name: in_a_query(value) for name, value in filters.items() if value is not None}
    query |= {"cursor": cursor} if cursor else {}
    return Call(kind=Listed[Payment], path=PAYMENTS, query={"limit": str(PAGE_SIZE)} | query)


def act(payment_id: object, verb: str, body: Any = None) -> Call[Payment]:
    """Ask that something is done to a payment: cancel, accept, extend."""
    path = f"{of(payment_id)}/{verb}"
    return Call(kind=Payment, method="POST", path=path, body=body, key=a_key())


def refund(payment_id: object, to: str, amount: int | None, key: str | None) -> Call[Refund]:
    """Ask that money goes back; without an amount all that may."""
    path = f"{of(payment_id)}/refund"
    body = {"to": to} if amount is None else {"to": to, "amount": str(amount)}
    return Call(kind=Refund, method="POST", path=path, body=body, key=key or a_key())


def refunds_of(payment_id: object) -> Call[All[Refund]]:
    """Ask for all that goes back of a payment, the oldest first."""
    return Call(kind=All[Refund], path=f"{of(payment_id)}/refunds")


def events_of(payment_id: object, cursor: str | None) -> Call[Listed[Event]]:
    """Ask for a payment's events, the first one first."""
    query = {"cursor": cursor} if cursor else {}
    return Call(kind=Listed[Event], path=f"{of(payment_id)}/events", query=query)


def stream(payment_id: object, after: int | None) -> Call[bytes]:
    """Ask for what becomes of a payment, from now on or after a place."""
    query = {} if after is None else {"last_event_id": str(after)}
    return Call(kind=bytes, path=f"{of(payment_id)}/stream", query=query)


def follow(
    after: int | Literal["end"], limit: int, types: Sequence[str], wait_seconds: float
) -> Call[Page]:
    """Ask for the events after a place in the stream."""
    query = {"after": str(after), "limit": str(limit), "wait": f"{wait_seconds:g}"}
    query |= {"types": ",".join(types)} if types else {}
    seconds = wait_seconds + ANSWER_SECONDS_MAX
    return Call(kind=Page, path="/api/v1/events", query=query, seconds=seconds)


CHAINS: Final = Call(kind=All[Chain], path="/api/v1/chains")
TOKENS: Final = Call(kind=All[Token], path="/api/v1/tokens")


def of(payment_id: object) -> str:
    """Return the path of a payment."""
    return f"{PAYMENTS}/{quote(str(payment_id), safe='')}"


def in_a_query(value: object) -> str:
    """Return a value as a query says it."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
