"""Knows which claims may not be sent any more, because their endpoint was stopped meanwhile.

A delivery is sent some moments after it was claimed: it waits for a slot (lanes.py), for keys, for
a name server and a connection. Whoever pauses, disables, changes or removes an endpoint, or ends
the secrets that sign for it, raises its revision, and notes that here before anybody is told. When
a request is ready to be written it is asked once more whether it may go, and what was claimed
before the stop goes back into the queue. So once a caller has his answer, this process sends
nothing that is not on the wire already. Other processes send what they had claimed.
"""

import asyncio
from typing import Final

from ctrip.core.deliveries import Claim
from ctrip.core.endpoints import EndpointId

REMEMBERED_SECONDS: Final = 600.0  # longer than any claim is in hand


class Stops:
    """One for a process: for who stops endpoints and for who sends."""

    def __init__(self) -> None:
        self._stops: dict[EndpointId, tuple[int, float]] = {}

    def note(self, one: EndpointId, revision: int) -> None:
        """Let nothing go that was claimed of an endpoint before this revision."""
        now = asyncio.get_running_loop().time()
        for other, (_, at) in tuple(self._stops.items()):
            if now - at > REMEMBERED_SECONDS:
                del self._stops[other]
        last, _ = self._stops.get(one, (0, now))
        self._stops[one] = (max(last, revision), now)  # who stopped it first may be heard last

    async def stop(self, one: EndpointId, revision: int) -> None:
        """Note that, and return when nothing can go any more that was let go before."""
        self.note(one, revision)
        await asyncio.sleep(0)  # what was let go is written in the next turn of the loop

    def forget(self, one: EndpointId) -> None:
        """Note that an endpoint begins anew."""
        self._stops.pop(one, None)

    def lets_go(self, claim: Claim) -> bool:
        """Tell whether a claim may be sent still."""
        revision, _ = self._stops.get(claim.endpoint_id, (0, 0.0))
        return claim.revision >= revision
