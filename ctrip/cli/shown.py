"""What `ctrip webhooks` shows: endpoints, events and deliveries, for people and as JSON.

The JSON is that of the API, which shows no secret. What a receiver answered is a stranger's
text, so nothing in it may reach the terminal as a command.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict

from ctrip.clock import Clock
from ctrip.core.endpoints import EndpointId
from ctrip.core.errors import RequestError
from ctrip.core.ids import EventId
from ctrip.flows.keyring import KeyShown, Shown
from ctrip.flows.register import NoSuchEvent
from ctrip.store import delivery_log, replays
from ctrip.store.endpoints import Endpoint
from ctrip.store.pool import Conn
from ctrip.web.endpoint_wire import (
    DeliveryView,
    EndpointView,
    ReplayView,
    show_delivery,
    show_endpoint,
    show_replay,
)
from ctrip.web.events import AttemptView, KnownEventView, TrailView, show_event

ANSWER_SHOWN_MAX: Final = 160  # characters on a line; --json has all that was kept
FIRST: Final = EventId("")  # before every id


class BadState(RequestError):
    """Deliveries know no such state."""


class EndpointWhole(EndpointView, Struct, frozen=True, kw_only=True):
    """An endpoint and what is sent to it again."""

    replays: Sequence[ReplayView]


async def whole(conn: Conn, found: Endpoint, beside: Shown) -> EndpointWhole:
    """Return an endpoint with its recoveries."""
    ordered = await replays.of_endpoint(conn, found.id)
    return EndpointWhole(
        **asdict(show_endpoint(found, beside)), replays=[show_replay(one) for one in ordered]
    )


async def event(conn: Conn, event_id: EventId, clock: Clock) -> KnownEventView:
    """Return an event with everything that was done with it; raise NoSuchEvent."""
    known = await delivery_log.event(conn, event_id)
    if known is None:
        raise NoSuchEvent("There is no event of this id")
    found = await delivery_log.of_event(conn, event_id, now=clock.now())
    attempts = await delivery_log.attempts(conn, event_id)
    return show_event(known, found, attempts, all_of_it=True)


async def deliveries(
    conn: Conn, endpoint: EndpointId, state: str, count_max: int, clock: Clock
) -> list[DeliveryView]:
    """Return what waits for an endpoint, the next first, and what has ended, newest first."""
    if state not in {"all", "waiting", "delivered", "dead"}:
        raise BadState("--state: must be one of all, waiting, delivered, dead")
    now = clock.now()
    found: list[delivery_log.Delivery] = []
    if state in {"all", "waiting"}:
        begin = (datetime.min.replace(tzinfo=now.tzinfo), FIRST)
        found = await delivery_log.waiting(
            conn, endpoint, after=begin, count_max=count_max, now=now
        )
    if state != "waiting" and len(found) < count_max:
        found += await delivery_log.done(
            conn,
            endpoint,
            before=(now + timedelta(days=1), FIRST),  # another machine's clock may be ahead
            count_max=count_max - len(found),
            delivered=None if state == "all" else state == "delivered",
        )
    return [show_delivery(one) for one in found]


def endpoint_line(endpoint: EndpointView) -> str:
    """Return an endpoint on a line."""
    types = ",".join(endpoint.event_types)
    return f"{endpoint.id}  {printable(endpoint.url)}  {types}  {state_of(endpoint)}"


def state_of(endpoint: EndpointView) -> str:
    """Say how an endpoint is."""
    since = f" since {moment(endpoint.failing_since)}" if endpoint.failing_since else ""
    failures = f"failing{since}, {endpoint.failures} in a row"
    if not endpoint.enabled:
        reason = f"DISABLED {moment(endpoint.updated_at)}: {endpoint.disabled_reason}"
        return f"{reason} ({failures})" if since else reason
    if endpoint.paused_until and since:
        return f"{failures}; asked again at {moment(endpoint.paused_until)}"
    return failures if since else "enabled"


def endpoint_text(endpoint: EndpointWhole) -> str:
    """Return everything about an endpoint."""
    names = endpoint.header_names
    rate = "any" if endpoint.rate_max is None else f"{endpoint.rate_max:g} a second"
    lines = [
        endpoint_line(endpoint),
        f"  {endpoint.kind}, {endpoint.format}, made {moment(endpoint.created_at)}",
        f"  {printable(endpoint.description)}" if endpoint.description else "",
        f"  {endpoint.concurrency_max} at once, {rate}",
        "  headers: no key opens them" if names is None else f"  headers: {', '.join(names)}",
        *(f"  {secret_line(secret)}" for secret in endpoint.secrets),
        *(f"  {replay_line(replay)}" for replay in endpoint.replays),
    ]
    return "\n".join(line for line in lines if line and line != "  headers: ")


def secret_line(secret: KeyShown) -> str:
    """Return what may be known of a secret, on a line."""
    kind = secret.signature or "secret that no configured key opens (see [webhooks] secrets_key)"
    until = f", signs until {moment(secret.expires_at)}" if secret.expires_at else ""
    public = f" {secret.public_key}" if secret.public_key else ""
    return f"{kind}{public} of {moment(secret.created_at)}{until}"


def replay_line(replay: ReplayView) -> str:
    """Return how far a recovery is, on a line."""
    end = f"ended {moment(replay.ended_at)}" if replay.ended_at else "under way"
    span = f"{moment(replay.since)} to {moment(replay.until)}"
    return f"recovery of {span}: {replay.queued} queued, {end}"


def event_text(event: KnownEventView) -> str:
    """Return an event with its attempts."""
    return "\n".join(event_lines(event))


def event_lines(event: KnownEventView) -> Iterator[str]:
    """Yield an event, its deliveries, and under each its attempts."""
    of = f"  of payment {event.payment_id}" if event.payment_id else ""
    yield f"{event.id}  {event.type}{of}  {moment(event.created_at)}"
    if not event.deliveries:
        yield "  for no endpoint"
    for trail in event.deliveries:
        yield f"  {trail.endpoint_id}  {fate(trail)}"
        yield from (f"    {attempt_line(one)}" for one in trail.log)


def attempt_line(attempt: AttemptView) -> str:
    """Return an attempt on a line."""
    by_hand = " (asked for)" if attempt.manual else ""
    to = f"  {attempt.address}" if attempt.address else ""
    said = f"  {printable(attempt.answer)[:ANSWER_SHOWN_MAX]}" if attempt.answer else ""
    spent = f"{attempt.outcome}  {attempt.milliseconds} ms"
    return f"{attempt.attempt}  {moment(attempt.at)}  {spent}{to}{by_hand}{said}"


def delivery_line(delivery: DeliveryView) -> str:
    """Return a delivery on a line."""
    of = f"  {delivery.payment_id}" if delivery.payment_id else ""
    return f"{delivery.event_id}  {delivery.type}{of}  {fate(delivery)}"


def fate(delivery: DeliveryView | TrailView) -> str:
    """Say what became of a delivery, or when it is tried next."""
    count = f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}"
    last = f", last: {delivery.outcome}" if delivery.outcome else ""
    at = delivery.ended_at or delivery.next_attempt_at
    when = "" if at is None else f" {'at' if delivery.ended_at else 'until'} {moment(at)}"
    return f"{delivery.state}{when} ({count}{last})"


def moment(at: datetime | None) -> str:
    """Return a time as it is typed to `recover`."""
    return "" if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def printable(text: str) -> str:
    """Return a stranger's text on one line, without what a terminal would obey."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in line)
