"""What docs/settlement.md says that batches save."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from bench.sweep_gas import BATCH, SIGNING, Measured, measure, tables

DOCS: Final = Path(__file__).parents[2] / "docs" / "settlement.md"
TOLERANCE: Final = 0.02  # of each figure: the next version of a node may count a little otherwise
GAS: Final = re.compile(r"\d+,\d{3}")


@pytest.fixture(scope="module")
async def found() -> Mapping[str, Measured]:
    return await measure()


def rows(text: str) -> list[tuple[str, Sequence[int]]]:
    """Return the first words and the figures of the lines of tables that have some."""
    lines = [line for line in text.splitlines() if line.startswith("|") and GAS.search(line)]
    return [
        (line.split("|")[1], [int(gas.replace(",", "")) for gas in GAS.findall(line)])
        for line in lines
    ]


def test_the_tables_in_the_docs_are_what_a_node_says(found: Mapping[str, Measured]) -> None:
    names = {f" {name} " for name in (*found, BATCH, *found[SIGNING].signed)}
    shown = [row for row in rows(DOCS.read_text()) if row[0] in names]
    measured = rows(tables(found))
    assert [name for name, _ in shown] == [name for name, _ in measured]
    for (name, ours), (_, theirs) in zip(measured, shown, strict=True):
        assert ours == pytest.approx(theirs, rel=TOLERANCE), name


def test_ten_in_a_batch_take_half_the_gas_of_what_leaves_as_little_behind(
    found: Mapping[str, Measured],
) -> None:
    for one in found.values():
        assert one.batches[10] < one.fetched / 2
        assert one.batches[10] < one.topped_up * 0.62
        assert one.batches[50] < one.batches[10] < one.batches[1]
        assert one.again < one.topped_up * 0.27


def test_ten_in_a_batch_cost_less_than_half_the_coin(found: Mapping[str, Measured]) -> None:
    for one in found.values():
        assert one.batches[10] < one.topped_up_paid / 2
        assert one.batches[10] < one.fetched_paid / 2


def test_no_signature_of_an_owner_is_cheaper_than_a_batch(found: Mapping[str, Measured]) -> None:
    one = found[SIGNING]
    assert len(one.signed) == 2
    for figures in one.signed.values():
        batches = (*one.batches.values(), one.again)
        assert all(ours < theirs for ours, theirs in zip(batches, figures, strict=True))
