"""A shop opens what a gateway sent, and nothing else."""

import pytest
from msgspec import ValidationError

from ctrip.client.webhooks import NotGenuine, open_webhook
from ctrip.clock import SystemClock
from ctrip.core.events import created
from ctrip.core.view import event_body
from ctrip.settings import Secret
from ctrip.webhooks.signing import Signer, make_secret, public_of, verify_v1a
from tests.support.builders import CREATED, a_payment

BODY = event_body(created(a_payment()), CREATED)
EVENT_ID = created(a_payment()).id


def signed(secret: str, body: bytes = BODY, *, age_seconds: int = 0) -> dict[str, str]:
    now = int(SystemClock().now().timestamp()) - age_seconds
    return Signer([Secret(secret)]).headers(EVENT_ID, now, body)


def test_a_webhook_brings_its_payment() -> None:
    secret = make_secret("hmac")
    event = open_webhook(signed(secret), BODY, secret)
    assert (event.id, event.type, event.sequence) == (EVENT_ID, "payment.created", 1)
    assert (event.payment.id, event.payment.amount) == (a_payment().id, 100)


def test_an_endpoint_may_sign_with_ed25519() -> None:
    secret = make_secret("ed25519")
    event = open_webhook(signed(secret), BODY, public_of(secret), verify_v1a=verify_v1a)
    assert event.id == EVENT_ID
    with pytest.raises(NotGenuine, match="verify_v1a"):
        open_webhook(signed(secret), BODY, public_of(secret))


@pytest.mark.parametrize(
    ("headers", "body", "part"),
    [
        (signed("whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="), BODY, "secret"),
        ({}, BODY, "headers"),
    ],
)
def test_what_nobody_signed_for_us_is_refused(
    headers: dict[str, str], body: bytes, part: str
) -> None:
    with pytest.raises(NotGenuine, match=part):
        open_webhook(headers, body, make_secret("hmac"))


def test_a_body_that_was_changed_is_refused() -> None:
    secret = make_secret("hmac")
    with pytest.raises(NotGenuine, match="body"):
        open_webhook(signed(secret), BODY.replace(b"100", b"101"), secret)


def test_an_old_one_is_refused_unless_it_is_allowed() -> None:
    secret = make_secret("hmac")
    headers = signed(secret, age_seconds=400)
    with pytest.raises(NotGenuine, match="timestamp"):
        open_webhook(headers, BODY, secret)
    assert open_webhook(headers, BODY, secret, tolerance_seconds=500).id == EVENT_ID


def test_what_is_not_of_a_payment_has_none() -> None:
    secret, body = (
        make_secret("hmac"),
        b'{"id":"evt_x","type":"webhook.test","created_at":"2026-01-01T12:00:00Z","sequence":0,"data":{}}',
    )
    event = open_webhook(signed(secret, body), body, secret)
    with pytest.raises(ValidationError):
        _ = event.payment
