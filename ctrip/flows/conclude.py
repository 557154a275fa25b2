"""What follows from an attempt: for the delivery, for its endpoint, and for the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from ctrip import logs
from ctrip.core.deliveries import Claim, Ended
from ctrip.core.endpoints import EndpointId
from ctrip.core.retry import OWN_FAULT_WAIT, OWN_FAULTS_MAX, next_attempt
from ctrip.store.endpoints import Tally
from ctrip.webhooks.client import Delivered, NoAnswer, Outcome, Refused

LINES_MAX: Final = 4  # of a batch; a line costs as much as half a POST, and attempts are kept
GONE_STATUS: Final = 410
TOO_MANY_REQUESTS: Final = 429
OWN_FAULT: Final = "internal"

log = logs.get("ctrip.deliver")


def conclude(claim: Claim, outcome: Outcome, *, now: datetime, jitter: float) -> Ended:
    """Decide what follows from an answer."""
    asked, answer, for_good, busy = None, b"", False, False
    match outcome:
        case Delivered():
            words, answer = str(outcome.status), outcome.answer
        case Refused(status=status):
            words, answer, asked = str(status), outcome.answer, outcome.retry_after_seconds
            for_good, busy = status == GONE_STATUS, status == TOO_MANY_REQUESTS
        case NoAnswer(why=why):
            words, for_good, busy = why, why in {"blocked", "url"}, why in {"timeout", "dns"}
        case _:
            assert_never(outcome)
    delivered = isinstance(outcome, Delivered)
    wait = None
    if not delivered and not for_good:
        wait = next_attempt(
            claim.attempts,
            jitter=jitter,
            age=now - claim.created_at,
            retry_after_seconds=asked,
            busy=busy,
        )
    return Ended(
        claim=claim,
        delivered=delivered,
        due_at=None if wait is None else now + wait,
        outcome=words,
        milliseconds=outcome.milliseconds,
        address=outcome.address,
        answer=answer,
    )


def our_fault(claim: Claim, now: datetime) -> Ended:
    """Decide what follows from a fault that is not the receiver's."""
    again = claim.faults + 1 < OWN_FAULTS_MAX
    return Ended(
        claim=claim,
        delivered=False,
        due_at=now + OWN_FAULT_WAIT if again else None,
        outcome=OWN_FAULT,
        milliseconds=0,
        address=None,
        answer=b"",
        ours=True,
    )


def tally(batch: Sequence[Ended], troubled: set[EndpointId]) -> list[Tally]:
    """Return how each endpoint did, without those that go on doing well."""
    failures: dict[EndpointId, int] = {}
    well = {end.claim.endpoint_id for end in batch if end.delivered}
    for end in batch:
        if not end.delivered and not end.ours and end.claim.endpoint_id not in well:
            failures[end.claim.endpoint_id] = failures.get(end.claim.endpoint_id, 0) + 1
    known = troubled | {end.claim.endpoint_id for end in batch if end.claim.failures}
    recovered = [Tally(endpoint_id=one, failures=0) for one in well & known]
    return recovered + [Tally(endpoint_id=one, failures=n) for one, n in failures.items()]


def report(batch: Sequence[Ended]) -> None:
    """Say what became of each; of a flood, only how many were delivered at once."""
    told = [end for end in batch if not end.delivered or end.claim.attempts > 1]
    plain = [end for end in batch if end.delivered and end.claim.attempts == 1]
    if len(plain) > LINES_MAX:
        log.info("deliveries", outcome="2xx", count=len(plain))
        plain = []
    for end in (*told, *plain):
        log.info(
            "delivery",
            event_id=end.claim.event_id,
            endpoint_id=end.claim.endpoint_id,
            attempt=end.claim.attempts,
            outcome=end.outcome,
            milliseconds=end.milliseconds,
            ended=end.due_at is None,
        )
