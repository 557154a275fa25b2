"""A proxy before Postgres that loses the answer to a COMMIT, or the COMMIT itself.

    async with proxy_before(database_url) as proxy:
        proxy.loses(AFTER, 3)      # the next three commits happen, and nobody hears of it
        proxy.loses(BEFORE)        # the next one never reaches the server
        pool = await connect(Secret(proxy.url), ...)

A commit under way is known by its bytes. A transaction ends with the simple query
"COMMIT;" of asyncpg; new payments are written by one statement that commits itself, known
by the text it was prepared with. The proxy lets it through, waits until the server has
answered, and cuts the connection in place of passing the answer on.
"""

import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

BEFORE: Final = "before"
AFTER: Final = "after"
When = Literal["before", "after"]

TEXT: Final = b"COMMIT;\0"
# Simple Query: 'Q', its length with the length itself, the text ending in NUL (protocol 3.0).
COMMIT: Final = b"Q" + struct.pack("!i", 4 + len(TEXT)) + TEXT
IDLE: Final = b"Z\0\0\0\x05I"  # ReadyForQuery, in no transaction: it has happened
WRITES: Final = b"INSERT INTO payments"
CHUNK: Final = 65_536  # bytes


class Proxy:
    """Between ctrip and its Postgres."""

    def __init__(self, server: str, url: str) -> None:
        self.url = url
        self.commits = 0  # that came by
        self.lost = 0  # those of them that nobody heard of
        self._server = server
        self._when: When = AFTER
        self._to_lose = 0
        self._talks: set[asyncio.Task[None]] = set()

    def loses(self, when: When, count: int = 1) -> None:
        """Cut the connection before or after each of the next commits."""
        self._when = when
        self._to_lose = count

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        there, back = await asyncio.open_unix_connection(self._server)
        answers = asyncio.create_task(pass_on(there, writer))
        try:
            writing: set[bytes] = set()  # names of prepared statements that commit themselves
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while data := await reader.read(CHUNK):
                    if data.startswith(b"P") and WRITES in data:
                        writing.add(data[5 : data.index(b"\0", 5)])
                    commit = commits(data, writing)
                    self.commits += commit
                    if self._to_lose and commit:
                        answers.cancel()
                        await asyncio.wait([answers])
                        await self._lose(data, there, back)
                        break
                    back.write(data)
        finally:
            answers.cancel()
            writer.transport.abort()
            back.transport.abort()

    async def _lose(
        self, data: bytes, there: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        self._to_lose -= 1
        self.lost += 1
        if self._when == AFTER:
            back.write(data)
            await there.readuntil(IDLE)

    async def end(self) -> None:
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)


def commits(data: bytes, writing: Collection[bytes]) -> bool:
    """Tell whether a client's message ends a transaction: COMMIT, or Bind of such a statement."""
    if data.endswith(COMMIT):
        return True
    _portal, _, rest = data[5:].partition(b"\0")
    return data.startswith(b"B") and rest.partition(b"\0")[0] in writing


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
    writer.transport.abort()


@asynccontextmanager
async def proxy_before(url: str) -> AsyncIterator[Proxy]:
    """Stand before the Unix socket of a database."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    name = f".s.PGSQL.{asked['port'][0]}"
    with tempfile.TemporaryDirectory(prefix="ctrip-test-") as folder:
        here = url.replace(asked["host"][0], folder)
        proxy = Proxy(str(Path(asked["host"][0]) / name), here)
        server = await asyncio.start_unix_server(proxy.talk, Path(folder) / name)
        try:
            yield proxy
        finally:
            server.close()
            await proxy.end()
