"""One exact body for each event there is, each from a story that could happen.

The bodies are in a receiver's hands from the first webhook on, and docs/webhooks.md shows
them: add to them, never rename or reorder a word.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from msgspec.json import format as reformat

from ctrip.core.changes import Cancelled, Change
from ctrip.core.endpoints import FAILED_TOO_LONG, EndpointId
from ctrip.core.events import EventType, created
from ctrip.core.ids import EventId
from ctrip.core.notices import EndpointDisabled, Notice, Trial
from ctrip.core.view import event_body, notice_body
from tests.support.builders import (
    CREATED,
    DEADLINE,
    TOKEN,
    TOO_LATE,
    WINDOW_END,
    a_hash,
    a_token_payment,
    a_transfer,
    an_other_transfer,
    clock,
    head,
    lost,
    run,
    seen,
)
from tests.support.refunding import asked_back, paid_back

EVENTS: Final = Path(__file__).parent.parent / "golden" / "events"
ENDPOINT: Final = EndpointId("we_2f8c6a3e9b7d4e10a5c3f1d2")
PRICE: Final = 25_000_000
ORDER: Final = a_token_payment(
    amount=PRICE,
    order_id="A-1001",
    description="Käse für 25 €",
    metadata={"cart": "77"},
    redirect_url="https://shop.example/thanks?order=A-1001",
)
PART: Final = a_transfer(1, 10_000_000, 10, asset=TOKEN.asset)
PAID: Final = a_transfer(1, PRICE, 10, asset=TOKEN.asset)
MORE: Final = a_transfer(2, 5_000_000, 11, asset=TOKEN.asset)
LATE: Final = a_transfer(1, PRICE, 160, asset=TOKEN.asset, block_time=TOO_LATE)
WRONG: Final = an_other_transfer(1, PRICE, 10)


class Story(NamedTuple):
    """What happens to a payment once it was announced, and when the last of it is told."""

    changes: tuple[Change, ...]
    minutes: float


STORIES: Final[Mapping[EventType, Story]] = {
    EventType.DETECTED: Story((seen(PAID),), 1),
    EventType.CONFIRMED: Story((seen(PAID), head(12)), 1.5),
    EventType.PAID: Story((seen(PAID), head(12)), 1.5),
    EventType.SETTLED: Story((seen(PAID), head(12), head(90, finalized=26)), 16),
    EventType.EXPIRED: Story((clock(),), 31),
    EventType.FAILED: Story((clock(), clock(WINDOW_END)), 60 * 24.5),
    EventType.UNDERPAID: Story((seen(PART),), 1),
    EventType.OVERPAID: Story((seen(PAID), seen(MORE)), 1.25),
    EventType.LATE: Story((clock(DEADLINE), seen(LATE)), 31),
    EventType.REORGED: Story((seen(PAID), lost(PAID)), 1.5),
    EventType.CANCELLED: Story((Cancelled(),), 2),
    EventType.UNEXPECTED_TRANSFER: Story((seen(WRONG),), 1),
    EventType.REFUNDED: Story(
        (seen(PAID), head(90, finalized=26), asked_back(1, 5_000_000), paid_back(1, 95)), 17
    ),
}
NOTICES: Final[Mapping[EventType, Trial | EndpointDisabled]] = {
    EventType.TEST: Trial(endpoint_id=ENDPOINT),
    EventType.ENDPOINT_DISABLED: EndpointDisabled(
        endpoint_id=ENDPOINT,
        url="https://shop.example/hooks/ctrip",
        reason=FAILED_TOO_LONG,
        failing_since=CREATED - timedelta(days=5, minutes=1),
    ),
}


def golden(kind: EventType) -> bytes:
    """Return a golden body: the file is spread over lines to be read, the body is not."""
    return reformat((EVENTS / f"{kind}.json").read_bytes(), indent=-1)


def body_of(kind: EventType) -> bytes:
    """Return what is sent at the end of the event's story."""
    if kind is EventType.CREATED:
        return event_body(created(ORDER), CREATED)
    if kind in NOTICES:
        told = EventId(f"evt_{a_hash(kind)[2:34]}")
        return notice_body(Notice(id=told, type=kind, data=NOTICES[kind]), CREATED)
    story = STORIES[kind]
    _, news = run(ORDER, *story.changes)
    *_, last = (event for event in news if event.type is kind)
    return event_body(last, CREATED + timedelta(minutes=story.minutes))


@pytest.mark.parametrize("kind", EventType)
def test_a_story_ends_in_the_golden_body_byte_for_byte(kind: EventType) -> None:
    assert body_of(kind) == golden(kind)


def test_every_golden_body_is_of_an_event_that_exists() -> None:
    assert {path.stem for path in EVENTS.iterdir()} == set(EventType)


def test_every_golden_file_is_laid_out_to_be_read() -> None:
    for path in EVENTS.iterdir():
        text = path.read_bytes()
        assert text == reformat(text, indent=2) + b"\n", path.name
