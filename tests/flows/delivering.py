"""A sender of one's own, and what became of every delivery."""

import asyncio
from datetime import timedelta

from ctrip.flows.deliver import Sender
from ctrip.flows.receivers import Receivers
from ctrip.flows.stops import Stops
from ctrip.settings import Secret, Webhooks
from ctrip.store.pool import Pool
from ctrip.webhooks.client import WebhookClient
from tests.flows.world import World

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (published, in Standard Webhooks)
KEY = "k" * 64
LEASE = timedelta(seconds=20)


def sender_of(world: World, client: WebhookClient, pool: Pool | None = None) -> Sender:
    settings = Webhooks(secret=Secret(SECRET), secrets_key=Secret(KEY))
    receivers = Receivers(world.pool, settings, world.clock)
    return Sender(
        pool or world.pool,
        client,
        receivers,
        world.clock,
        world.news,
        lease=LEASE,
        spawn=asyncio.create_task,
        stops=Stops(),
    )


async def send(sender: Sender) -> None:
    """Send what is due, and all that becomes due by that."""
    while await sender.run_once():
        await sender.settled()
    await sender.settled()


async def states(world: World) -> list[tuple[str, str, int, str | None]]:
    """Return what became of every delivery."""
    rows = await world.rows(
        "SELECT endpoint_id, 'waiting', attempts, (SELECT outcome FROM attempts a WHERE "
        "a.event_id = d.event_id AND a.endpoint_id = d.endpoint_id ORDER BY at DESC LIMIT 1) "
        "FROM deliveries d UNION ALL SELECT endpoint_id, "
        "CASE WHEN delivered THEN 'delivered' ELSE 'dead' END, attempts, outcome "
        "FROM deliveries_done"
    )
    return [tuple(row) for row in rows]
