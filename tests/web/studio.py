"""A process that has listeners: a site of its own, what serves them, and its bell.

Two of them on one database are two processes.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from msgspec.structs import replace

from ctrip.core.ids import KeyId, PaymentId
from ctrip.core.keys import digest_of
from ctrip.edge.connections import Limits
from ctrip.flows.audience import SILENCE_SECONDS, Audience
from ctrip.flows.news import News
from ctrip.flows.supervise import every
from ctrip.server import Server, http_server
from ctrip.settings import Secret
from ctrip.store import accounts
from ctrip.store.bell import LOOK_SECONDS, Bell
from ctrip.store.pool import connection
from ctrip.web.site import Parts, build
from tests.support.changes import change, open_payments
from tests.support.sse import Follower, follow
from tests.support.waiting import until
from tests.web.shop import Shop

CONNECTIONS_MAX: Final = 2_000


class Studio:
    """One process."""

    def __init__(
        self, parts: Parts, audience: Audience, key: str, server: Server, port: int, news: News
    ) -> None:
        self.parts = parts
        self.audience = audience
        self.key = key
        self.server = server
        self.port = port
        self.news = news

    async def follow(
        self, payment: PaymentId | str, query: str = "", *, key: str | None = None, **how: object
    ) -> Follower:
        """Follow a payment with the studio's key unless there is another."""
        path = f"/api/v1/payments/{payment}/stream{query}"
        return await follow(self.port, path, self.key if key is None else key, **how)  # type: ignore[arg-type]  # what follow() takes

    async def happens(self, *ids: PaymentId) -> None:
        """Let something happen to payments in this process."""
        await change(self.parts.pool, *ids)
        self.news.set()


@asynccontextmanager
async def a_studio(
    parts: Parts,
    key: str,
    *,
    database: str = "",
    silence_seconds: float = SILENCE_SECONDS,
    poll_seconds: float = 60,
    write_seconds: float = 30,
    send_buffer: int = 0,
) -> AsyncIterator[Studio]:
    """Serve until the end of the block. With a `database` others are heard, and hear of us."""
    audience = Audience(parts.pool, parts.clock, silence_seconds=silence_seconds)
    bell = Bell(Secret(database), audience.stir)
    news = News(audience.stir, bell.ring)
    parts = replace(parts, audience=audience)
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        limits = Limits(connections_max=CONNECTIONS_MAX, write_seconds=write_seconds)
        server = http_server(build(parts), limits)
        duties = [
            every(
                poll_seconds,
                audience.run_once,
                task="stream",
                health=parts.health,
                nudge=audience.wake,
            )
        ]
        if database:
            await bell.run_once()
            duties.append(
                every(
                    LOOK_SECONDS, bell.run_once, task="bell", health=parts.health, nudge=bell.wake
                )
            )
        tasks = [asyncio.create_task(duty) for duty in duties]
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Studio(parts, audience, key, server, listener.getsockname()[1], news)
        finally:
            audience.stop()
            server.should_exit = True
            await serving
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await bell.close()


async def some_payments(
    shop: Shop, count: int, *, description: str | None = None
) -> list[PaymentId]:
    """Write payments of the shop's key."""
    owner = await owner_of(shop)
    return await open_payments(shop.pool, count, owner=owner, description=description)


async def owner_of(shop: Shop) -> KeyId:
    async with connection(shop.pool) as conn:
        key = await accounts.find(conn, digest_of(shop.key))
    assert key is not None
    return KeyId(key.id)


async def until_listening(studio: Studio, count: int) -> None:
    async def as_many() -> bool:
        return len(studio.audience) == count

    await until(f"{count} listen", as_many, seconds=2)
