"""Know every key without asking Postgres in the path of a request.

All keys that were not revoked are here, by digest. A duty asks several times a second what
changed, and a key that is revoked anywhere is forgotten here. But the promise that a revoked
key ends within a second does not hang on the duty: a book that was read too long ago is not
believed, whatever the reason (the process was frozen, the duty waits or died, Postgres is
slow), and the request that found it so reads it first. If it cannot be read, the request ends
as one does while Postgres is away.

A key that is not in the book may have been made elsewhere a moment ago: so the book is read
once more before it is refused. All who wait for a reading share one, and readings for them
keep their distance, so that guessing costs Postgres no more than LOOKS_SECOND_MAX short
statements a second, however many guess, and nothing is remembered of any guess.
"""

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Final

from ctrip.core.errors import OutageError
from ctrip.core.keys import ApiKey
from ctrip.flows.key_uses import KeyUses
from ctrip.store import accounts
from ctrip.store.pool import DatabaseOutage, Pool, connection

READ_SECONDS: Final = 0.4  # between readings: two fit into the time that a book is believed
BELIEVED_SECONDS: Final = 0.9  # since its reading began; a tenth is left for the rest of a request
ANSWER_SECONDS_MAX: Final = 2.0  # of Postgres, for whoever waits
LOOKS_SECOND_MAX: Final = 20  # readings for keys that are not in the book


class Keybook:
    """Every key that was not revoked, as far as it is believed."""

    def __init__(self, pool: Pool, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self.uses = KeyUses(pool)
        self._pool = pool
        self._ticks = ticks
        self._keys: dict[bytes, ApiKey] = {}
        self._revision = 0
        self._read_at = -inf  # when the last good reading began
        self._reading = asyncio.Lock()
        self._begun = self._good = self._failed = 0  # numbers of the last readings

    async def known(self, digest: bytes) -> ApiKey | None:
        """Return the key with a digest if it is in the book; read that first if it is too old."""
        if not self._is_believed():
            await self._read_for_caller(older_will_do=True)
        return self._keys.get(digest)

    async def sought(self, digest: bytes) -> ApiKey | None:
        """Return the key with a digest, also if it was made elsewhere a moment ago."""
        await self._read_for_caller(older_will_do=False)
        return self._keys.get(digest)

    async def run_once(self) -> bool:
        """Read what changed; there is never more."""
        async with self._reading:
            await self._read()
        return False

    def _is_believed(self) -> bool:
        return self._ticks() - self._read_at <= BELIEVED_SECONDS

    async def _read_for_caller(self, *, older_will_do: bool) -> None:
        """Return once there was a reading that began after this call, or fail as it failed."""
        begun = self._begun
        async with self._reading:
            if self._good > begun or (older_will_do and self._is_believed()):
                return
            if self._failed > begun:
                raise DatabaseOutage("the keys could not be read")
            await asyncio.sleep(self._read_at + 1 / LOOKS_SECOND_MAX - self._ticks())
            await self._read()

    async def _read(self) -> None:
        """Read what changed, or all of it where there is doubt."""
        self._begun = number = self._begun + 1
        began = self._ticks()
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), connection(self._pool) as conn:
                found = await accounts.since(conn, self._revision)
                if found.newest < self._revision:  # another database than before
                    self._revision = 0
                    found = await accounts.since(conn, self._revision)
        except (OutageError, TimeoutError) as fault:
            self._failed = number
            self._revision = 0  # whoever answers next may be another Postgres
            raise DatabaseOutage(f"the keys could not be read ({type(fault).__name__})") from None
        kept = self._keys if self._revision else {}
        for digest, key in found.keys.items():
            if key.revoked_at is None:
                kept[digest] = key
            else:
                kept.pop(digest, None)
        self._keys, self._revision = kept, found.newest
        self._read_at, self._good = began, number
