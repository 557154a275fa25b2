"""What has one place: the time of day, SQL, the endless loop, the making of tasks."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Source, dotted, imports

CLOCK_HOME: Final = "ctrip/clock.py"
WALL_CLOCK: Final = re.compile(
    r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?)$"
)

# Statements as we write them, and as somebody in a hurry might. "UPDATE 1" is an answer.
SQL: Final = re.compile(
    r"\s*(--[^\n]*\s+)*"
    r"((SELECT|INSERT INTO|UPDATE(?! \d)|DELETE FROM|WITH|VALUES|CREATE|ALTER|DROP|TRUNCATE|SET"
    r"|LISTEN|NOTIFY|LOCK TABLE|EXPLAIN|BEGIN|COMMIT|ROLLBACK)(\s|;|$)"
    r"|(?i:select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s"
    r"|(create|alter|drop)\s+(table|index|schema|database|extension|role|view)\s))",
    re.DOTALL,
)

LOOP_HOME: Final = "ctrip/flows/supervise.py"
ENDLESS: Final = {"count", "cycle", "repeat"}  # of itertools
TASK_HOME: Final = "app"
TASK_MAKERS: Final = {"create_task", "TaskGroup", "ensure_future"}
RUN_HOMES: Final = {"app", "dev", "cli"}
RUNNERS: Final = {"asyncio.run", "asyncio.Runner", "uvloop.run"}


def clock(s: Source) -> Iterator[str]:
    """The time of day is read in one place, so that a test can set it."""
    if s.area != "ctrip" or s.name == CLOCK_HOME:
        return
    for node in s.nodes:
        if isinstance(node, ast.Attribute) and WALL_CLOCK.search(dotted(node)):
            yield f"{node.lineno}: the only now is in {CLOCK_HOME}"
    if "time.time" in imports(s):
        yield f"the only now is in {CLOCK_HOME}"


def sql(s: Source) -> Iterator[str]:
    """SQL lives in store, each statement under a name at the top level of its module."""
    if s.area != "ctrip":
        return
    named = {id(node) for statement in constants(s.tree) for node in ast.walk(statement)}
    prose = {id(node.value) for node in s.nodes if isinstance(node, ast.Expr)}
    for node in s.nodes:
        match node:
            case ast.Constant(value=str(text)) if SQL.match(text) and id(node) not in prose:
                if s.home != "store":
                    yield f"{node.lineno}: SQL lives in ctrip/store"
                elif id(node) not in named:
                    yield f"{node.lineno}: a statement is an UPPER_CASE constant of its module"
            case _:
                pass


def constants(tree: ast.Module) -> Iterator[ast.stmt]:
    """Find the assignments NAME = … and NAME: Final = … at the top level."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name.isupper():
                    yield statement
            case _:
                pass


def loops(s: Source) -> Iterator[str]:
    """One file loops for ever; everything else comes to an end and can be awaited by a test."""
    if s.area != "ctrip" or s.name == LOOP_HOME:
        return
    for node in s.nodes:
        match node:
            case ast.While(test=ast.Constant(value=value)) if value:
                yield f"{node.lineno}: endless loops live in {LOOP_HOME}"
            case ast.For(iter=ast.Call(func=func)) | ast.AsyncFor(iter=ast.Call(func=func)) if (
                dotted(func).rpartition(".")[2] in ENDLESS
            ):
                yield f"{node.lineno}: endless loops live in {LOOP_HOME}"
            case _:
                pass


def tasks(s: Source) -> Iterator[str]:
    """Every task has one owner, who ends it."""
    if s.area != "ctrip":
        return
    for node in s.nodes:
        match node:
            case ast.Attribute(attr=name) | ast.alias(name=name) if name in TASK_MAKERS:
                if s.home != TASK_HOME:
                    yield f"{node.lineno}: only {TASK_HOME}.py makes tasks"
            case ast.Attribute() if dotted(node) in RUNNERS and s.home not in RUN_HOMES:
                yield f"{node.lineno}: event loops start in {', '.join(sorted(RUN_HOMES))} only"
            case _:
                pass
