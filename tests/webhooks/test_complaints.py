"""The table in complaints.py: it is whole, and no test in it is missing."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.webhooks import complaints

TESTS: Final = Path(__file__).parent.parent
COUNT: Final = 15
ENTRY: Final = re.compile(r"^(\d+)\. \S")
NAMED: Final = re.compile(r"^    ((?:\w+\.)+)(test_\w+)$")
REASON: Final = re.compile(r"^    - \S.*\.$")


def table() -> dict[int, list[str]]:
    """Return the tests of each number."""
    entries: dict[int, list[str]] = {}
    for line in (complaints.__doc__ or "").splitlines():
        if entry := ENTRY.match(line):
            entries[int(entry[1])] = []
        elif NAMED.match(line):
            entries[max(entries)].append(line.strip())
        else:
            assert not line.startswith(" ") or REASON.match(line), f"{line!r} names no test"
    return entries


def named() -> list[str]:
    return sorted({name for names in table().values() for name in names})


def test_every_complaint_has_a_test() -> None:
    assert list(table()) == list(range(1, COUNT + 1))
    assert all(table().values())


@pytest.mark.parametrize("name", named())
def test_a_test_of_the_table_exists(name: str) -> None:
    module, _, function = name.rpartition(".")
    tree = ast.parse((TESTS / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    functions = (
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert function in {node.name for node in functions}
