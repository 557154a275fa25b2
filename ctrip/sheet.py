"""A YAML file that knows on which line everything stood, and what can be wrong with it.

It is read as yaml.safe_load reads it, with two traps taken out. A key that is given twice
would silently win. And some values are taken as they are written, because YAML changes
them: 0.1 becomes a float that is not quite 0.1, 012 the number 10, and 1:30 ninety.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

import yaml

from ctrip.checks import Given, Place, Rule, S, fill

TEXT: Final = "tag:yaml.org,2002:str"

Steps = tuple[str | int, ...]  # the way to a value: ("chains", "bsc", "tokens", 1)


class Sheet(NamedTuple):
    """A parsed file, and on which line everything stood."""

    file: str
    tree: object
    lines: dict[Steps, int]
    faults: list[str]

    def where(self, path: Steps) -> str:
        line = self.lines.get(path) or self.lines.get(path[:-1])
        return f"{self.file}:{line}" if line else self.file

    def fault(self, path: Steps, text: str) -> None:
        self.faults.append(f"{self.where(path)}: {dotted(path)}: {text}")


def parse(text: str, file: str, faults: list[str], *, as_written: Collection[str]) -> Sheet | None:
    """Parse YAML; the values of the keys `as_written` are text, whatever they look like."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        keep_text(root, as_written, set())
        tree = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        faults.append(f"{file}{line}: is not YAML ({error.problem}); look at indents and quotes")
        return None
    except yaml.YAMLError:
        faults.append(f"{file}: is not YAML; remove the characters that cannot be printed")
        return None
    sheet = Sheet(file, tree, {}, faults)
    twice: set[Steps] = set()
    for path, number in places(root, (), set()):
        if path in sheet.lines:
            twice.add(path)
            if path[:-1] not in twice:
                faults.append(f"{file}:{number}: {dotted(path)}: is given twice; remove one")
        sheet.lines[path] = number
    return sheet


def keep_text(node: yaml.Node | None, keys: Collection[str], seen: set[int]) -> None:
    """Let every plain value of these keys be text. An anchor's other uses stay what they are."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        node.value = [(key, written(key, value, keys)) for key, value in node.value]
        for _, value in node.value:
            keep_text(value, keys, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            keep_text(value, keys, seen)


def written(key: yaml.Node, value: yaml.Node, keys: Collection[str]) -> yaml.Node:
    """Return a value as text, if it is a plain one of these keys."""
    plain = isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)
    if not plain or key.value not in keys:
        return value
    return yaml.ScalarNode(TEXT, value.value, value.start_mark, value.end_mark)


def places(node: yaml.Node | None, path: Steps, seen: set[int]) -> Iterator[tuple[Steps, int]]:
    """Yield the path of every value and its line. An anchor is followed once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*path, str(key.value))
            yield inside, key.start_mark.line + 1
            yield from places(value, inside, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from places(value, (*path, index), seen)


def dotted(path: Steps) -> str:
    """Write a path as people do: chains.bsc.tokens[1].address."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def read_entry(
    kind: type[S], entry: object, path: Steps, sheet: Sheet, rules: Mapping[str, Rule]
) -> S | None:
    """Fill a struct from a mapping of the file."""
    if not isinstance(entry, dict):
        sheet.fault(path, "must be a mapping of names and values")
        return None
    given = {str(k): Given(v, sheet.where((*path, str(k)))) for k, v in entry.items()}
    place = Place(
        where=sheet.where(path),
        label=lambda name: dotted((*path, name)),
        remedy=lambda _: "add it",
        rules=rules,
    )
    return fill(kind, given, place, sheet.faults)
