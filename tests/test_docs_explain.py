"""docs/explain.md has a row for every code, and its examples are what is really said."""

import re
from pathlib import Path
from typing import Final

from ctrip.core.explain import Explanation, Fact, explain
from ctrip.core.reasons import FactCode, Reason
from tests.core import test_complaint, test_verdict

PAGE: Final = (Path(__file__).parents[1] / "docs" / "explain.md").read_text("utf-8")
ROW: Final = re.compile(r"^\| `(\w+)` \| ([^|]+?) \|(?: (.+) \|)?$", re.MULTILINE)
CASES: Final = {**test_verdict.CASES, **test_complaint.CASES}


def rows(title: str) -> list[tuple[str, str, str]]:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return ROW.findall(section)


def test_every_code_of_an_answer_has_its_row_and_every_row_a_real_example() -> None:
    told = rows("The answer")
    assert [code for code, _, _ in told] == list(Reason)
    said = {(code, explain(case).answer) for code, case, _ in CASES.values()}
    assert {(code, example) for code, _, example in told} <= said


def test_every_code_of_a_fact_has_its_row() -> None:
    assert [code for code, _, _ in rows("The facts")] == list(FactCode)


def test_every_field_is_told() -> None:
    start = PAGE.partition("\n## ")[0]
    for field in (*Explanation.__struct_fields__, *Fact.__struct_fields__):
        assert f"`{field}`" in start
