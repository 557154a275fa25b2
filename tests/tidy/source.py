"""Files as the tidy rules see them: a name, a text and, for Python, the parsed tree."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent

CODE = ("ctrip", "tests", "bench")
# Folders that tools make. Hidden ones are tools' too, but for .ci.
MADE = {"__pycache__", "build", "dist", "node_modules"}
HIDDEN_AND_OURS = {".ci"}


class Source(NamedTuple):
    """One file of the repository."""

    name: str  # "ctrip/core/ids.py"
    text: str
    tree: ast.Module  # empty unless it is Python
    nodes: Sequence[ast.AST] = ()  # all of the tree's: every rule looks at them

    @property
    def area(self) -> str:
        """The first part of the name: "ctrip"."""
        return self.name.partition("/")[0]

    @property
    def home(self) -> str:
        """The part of ctrip it belongs to: "core", "clock"; "" outside of ctrip."""
        parts = self.name.split("/")
        return parts[1].removesuffix(".py") if parts[0] == "ctrip" else ""

    @property
    def module(self) -> str:
        """The name it is imported by: "ctrip.core.ids"."""
        return self.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def parse(name: str, text: str) -> Source:
    """Make a Source of a text, whether or not there is such a file."""
    tree = ast.parse(text if name.endswith(".py") else "")
    return Source(name, text, tree, [*ast.walk(tree)])


@cache
def read_code() -> list[Source]:
    """Read every Python file of ctrip, its tests and its benches."""
    paths = (path for area in CODE for path in sorted((ROOT / area).rglob("*.py")))
    return [parse(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in paths]


def read_texts() -> list[Source]:
    """Read every text file that could be committed, Python or not."""
    texts = []
    for path in sorted(files(ROOT)):
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        texts.append(Source(str(path.relative_to(ROOT)), text, ast.Module([], [])))
    return texts


def files(folder: Path) -> Iterator[Path]:
    """Walk a folder without entering what tools made."""
    for path in folder.iterdir():
        if not path.is_dir():
            yield path
        elif not path.is_symlink() and not is_made(path.name):
            yield from files(path)


def is_made(folder: str) -> bool:
    """Tell whether a folder of this name holds what tools made."""
    hidden = folder.startswith(".") and folder not in HIDDEN_AND_OURS
    return hidden or folder in MADE or folder.endswith(".egg-info")


def imports(source: Source) -> Iterator[str]:
    """Name everything a file imports: "from ctrip.store import outbox" is ctrip.store.outbox."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    """Spell out a.b.c; "" for anything that is not only names and dots."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case _:
            return ""
