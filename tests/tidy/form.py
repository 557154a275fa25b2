"""Size, names and words: what makes a file pleasant to open, whatever is in it."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Source, dotted, imports

FILE_LINES_MAX: Final = 300  # what one sitting reads
FUNCTION_LINES_MAX: Final = 60  # what one screen shows
VAGUE: Final = re.compile(r"(util|helper|manager|service)s?|common|misc", re.IGNORECASE)

# Not skipif: what a machine lacks (root, a system call) can be said there, with a reason.
SKIPS: Final = re.compile(r"((pytest|unittest)\.)?(mark\.)?(skip|xfail|importorskip)")

# A place that only some machines have. Brackets keep this file innocent.
ELSEWHERE: Final = re.compile(r"\bshared[/]|(?<![\w.-])/work[/]\w")
REGISTRY: Final = re.compile(r"\bpyp[i]\.org|\bpythonhosted\b[.]|\bregistry\.npm[j]s|\bnpmj[s]\.")
ADDRESS: Final = re.compile(r"\w+://|--(extra-)?index|--find-links|--trusted-host|\w@ ?\w+[:.]")


def sizes(s: Source) -> Iterator[str]:
    """A file is read in one sitting, a function on one screen."""
    if s.text.count("\n") > FILE_LINES_MAX:
        yield f"is longer than {FILE_LINES_MAX} lines"
    for node in s.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} is {length} lines long"


def docstrings(s: Source) -> Iterator[str]:
    """Every file says what it is for; a package file says that and nothing else."""
    if not ast.get_docstring(s.tree):
        yield "has no docstring saying what it is for"
    if s.name.endswith("__init__.py") and len(s.tree.body) > 1:
        yield "a package file holds a docstring and nothing else"


def names(s: Source) -> Iterator[str]:
    """A name that fits everything says nothing."""
    for part in s.name.removesuffix(".py").split("/"):
        if any(VAGUE.fullmatch(word) for word in part.split("_")):
            yield f"{part} says nothing about what is inside"
    for node in s.nodes:
        if isinstance(node, ast.ClassDef):
            last = re.findall(r"[A-Z][a-z0-9]*|[a-z0-9]+|[A-Z]+", node.name)[-1:]
            if any(VAGUE.fullmatch(word) for word in last):
                yield f"{node.lineno}: {node.name} says nothing about what it does"


def skips(s: Source) -> Iterator[str]:
    """A test that is skipped looks like one that passes."""
    for node in s.nodes:
        if isinstance(node, ast.Attribute) and SKIPS.fullmatch(dotted(node)):
            yield f"{node.lineno}: {dotted(node)}: a test runs or does not exist"
    for name in imports(s):
        if name.startswith(("pytest.", "unittest.")) and SKIPS.fullmatch(name):
            yield f"imports {name}: a test runs or does not exist"


def belonging(s: Source) -> Iterator[str]:
    """The repository stands alone: it names no place that only some machines have."""
    for number, line in enumerate(s.text.splitlines(), start=1):
        if found := ELSEWHERE.search(line) or REGISTRY.search(line):
            yield f"{number}: {found.group()} is no part of this repository"


def locks(s: Source) -> Iterator[str]:
    """A lock says what to install and never from where: everyone has an index of their own."""
    if not s.name.endswith((".lock", "package-lock.json")):
        return
    for number, line in enumerate(s.text.splitlines(), start=1):
        if ADDRESS.search(line):
            yield f"{number}: holds an address"
