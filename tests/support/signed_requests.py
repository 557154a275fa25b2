"""Webhooks as a receiver might get them: some of ours, some that only look so.

    accepted()     has to be taken: every golden event, each kind of secret, two at a time
    refused()      may not be taken: another secret, an altered body, an old time
    malformed()    what nobody signed; libraries may fail at it, code of our own refuses it

They are of this moment: make them when they are needed. Times are far enough from the five
minutes that receivers allow that a slow machine does not matter.
"""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ctrip.clock import SystemClock
from ctrip.core.signature import headers
from tests.support.node_verifier import Sent

EVENTS: Final = Path(__file__).parents[1] / "golden" / "events"
WHSEC: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PADDED: Final = "whsec_" + b64encode(bytes(range(200, 232))).decode()
PLAIN: Final = "a plain text secret, not base64"
UMLAUTS: Final = "Käse für 10 €, und mehr"
SECRETS: Final = (WHSEC, PADDED, PLAIN, UMLAUTS)
BODY: Final = '{"id":"evt_1","type":"payment.paid","data":{"description":"Käse für 10 €"}}'.encode()
JUNK: Final = ("", " ", ",", "v1", "v1,", "v1,!", "v1,AAAA", "v2,AAAA", "v1,AAAA v1,BBBB")


def now() -> int:
    return int(SystemClock().now().timestamp())


def signed(*secrets: str, body: bytes = BODY, at: int = 0, **changes: str) -> dict[str, str]:
    """Return the headers of a request of `at` seconds ago, some of them changed since."""
    made = headers("evt_1", now() - at, body, secrets)
    return made | {f"webhook-{name}": value for name, value in changes.items()}


def others(secret: str) -> list[str]:
    return [other for other in SECRETS if other != secret]


def accepted() -> Iterator[Sent]:
    """Yield what a receiver has to take."""
    bodies = [path.read_bytes() for path in sorted(EVENTS.iterdir())]
    yield from (Sent(signed(WHSEC, body=body), body, WHSEC) for body in bodies)
    for secret in SECRETS:
        yield Sent(signed(secret), BODY, secret)
        yield Sent(signed(secret, at=200), BODY, secret)
        yield Sent(signed(secret, at=-200), BODY, secret)
        for other in others(secret):  # while it is rotated: the old and the new one
            yield Sent(signed(secret, other), BODY, secret)
            yield Sent(signed(other, secret), BODY, secret)
        ours = signed(secret)["webhook-signature"]
        yield Sent(signed(secret, signature=f"v1a,AAAA {ours}"), BODY, secret)
        yield Sent(signed(secret, signature=f"v9,x {ours} v9,x"), BODY, secret)


def refused() -> Iterator[Sent]:
    """Yield what no receiver may take."""
    for secret in SECRETS:
        yield Sent(signed(*others(secret)), BODY, secret)
        for other in others(secret):
            yield Sent(signed(other), BODY, secret)
        yield Sent(signed(secret), BODY.replace(b"10", b"11"), secret)
        yield Sent(signed(secret), BODY + b" ", secret)
        yield Sent(signed(secret, id="evt_2"), BODY, secret)
        yield Sent(signed(secret, at=5, timestamp=str(now())), BODY, secret)
        yield Sent(signed(secret, at=400), BODY, secret)
        yield Sent(signed(secret, at=-600), BODY, secret)
        ours = signed(secret)["webhook-signature"]
        yield Sent(signed(secret, signature=ours.replace("v1,", "v2,")), BODY, secret)
        yield Sent(signed(secret, signature=ours.replace("v1,", "v1a,")), BODY, secret)
        yield Sent(signed(secret, signature=ours[:-2]), BODY, secret)
        yield Sent(signed(secret, signature=f"v1,AAAA{ours[7:]}"), BODY, secret)


def malformed() -> Iterator[Sent]:
    """Yield what nobody signed."""
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        yield Sent({k: v for k, v in signed(WHSEC).items() if k != name}, BODY, WHSEC)
    bare = signed(WHSEC)["webhook-signature"].removeprefix("v1,")
    for junk in (bare, *JUNK):
        yield Sent(signed(WHSEC, signature=junk), BODY, WHSEC)
    for timestamp in ("", "now", "-1", "1e9", "0x7fffffff", " ", "9" * 400, f"{now()}.0"):
        yield Sent(signed(WHSEC, timestamp=timestamp), BODY, WHSEC)
