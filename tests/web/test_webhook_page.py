"""docs/webhooks.md: its snippets are run, and it tells every event and the whole schedule."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from ctrip.clock import SystemClock
from ctrip.core.events import EventType
from ctrip.core.retry import SCHEDULE
from ctrip.core.signature import headers

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
BODY = b'{"id":"evt_1","type":"payment.paid","sequence":4,"data":{"amount":5}}'
SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a plain text of some length"]


def snippet(name: str) -> Callable[..., Any]:
    """Return a function as the page defines it."""
    code = next(c for c in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if name in c)
    defined: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), defined)  # noqa: S102  what readers copy
    found: Callable[..., Any] = defined[name]
    return found


def sent(secret: str) -> dict[str, str]:
    now = int(SystemClock().now().timestamp())
    return headers("evt_1", now, BODY, [secret])


@pytest.mark.parametrize("secret", SECRETS)
def test_the_library_verifies_what_we_send(secret: str) -> None:
    event_of = snippet("event_of")
    assert event_of(secret, BODY, sent(secret))["sequence"] == 4
    with pytest.raises(WebhookVerificationError):
        event_of(secret, BODY.replace(b"5", b"6"), sent(secret))
    with pytest.raises(WebhookVerificationError):
        event_of("another text of some length", BODY, sent(secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_plain_hmac_verifies_what_we_send(secret: str) -> None:
    is_ours = snippet("is_ours")
    assert is_ours(secret, BODY, sent(secret))
    assert not is_ours(secret, BODY.replace(b"5", b"6"), sent(secret))
    assert not is_ours("another text of some length", BODY, sent(secret))


def test_every_event_and_every_header_is_told() -> None:
    for kind in EventType:
        assert f"`{kind}`" in PAGE
    for name in sent(SECRETS[0]).keys() - {"content-type", "user-agent"}:
        assert f"`{name}`" in PAGE


def test_the_schedule_is_told_as_it_is() -> None:
    units = ((3600, "h"), (60, "min"), (1, "s"))
    waits = []
    for wait in SCHEDULE:
        seconds = int(wait.total_seconds())
        size, unit = next((u for u in units if seconds >= u[0]), (1, ""))
        waits.append(f"{seconds // size} {unit}" if seconds else "at once")
    assert ", ".join(waits) in PAGE.replace("\n", " ")
