"""Whose turn it is on the dev chain, of cases that are played at once.

A reorg drops what others paid meanwhile, so one case touches the chain at a time. Who has a
deadline to keep is next, however many came before.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """One chain's."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._is_taken = False
        self._hurried = 0  # that wait

    @asynccontextmanager
    async def taken(self, *, hurried: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the end of the block."""
        async with self._changed:
            self._hurried += hurried
            try:
                await self._changed.wait_for(lambda: self._is_next(hurried=hurried))
                self._is_taken = True
            finally:
                self._hurried -= hurried
                self._changed.notify_all()
        try:
            yield
        finally:
            async with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _is_next(self, *, hurried: bool) -> bool:
        return not self._is_taken and (hurried or not self._hurried)
