"""The table in the docstring of this package: it is whole, and no test in it is missing."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

import tests.wild

TESTS: Final = Path(__file__).parent.parent
REPORTED: Final = {*range(1, 31)}
# What is missing has no number in the list it comes from, or is about databases and crashes.
CHECKLIST: Final = {*range(1, 42)} - {15, 23, 31, 33, 36}
ENTRY: Final = re.compile(r"^(\d+)\. \S")
NAMED: Final = re.compile(r"^    ((?:\w+\.)+)(test_\w+)$")


def table() -> dict[str, dict[int, list[str]]]:
    """Return the tests of each number, by the list that it is in."""
    found: dict[str, dict[int, list[str]]] = {"Reported": {}, "The checklist": {}}
    entries: dict[int, list[str]] = {}
    number = 0
    for line in (tests.wild.__doc__ or "").splitlines():
        if line in found:
            entries = found[line]
        elif entry := ENTRY.match(line):
            number = int(entry[1])
            entries[number] = []
        elif NAMED.match(line):
            entries[number].append(line.strip())
        else:
            assert not line.startswith(" "), f"{line!r} names no test"
    return found


def named() -> list[str]:
    every = (names for entries in table().values() for names in entries.values())
    return sorted({name for names in every for name in names})


@pytest.mark.parametrize(("of", "numbers"), [("Reported", REPORTED), ("The checklist", CHECKLIST)])
def test_every_number_has_a_test(of: str, numbers: set[int]) -> None:
    entries = table()[of]
    assert set(entries) == numbers
    assert all(entries.values())


def test_there_is_a_table() -> None:
    assert len(named()) > len(REPORTED)


@pytest.mark.parametrize("name", named())
def test_a_test_of_the_table_exists(name: str) -> None:
    module, _, function = name.rpartition(".")
    path = TESTS / f"{module.replace('.', '/')}.py"
    tree = ast.parse(path.read_text("utf-8"))
    functions = (
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert function in {node.name for node in functions}
