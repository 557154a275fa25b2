"""A table in a docstring: numbers, what each is about, and the tests that show it.

7. what somebody feared
    web.test_keys.test_the_text_of_a_key_is_shown_once
    - Or a reason why it cannot happen, in a sentence.
"""

import ast
import re
from pathlib import Path
from types import ModuleType
from typing import Final

TESTS: Final = Path(__file__).parent.parent
ENTRY: Final = re.compile(r"^(\d+)\. \S")
NAMED: Final = re.compile(r"^    ((?:\w+\.)+)(test_\w+)$")
REASON: Final = re.compile(r"^    - \S.*\.$")


def table(module: ModuleType) -> dict[int, list[str]]:
    """Return the tests of each number."""
    entries: dict[int, list[str]] = {}
    for line in (module.__doc__ or "").splitlines():
        if entry := ENTRY.match(line):
            entries[int(entry[1])] = []
        elif NAMED.match(line):
            entries[max(entries)].append(line.strip())
        else:
            assert not line.startswith(" ") or REASON.match(line), f"{line!r} names no test"
    return entries


def named(module: ModuleType) -> list[str]:
    """Return every test that a table names."""
    return sorted({name for names in table(module).values() for name in names})


def exists(name: str) -> bool:
    """Tell whether there is such a test."""
    module, _, function = name.rpartition(".")
    tree = ast.parse((TESTS / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    functions = (
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return function in {node.name for node in functions}
