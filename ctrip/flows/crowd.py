"""Knows for whom another claim may find something, so that no slot waits for the next look.

An endpoint is crowded when all the slots it had were given away: more may be due. A slot of
its that is free again calls for a claim. What the claim gives it tells: fewer than it had slots
for, and nothing else is due. Given nothing, it may have had no slot after all: an answer
frees one only as long as few answers wait to be written, and a record none if as many are
on the wire. So it stays crowded until it is given nothing while nothing of its is under way.
"""

from collections import Counter
from collections.abc import Collection, Sequence, Set

from ctrip.core.deliveries import Claim
from ctrip.core.endpoints import EndpointId


class Crowd:
    """The endpoints that more may be due for, as far as one sender knows."""

    def __init__(self) -> None:
        self._crowded: set[EndpointId] = set()
        self._freed: set[EndpointId] = set()  # of those, who has a slot again

    def __bool__(self) -> bool:
        return bool(self._crowded)

    def has_slot(self, freed: Set[EndpointId]) -> bool:
        """Note that these have a slot again; return True if that calls for a claim."""
        self._freed |= freed & self._crowded
        return bool(self._freed)

    def has_more(self, one: EndpointId) -> None:
        """Note that something is due for an endpoint again."""
        self._crowded.add(one)
        self._freed.add(one)

    def asks(self, holding: Collection[EndpointId]) -> Set[EndpointId]:
        """Begin a claim, with something of these under way; return who has nothing due if it
        is given nothing."""
        freed, self._freed = self._freed, set()
        return freed - set(holding)

    def was_given(self, claims: Sequence[Claim], asked: Set[EndpointId]) -> None:
        """End a claim."""
        taken = Counter(claim.endpoint_id for claim in claims)
        self._crowded -= asked
        for claim in claims:
            if taken[claim.endpoint_id] < claim.slots:
                self._crowded.discard(claim.endpoint_id)
            else:
                self._crowded.add(claim.endpoint_id)
