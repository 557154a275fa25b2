"""Receivers as rows, for tests that want news to have somebody to go to."""

from datetime import datetime
from uuid import uuid4

from msgspec import convert

from ctrip.core.endpoints import EndpointId, Format
from ctrip.store import endpoint_secrets, endpoints
from ctrip.store.endpoint_secrets import SealedSecret
from ctrip.store.endpoints import Wish
from ctrip.store.pool import Conn, Pool, connection
from ctrip.webhooks.seal import Sealer
from tests.support.builders import CREATED

URL = "https://shop.example/hook"


async def has_receiver(pool: Pool, url: str = URL, *, now: datetime = CREATED) -> None:
    """Let the configuration name a receiver."""
    async with connection(pool) as conn:
        await endpoints.sync_config(conn, url, now=now)


def an_endpoint(endpoint_id: str = "we_1", url: str = URL, **asked: object) -> tuple[str, Wish]:
    """Return an endpoint as it would be asked for over the API."""
    plain: dict[str, object] = {
        "url": url,
        "description": "",
        "event_types": ("*",),
        "format": Format.STANDARD,
        "headers": None,
        "concurrency_max": 16,
        "rate_max": None,
    }
    return endpoint_id, convert(plain | asked, Wish)


async def made(conn: Conn, *new: tuple[str, Wish]) -> None:
    """Write endpoints."""
    for endpoint_id, wish in new:
        await endpoints.add(conn, EndpointId(endpoint_id), wish, now=CREATED)


async def signs(conn: Conn, endpoint_id: str, secret: str, sealer: Sealer) -> None:
    """Give an endpoint a secret."""
    new = SealedSecret(
        id=uuid4(),
        endpoint_id=EndpointId(endpoint_id),
        sealed=sealer.seal(secret.encode(), owner=endpoint_id),
        created_at=CREATED,
        expires_at=None,
    )
    await endpoint_secrets.add(conn, new)
