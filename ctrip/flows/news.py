"""News for senders: what flows set once they have committed events.

Flows know an asyncio.Event and no more. Setting it wakes our own sender, and rings for those
of other processes. A sender's own event is another one: it also wakes itself, when a slot
gets free, and that is nobody else's news.
"""

import asyncio
from collections.abc import Callable


class News(asyncio.Event):
    """An event that tells listeners each time it is set; they must return at once."""

    def __init__(self, *listeners: Callable[[], None]) -> None:
        super().__init__()
        self._listeners = listeners

    def set(self) -> None:
        """Tell everybody."""
        super().set()
        for listener in self._listeners:
            listener()
