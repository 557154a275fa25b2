"""Write the generated parts of docs/ anew: `python -m tests.support.make_docs`.

In docs/payments.md the edges are those of the machine and the events those of the
catalogue; only the words are kept here. An edge without words, or words without an edge,
is a KeyError or a failing tests/test_docs.py, so a new edge cannot go without a sentence.
In docs/chains.md the faults are those that tests/faults plays. In docs/webhooks.md every event
is shown by its golden body, under the words that docs/payments.md has for it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ctrip.core.events import OF_STATUS, EventType
from ctrip.core.machine import EDGES
from ctrip.core.payment import Status
from tests.support.rpc_faults import GROUPS

PAGE: Final = Path(__file__).parents[2] / "docs" / "payments.md"
BEGIN: Final = "<!-- generated from ctrip/core/machine.py by `make docs`: do not edit -->"
END: Final = "<!-- end of the generated part -->"
CHAINS_PAGE: Final = PAGE.with_name("chains.md")
FAULTS_BEGIN: Final = "<!-- faults -->"  # generated from tests/support/rpc_faults.py
FAULTS_END: Final = "<!-- /faults -->"
WEBHOOKS_PAGE: Final = PAGE.with_name("webhooks.md")
EVENTS_BEGIN: Final = "<!-- generated from tests/golden/events by `make docs`: do not edit -->"
EVENTS_END: Final = "<!-- end of the catalogue -->"
GOLDEN_EVENTS: Final = PAGE.parents[1] / "tests" / "golden" / "events"
EVENT_ROW: Final = re.compile(r"^\| `(payment\.\w+)` \| (.+) \|$", re.MULTILINE)

Edge = tuple[Status, Status]

# What happened, for the arrow; and what it means, for the table.
WORDS: Final[Mapping[Edge, tuple[str, str]]] = {
    (Status.PENDING, Status.DETECTED): (
        "covered",
        "transfers in blocks cover the amount, or the shop took by hand what had come",
    ),
    (Status.PENDING, Status.EXPIRED): (
        "deadline, or cancelled",
        (
            "`expires_at` passed, by our clock and by the chain's, and the amount was not covered; "
            "or the shop cancelled"
        ),
    ),
    (Status.DETECTED, Status.PENDING): (
        "reorg",
        "the chain dropped a block, and what is left does not cover the amount",
    ),
    (Status.DETECTED, Status.CONFIRMED): (
        "deep enough",
        (
            "the block that completed the amount has `confirmations_required` confirmations, "
            "itself included. **Ship the goods**"
        ),
    ),
    (Status.CONFIRMED, Status.PAID): (
        "processed",
        (
            "settlement was processed: the sweep to the treasury is in a block. Where deposits are "
            "held there is nothing to process, and this follows at once"
        ),
    ),
    (Status.CONFIRMED, Status.FAILED): (
        "reversed",
        "the chain dropped a block and with it money that was confirmed",
    ),
    (Status.PAID, Status.SETTLED): (
        "final",
        "the block that completed the amount, or that of its sweep, is final: no reorg undoes it",
    ),
    (Status.PAID, Status.FAILED): (
        "reversed",
        "the chain dropped a block and with it money that was confirmed, before it was final",
    ),
    (Status.SETTLED, Status.FAILED): (
        "reversed",
        (
            "the chain took back what counted as final. It is not expected to: see "
            "[operations](operations.md#a-reorg-deeper-than-finality)"
        ),
    ),
    (Status.EXPIRED, Status.DETECTED): (
        "late, and accepted",
        "money that came after the deadline was accepted, by the configuration or by hand",
    ),
    (Status.EXPIRED, Status.FAILED): (
        "nothing came",
        "the late window closed, and nothing is on the address",
    ),
}

# What is no news of a payment, and so has no row in docs/payments.md.
NOTICE_WORDS: Final = {
    EventType.TEST: "somebody asked for a test of the endpoint it names, and nothing happened",
    EventType.ENDPOINT_DISABLED: (
        "an endpoint is no longer sent anything: `reason` says why; `failing_since` is null "
        "unless it failed for too long"
    ),
}


def edges() -> list[Edge]:
    """Return the machine's edges in the order of the statuses."""
    order = list(Status)
    return [(a, b) for a in order for b in sorted(EDGES[a], key=order.index)]


def diagram() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> pending: created"
    for edge in edges():
        yield f"    {edge[0]} --> {edge[1]}: {WORDS[edge][0]}"
    for status in Status:
        if not EDGES[status]:
            yield f"    {status} --> [*]"
    yield "```"


def table() -> Iterator[str]:
    yield "| from | to | event | because |"
    yield "|---|---|---|---|"
    for edge in edges():
        event = OF_STATUS[edge[1]]
        yield f"| `{edge[0]}` | `{edge[1]}` | `{event}` | {WORDS[edge][1]} |"


def generated() -> str:
    """Return the generated part, marks included."""
    return "\n".join([BEGIN, "", *diagram(), "", *table(), "", END])


def renew(page: str) -> str:
    """Return a page with its generated part made anew."""
    before, rest = page.split(BEGIN)
    _, rest = rest.split(END)
    return before + generated() + rest


def faults() -> Iterator[str]:
    """Yield a table for each group of faults, marks included."""
    yield FAULTS_BEGIN
    for group, its in GROUPS.items():
        yield ""
        yield f"| {group[0].lower()}{group[1:]} | what the endpoint does | what ctrip does |"
        yield "|---|---|---|"
        for fault in its:
            cells = (fault.name, fault.happens, fault.answered)
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""
    yield FAULTS_END


def renew_faults(page: str) -> str:
    """Return docs/chains.md with its tables of faults made anew."""
    before, rest = page.split(FAULTS_BEGIN)
    _, rest = rest.split(FAULTS_END)
    return before + "\n".join(faults()) + rest


def catalogue() -> Iterator[str]:
    """Yield what each event says and looks like, marks included."""
    words = dict(EVENT_ROW.findall(PAGE.read_text("utf-8"))) | NOTICE_WORDS
    yield EVENTS_BEGIN
    for kind in EventType:
        yield f"\n### `{kind}`\n"
        yield f"{words[kind][0].upper()}{words[kind][1:]}.\n"
        yield "<details><summary>Its body</summary>\n"
        yield "```json"
        yield (GOLDEN_EVENTS / f"{kind}.json").read_text("utf-8").rstrip()
        yield "```\n"
        yield "</details>"
    yield ""
    yield EVENTS_END


def renew_catalogue(page: str) -> str:
    """Return docs/webhooks.md with its catalogue of events made anew."""
    before, rest = page.split(EVENTS_BEGIN)
    _, rest = rest.split(EVENTS_END)
    return before + "\n".join(catalogue()) + rest


if __name__ == "__main__":
    PAGE.write_text(renew(PAGE.read_text("utf-8")), "utf-8")
    CHAINS_PAGE.write_text(renew_faults(CHAINS_PAGE.read_text("utf-8")), "utf-8")
    WEBHOOKS_PAGE.write_text(renew_catalogue(WEBHOOKS_PAGE.read_text("utf-8")), "utf-8")
