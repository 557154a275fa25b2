"""Webhooks, at the shop: is it genuine, and what does it say?

    event = open_webhook(request.headers, request.body, secret)

The headers are those of Standard Webhooks, the secret is `whsec_…`, or `whpk_…` of an
endpoint that signs with ed25519. The body must be the bytes as they came: a body that was
parsed and written again is another body.
"""

from collections.abc import Mapping

from msgspec import DecodeError, json

from ctrip.client.models import Event
from ctrip.clock import SystemClock
from ctrip.core.errors import RequestError
from ctrip.core.verify import TOLERANCE_SECONDS, VerifyV1a, Wrong, verify


class NotGenuine(RequestError):
    """A webhook must be refused; the text says what is wrong with it."""


def no_ed25519(_secret: str, _content: bytes, _signature: str) -> bool:
    """Refuse: without the package cryptography there is nothing to verify ed25519 with."""
    raise NotGenuine("to verify ed25519, say verify_v1a=ctrip.webhooks.signing.verify_v1a")


def open_webhook(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    verify_v1a: VerifyV1a = no_ed25519,
) -> Event:
    """Return the event that a webhook brings; raise NotGenuine unless a gateway signed it."""
    now = int(SystemClock().now().timestamp())
    verdict = verify(
        headers, body, secret, now, verify_v1a=verify_v1a, tolerance_seconds=tolerance_seconds
    )
    if isinstance(verdict, Wrong):
        raise NotGenuine(f"{verdict.part}: {verdict.why}")
    try:
        return json.decode(body, type=Event)
    except DecodeError:
        raise NotGenuine("body: it is signed, and no event") from None
