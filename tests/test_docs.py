"""docs/ say what the code does: the generated parts are fresh, no word is missing."""

import re
from typing import Final

import pytest

from ctrip.core.events import EventType
from ctrip.core.machine import EDGES
from ctrip.core.payment import Flag, Status
from tests.support.make_docs import (
    BEGIN,
    CHAINS_PAGE,
    END,
    PAGE,
    WEBHOOKS_PAGE,
    WORDS,
    edges,
    renew,
    renew_catalogue,
    renew_faults,
)
from tests.support.rpc_faults import FAULTS

OF_PAYMENTS: Final = [kind for kind in EventType if kind.startswith("payment.")]
TEXT: Final = PAGE.read_text("utf-8")


def section(title: str) -> str:
    """Return one section of the page, without what is generated into it."""
    start = TEXT.index(f"\n## {title}\n")
    end = TEXT.find("\n## ", start + 1)
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", "", TEXT[start:end], flags=re.DOTALL)


def rows(title: str) -> list[str]:
    """Return the first column of a section's table, without its head."""
    return re.findall(r"^\| `([^`]+)` \|", section(title), flags=re.MULTILINE)


def test_the_generated_part_is_fresh() -> None:
    assert renew(TEXT) == TEXT, "run: make docs"


def test_a_stale_part_is_noticed_and_mended() -> None:
    stale = TEXT.replace("pending --> detected", "pending --> settled")
    assert stale != TEXT
    assert renew(stale) == TEXT


def test_every_edge_has_words_and_all_words_an_edge() -> None:
    assert set(WORDS) == set(edges()) == {(a, b) for a in EDGES for b in EDGES[a]}


def test_every_edge_is_drawn() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+):", TEXT, flags=re.MULTILINE)
    assert drawn == [(str(a), str(b)) for a, b in edges()]


@pytest.mark.parametrize(
    ("title", "words"),
    [("Status", list(Status)), ("Flags", list(Flag)), ("Events", OF_PAYMENTS)],
)
def test_every_word_of_the_contract_has_its_row(title: str, words: list[str]) -> None:
    assert rows(title) == words


def test_the_faults_are_those_that_are_played() -> None:
    page = CHAINS_PAGE.read_text("utf-8")
    assert renew_faults(page) == page, "run: make docs"
    listed = set(re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", page, flags=re.MULTILINE))
    assert len(FAULTS) >= 30
    assert set(FAULTS) <= listed


def test_a_stale_fault_is_noticed_and_mended() -> None:
    page = CHAINS_PAGE.read_text("utf-8")
    stale = page.replace("| stall |", "| stalls |")
    assert stale != page
    assert renew_faults(stale) == page


def test_the_catalogue_of_events_is_fresh() -> None:
    page = WEBHOOKS_PAGE.read_text("utf-8")
    assert renew_catalogue(page) == page, "run: make docs"
    assert re.findall(r"^### `(.+)`$", page, flags=re.MULTILINE) == list(EventType)


def test_a_stale_catalogue_is_noticed_and_mended() -> None:
    page = WEBHOOKS_PAGE.read_text("utf-8")
    stale = page.replace("evt_8f742d69906c17b015263b22136c4247", "evt_0")
    assert stale != page
    assert renew_catalogue(stale) == page
