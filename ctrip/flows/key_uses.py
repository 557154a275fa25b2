"""When keys were used last, written down now and then.

A request only notes it here. A duty writes what was noted in one statement, USES_SECONDS
apart, so a key that is busy is written once in that time by each process. What was noted
since is lost when a process dies: the time is there to find keys that nobody uses.
"""

from datetime import datetime
from typing import Final

from ctrip.core.errors import OutageError
from ctrip.core.ids import KeyId
from ctrip.store import accounts
from ctrip.store.pool import Pool, connection

USES_SECONDS: Final = 60.0  # between writes


class KeyUses:
    """The uses that are not yet written."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._noted: dict[KeyId, datetime] = {}

    def note(self, key_id: KeyId, now: datetime) -> None:
        """Remember that a key was used."""
        self._noted[key_id] = now

    async def run_once(self) -> bool:
        """Write what was noted; there is never more."""
        if not self._noted:
            return False
        noted, self._noted = self._noted, {}
        try:
            async with connection(self._pool) as conn:
                await accounts.use(conn, noted)
        except OutageError:
            self._noted = noted | self._noted
            raise
        return False
