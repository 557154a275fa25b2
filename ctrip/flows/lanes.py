"""Knows how many of each endpoint are on the wire, and keeps what was claimed ahead of a slot.

A claim takes some milliseconds, in which a receiver that answers at once would be sent nothing.
So whoever answers fast is given more than it has slots for: as many as it answers in
AHEAD_SECONDS, at the pace of its last answers. They wait here for a slot, and one that is free
is given away without a claim. Whoever takes 100 ms and more is given none ahead.

What is ahead is claimed: its lease runs, and nothing else is decided anew before it is sent. So it
does not stay. What found no slot in KEPT_SECONDS_MAX is given back, and so is all of an endpoint
that fails, because what is written of that may be that it is left alone. A rate is kept to the
moment, so an endpoint that has one is given nothing ahead.

An answer frees its slot, and its record none, as long as records can be written and no more wait
for that than there are slots. A failure frees none until it is written.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import EndpointId

AHEAD_SECONDS: Final = 0.012  # three times what a claim takes
LOW: Final = 1 / 3  # of what is wanted ahead: time for the next claim
KEPT_SECONDS_MAX: Final = 0.1
PACE_SECONDS: Final = 0.02  # a pace that is measured over less is chance


class _Lane:
    """One endpoint, as long as anything of it is in hand."""

    __slots__ = ("ahead", "failed", "kept", "pace", "unwritten", "well", "width", "wire")

    def __init__(self) -> None:
        self.width = 0  # slots, less what others hold of them
        self.wire = 0
        self.unwritten = 0  # answered, and not written
        self.failed = 0  # of those
        self.well = 0  # answered well since the pace was measured
        self.pace = 0.0  # answers a second
        self.ahead = 0  # wanted
        self.kept: deque[tuple[Claim, float]] = deque()

    @property
    def is_idle(self) -> bool:
        return not (self.wire or self.unwritten or self.kept)


class Lanes:
    """All endpoints of which a sender has something in hand. Times are the loop's."""

    def __init__(self) -> None:
        self.is_stuck = False  # the last that ended could not be written
        self._lanes: dict[EndpointId, _Lane] = {}
        self._spoilt: list[Claim] = []  # kept, and to be given back
        self._measured_at = 0.0

    @property
    def kept(self) -> list[Claim]:
        """What is ahead, and what was not given back yet."""
        kept = [claim for lane in self._lanes.values() for claim, _ in lane.kept]
        return kept + self._spoilt if self._spoilt else kept

    def held(self, now: float, paced: Collection[EndpointId]) -> Mapping[EndpointId, int]:
        """Return how many slots each endpoint holds as a claim should see it: less those that
        will be free soon. `paced` are given nothing ahead."""
        self._lanes = {one: lane for one, lane in self._lanes.items() if not lane.is_idle}
        seconds = now - self._measured_at
        measures = seconds >= PACE_SECONDS
        held = {}
        for one, lane in self._lanes.items():
            if measures:
                lane.pace, lane.well = lane.well / seconds, 0
            lane.ahead = 0 if one in paced else min(int(lane.pace * AHEAD_SECONDS), 2 * lane.width)
            wire = lane.wire + len(lane.kept)
            wire += lane.unwritten if self.is_stuck else lane.failed
            over = lane.wire + lane.unwritten + len(lane.kept) - lane.width
            held[one] = max(wire, over) - lane.ahead
        if measures:
            self._measured_at = now
        return held

    def takes(self, claim: Claim, now: float) -> bool:
        """Begin a claim that was just made, if it has a slot; keep it otherwise."""
        lane = self._lanes.get(claim.endpoint_id)
        if lane is None:
            lane = self._lanes[claim.endpoint_id] = _Lane()
        lane.width = claim.width
        if self._has_slot(lane) and not lane.kept:
            lane.wire += 1
            return True
        lane.kept.append((claim, now))
        return False

    def next(self, one: EndpointId) -> Claim | None:
        """Begin what was claimed ahead for an endpoint, if that has a slot."""
        lane = self._lanes.get(one)
        if lane is None or not lane.kept or not self._has_slot(lane):
            return None
        lane.wire += 1
        return lane.kept.popleft()[0]

    def ends(self, end: Ended) -> None:
        """Note an answer."""
        lane = self._lanes[end.claim.endpoint_id]
        lane.wire -= 1
        lane.unwritten += 1
        if end.delivered:
            lane.well += 1
        else:
            lane.failed += 1
            self._spoil(lane)

    def stops(self, claim: Claim) -> None:
        """Take one off the wire that has no end."""
        self._lanes[claim.endpoint_id].wire -= 1

    def returns(self, claim: Claim) -> None:
        """Take one off the wire that was not sent; nor is what was claimed ahead with it."""
        self.stops(claim)
        self._spoilt.append(claim)
        self._spoil(self._lanes[claim.endpoint_id])

    def wrote(self, batch: Iterable[Ended]) -> None:
        """Note that answers are on record."""
        for end in batch:
            lane = self._lanes[end.claim.endpoint_id]
            lane.unwritten -= 1
            if not end.delivered:
                lane.failed -= 1
                self._spoil(lane)  # what was claimed before the failure was known, too

    def is_low(self, one: EndpointId) -> bool:
        """Tell whether it is time to claim for an endpoint that more may be due for."""
        lane = self._lanes.get(one)
        return lane is None or len(lane.kept) <= lane.ahead * LOW

    def late(self, kept_before: float) -> list[Claim]:
        """Return what is not to be sent: it was kept for too long, or for whoever failed."""
        for lane in self._lanes.values():
            while lane.kept and lane.kept[0][1] <= kept_before:
                self._spoilt.append(lane.kept.popleft()[0])
        return [*self._spoilt]

    def forget(self, claims: Iterable[Claim]) -> None:
        """Note that these are not ours any more."""
        gone = {id(claim) for claim in claims}
        self._spoilt = [claim for claim in self._spoilt if id(claim) not in gone]

    def _has_slot(self, lane: _Lane) -> bool:
        on_wire = lane.wire + (lane.unwritten if self.is_stuck else lane.failed)
        return on_wire < lane.width and lane.wire + lane.unwritten < 2 * lane.width

    def _spoil(self, lane: _Lane) -> None:
        self._spoilt += [claim for claim, _ in lane.kept]
        lane.kept.clear()
        lane.well, lane.pace = 0, 0.0
