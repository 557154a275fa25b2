"""The bell between processes: whoever commits news rings, and the senders of others wake.

A ring is a NOTIFY, sent after the transaction that made the news, never inside it: there it
would make commits wait for each other, in the whole cluster. However much happens, a process
rings RINGS_SECOND_MAX times a second at most. A ring that is lost costs a moment, because
senders also look by themselves; so nothing here is repeated but what was not yet sent.

It has a connection of its own, which listens, rings and is looked after by run_once: Postgres
forgets who listened when a connection ends, and says nothing to whoever comes back. One that
was closed is replaced at once; one that is open and dead is found by asking. After each
connection the bell rings here, for what was missed. Behind a proxy that lends connections by
the transaction (PgBouncer) nothing is ever heard, and nothing breaks.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from ctrip.settings import Secret
from ctrip.store.pool import PASSING, PING, Conn, DatabaseOutage

LOOK_SECONDS: Final = 30.0  # between looks at a quiet connection
ANSWER_SECONDS_MAX: Final = 5.0  # then a connection is dead, open or not
CLOSE_SECONDS_MAX: Final = 1.0
RINGS_SECOND_MAX: Final = 10  # each wakes every sender once
CHANNEL: Final = "ctrip_news"
NAME: Final = "ctrip bell"  # in pg_stat_activity, where the view living_processes looks for it

# What also passes here, because the pool was opened with the same address before: a password
# that is being changed, a database that is being restored.
REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

RING = "SELECT pg_notify('ctrip_news', '')"


class Bell:
    """Rings for others, and calls `on_ring` when others ring.

    `wake` is set when run_once has something to do before LOOK_SECONDS have passed;
    `connected` with each new connection.
    """

    def __init__(self, url: Secret, on_ring: Callable[[], None]) -> None:
        self.wake = asyncio.Event()
        self.connected = asyncio.Event()
        self._url = url
        self._on_ring = on_ring
        self._conn: Conn | None = None
        self._rung_at: float | None = None  # by the loop's clock
        self._untold = False

    def ring(self) -> None:
        """Let the others know, soon."""
        self._untold = True
        self.wake.set()

    def session(self) -> int | None:
        """Return the process id of Postgres that serves our connection."""
        return self._conn.get_server_pid() if self._conn else None

    async def run_once(self) -> bool:
        """Ring if there is news, and see to it that the bell is heard; there is never more."""
        try:
            conn = self._conn or await self._connect()
            if self._untold:
                await self._tell(conn)
            else:
                await conn.fetchval(PING)
        except (*PASSING, *REFUSED) as error:
            self._hang_up()
            raise DatabaseOutage(f"the bell cannot be heard ({type(error).__name__})") from None
        return False

    async def close(self) -> None:
        """Listen no more."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(*PASSING):
                await conn.close(timeout=CLOSE_SECONDS_MAX)

    async def _connect(self) -> Conn:
        conn = await asyncpg.connect(
            self._url.reveal(),
            timeout=ANSWER_SECONDS_MAX,
            command_timeout=ANSWER_SECONDS_MAX,
            server_settings={"application_name": NAME},
        )
        conn.add_termination_listener(self._ended)
        try:
            await conn.add_listener(CHANNEL, self._heard)
        except BaseException:
            conn.terminate()
            raise
        self._conn = conn
        self.connected.set()
        self._on_ring()
        return conn

    async def _tell(self, conn: Conn) -> None:
        now = asyncio.get_running_loop().time()
        if self._rung_at is not None:
            await asyncio.sleep(max(0.0, self._rung_at + 1 / RINGS_SECOND_MAX - now))
        self._untold = False  # what comes from here on is for the next ring
        self.wake.clear()
        self._rung_at = asyncio.get_running_loop().time()
        try:
            await conn.execute(RING)
        except BaseException:
            self._untold = True
            raise

    def _heard(self, conn: object, pid: int, _channel: str, _payload: object) -> None:
        if self._conn is not None and conn is self._conn and pid != self._conn.get_server_pid():
            self._on_ring()

    def _ended(self, conn: object) -> None:
        if conn is self._conn:  # else we hung up ourselves
            self._conn = None
            self.wake.set()

    def _hang_up(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()
