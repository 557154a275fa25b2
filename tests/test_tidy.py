"""The shape of the code, checked: layers, homes of libraries, purity, places, size, names.

The rules are in tests/tidy. A failing line names the file and the rule. Below, each rule
is shown a small file that breaks it, and one that only looks as if it did.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.tidy import form, layers, places
from tests.tidy.source import Source, parse, read_code, read_texts

Rule = Callable[[Source], Iterator[str]]

CODE_RULES: tuple[Rule, ...] = (
    layers.layers,
    layers.homes,
    layers.purity,
    places.clock,
    places.sql,
    places.loops,
    places.tasks,
    form.sizes,
    form.docstrings,
    form.names,
    form.skips,
)
TEXT_RULES: tuple[Rule, ...] = (form.belonging, form.locks)


def test_every_file_is_tidy() -> None:
    faults = [f"{s.name}: {why}" for s in read_code() for rule in CODE_RULES for why in rule(s)]
    faults += [f"{s.name}: {why}" for s in read_texts() for rule in TEXT_RULES for why in rule(s)]
    assert not faults, "\n" + "\n".join(faults)


def test_there_is_no_import_cycle() -> None:
    assert not layers.cycle(read_code())


def test_the_rules_saw_the_code() -> None:
    assert {s.area for s in read_code()} == {"ctrip", "tests", "bench"}
    assert {"pyproject.toml", "requirements/prod.lock", ".ci/run"} <= {s.name for s in read_texts()}


class Planted(NamedTuple):
    """A file that breaks one rule, and the words that say so."""

    rule: Rule
    name: str
    text: str
    fault: str


def long_function(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


BROKEN = [
    Planted(layers.layers, "ctrip/core/a.py", "from ctrip.store import payments", "may not import"),
    Planted(layers.layers, "ctrip/core/a.py", "import ctrip.clock", "core may not import clock"),
    Planted(layers.layers, "ctrip/store/a.py", "from ctrip.chain.rpc import Rpc", "may not import"),
    Planted(layers.layers, "ctrip/clock.py", "from ctrip import logs", "clock may not import logs"),
    Planted(layers.layers, "ctrip/flows/a.py", "import ctrip.web.wire", "may not import web"),
    Planted(layers.layers, "ctrip/web/a.py", "from ctrip.chain import client", "import chain"),
    Planted(layers.layers, "ctrip/web/a.py", "from ctrip.wallet import derive", "import wallet"),
    Planted(layers.layers, "ctrip/web/a.py", "import ctrip.webhooks.client", "import webhooks"),
    Planted(layers.layers, "ctrip/app.py", "def f():\n    from ctrip import cli", "import cli"),
    Planted(layers.layers, "ctrip/core/a.py", "from .ids import raw", "write imports in full"),
    Planted(layers.layers, "ctrip/odds.py", "", "belongs to no layer"),
    Planted(layers.layers, "ctrip/odds/ends.py", "", "belongs to no layer"),
    Planted(
        layers.homes, "ctrip/flows/a.py", "import asyncpg", "asyncpg is imported only in store"
    ),
    Planted(layers.homes, "ctrip/store/a.py", "import web3.eth", "web3 is imported only in chain"),
    Planted(layers.homes, "ctrip/chain/a.py", "from eth_account import Account", "only in wallet"),
    Planted(layers.homes, "ctrip/flows/a.py", "from starlette import routing", "only in web"),
    Planted(layers.homes, "ctrip/web/a.py", "import uvicorn", "uvicorn is imported only in edge"),
    Planted(layers.homes, "ctrip/app.py", "from os import environ", "os is imported only in"),
    Planted(layers.homes, "ctrip/flows/a.py", "import numpy", "numpy has no home"),
    Planted(layers.homes, "ctrip/app.py", "from tests.support import flaky", "tests has no home"),
    Planted(layers.purity, "ctrip/core/a.py", "import asyncio", "may not import asyncio"),
    Planted(layers.purity, "ctrip/core/a.py", "from time import monotonic", "may not import time"),
    Planted(layers.purity, "ctrip/core/a.py", "import random", "may not import random"),
    Planted(layers.purity, "ctrip/core/a.py", "import logging", "may not import logging"),
    Planted(layers.purity, "ctrip/core/a.py", "from uuid import uuid4", "uuid4"),
    Planted(layers.purity, "ctrip/core/a.py", "import uuid\nx = uuid.uuid1()", "2: the core"),
    Planted(layers.purity, "ctrip/core/a.py", "x = open('f').read()", "may not call open"),
    Planted(layers.purity, "ctrip/core/a.py", "async def f(): ...", "may not be async"),
    Planted(places.clock, "ctrip/core/a.py", "datetime.now(UTC)", "the only now"),
    Planted(places.clock, "ctrip/flows/a.py", "f(datetime.datetime.utcnow)", "the only now"),
    Planted(places.clock, "ctrip/flows/a.py", "import time\ntime.time()", "2: the only now"),
    Planted(places.clock, "ctrip/flows/a.py", "from time import time", "the only now"),
    Planted(places.sql, "ctrip/flows/a.py", "FIND = 'SELECT 1'", "SQL lives in ctrip/store"),
    Planted(places.sql, "ctrip/dev/a.py", "run('create database x')", "SQL lives in ctrip/store"),
    Planted(places.sql, "ctrip/web/a.py", "f('''\n -- why\n select a from b''')", "SQL lives in"),
    Planted(places.sql, "ctrip/web/a.py", "f'DELETE FROM {table}'", "SQL lives in ctrip/store"),
    Planted(places.sql, "ctrip/store/a.py", "conn.fetch('SELECT 1')", "an UPPER_CASE constant"),
    Planted(places.sql, "ctrip/store/a.py", "def f():\n    FIND = 'SELECT 1'", "UPPER_CASE"),
    Planted(places.sql, "ctrip/store/a.py", "find = 'SELECT 1'", "an UPPER_CASE constant"),
    Planted(places.loops, "ctrip/flows/watch.py", "while True:\n    pass", "endless loops live in"),
    Planted(places.loops, "ctrip/dev/a.py", "while 1:\n    pass", "endless loops live in"),
    Planted(places.loops, "ctrip/app.py", "for i in itertools.count():\n    pass", "endless loops"),
    Planted(
        places.tasks, "ctrip/flows/a.py", "asyncio.create_task(f())", "only app.py makes tasks"
    ),
    Planted(
        places.tasks, "ctrip/dev/a.py", "asyncio.ensure_future(f())", "only app.py makes tasks"
    ),
    Planted(places.tasks, "ctrip/web/a.py", "from asyncio import TaskGroup", "only app.py makes"),
    Planted(places.tasks, "ctrip/flows/a.py", "asyncio.run(f())", "event loops start in"),
    Planted(form.sizes, "tests/test_a.py", "\n" * 301, "is longer than 300 lines"),
    Planted(form.sizes, "bench/a.py", long_function(61), "1: f is 61 lines long"),
    Planted(form.docstrings, "ctrip/clock.py", "x = 1", "no docstring"),
    Planted(form.docstrings, "tests/a/__init__.py", "", "no docstring"),
    Planted(form.docstrings, "ctrip/core/__init__.py", "'''Core.'''\nimport re", "nothing else"),
    Planted(form.names, "ctrip/core/utils.py", "", "utils says nothing"),
    Planted(form.names, "ctrip/common/money.py", "", "common says nothing"),
    Planted(form.names, "tests/support/chain_helpers.py", "", "chain_helpers says nothing"),
    Planted(
        form.names, "ctrip/flows/a.py", "class SweepManager: ...", "1: SweepManager says nothing"
    ),
    Planted(form.names, "ctrip/flows/a.py", "class service: ...", "1: service says nothing"),
    Planted(
        form.skips, "tests/test_a.py", "@pytest.mark.skip\ndef test_a(): ...", "runs or does not"
    ),
    Planted(
        form.skips, "tests/test_a.py", "@mark.xfail(strict=True)\ndef test_a(): ...", "runs or"
    ),
    Planted(form.skips, "tests/test_a.py", "pytest.importorskip('web3')", "1: pytest.importorskip"),
    Planted(form.skips, "tests/test_a.py", "if x:\n    pytest.skip('no node')", "2: pytest.skip"),
    Planted(form.skips, "tests/test_a.py", "from pytest import skip", "imports pytest.skip"),
    Planted(form.belonging, "docs/a.md", "see ../shared" + "/design.md", "1: shared" + "/"),
    Planted(form.belonging, "Makefile", "cd /work" + "/main", "no part of this repository"),
    Planted(form.belonging, "Dockerfile", "from pypi" + ".org", "no part of this repository"),
    Planted(form.locks, "requirements/a.lock", "--extra-index-url x", "1: holds an address"),
    Planted(form.locks, "requirements/a.lock", "a @ file:///wheels/a.whl", "1: holds an address"),
    Planted(
        form.locks, "package-lock.json", '"resolved": "https://a.b/c.tgz"', "1: holds an address"
    ),
]

TIDY = [
    Planted(layers.layers, "ctrip/web/a.py", "from ctrip.store import payments", ""),
    Planted(layers.layers, "ctrip/store/a.py", "from ctrip.store.pool import Conn", ""),
    Planted(layers.layers, "ctrip/__init__.py", "", ""),
    Planted(layers.layers, "tests/core/test_a.py", "from ctrip.app import run", ""),
    Planted(layers.homes, "ctrip/store/a.py", "import asyncpg, msgspec, hashlib", ""),
    Planted(layers.homes, "tests/flows/test_a.py", "import asyncpg, os", ""),
    Planted(layers.purity, "ctrip/core/a.py", "from uuid import UUID, uuid5\nuuid5(n, 'x')", ""),
    Planted(layers.purity, "ctrip/flows/a.py", "from uuid import uuid4\nasync def f(): ...", ""),
    Planted(places.clock, "ctrip/clock.py", "datetime.now(UTC)", ""),
    Planted(places.clock, "ctrip/flows/a.py", "clock.now(), time.monotonic()", ""),
    Planted(
        places.sql, "ctrip/store/a.py", "'''UPDATE and more.'''\nGET: Final = f'SELECT {C}'", ""
    ),
    Planted(places.sql, "ctrip/store/a.py", "def f(): return status == 'UPDATE 1'", ""),
    Planted(places.sql, "ctrip/web/a.py", "raise Bad('Select a chain that is listed')", ""),
    Planted(places.loops, "ctrip/flows/supervise.py", "while True:\n    pass", ""),
    Planted(places.loops, "ctrip/flows/a.py", "ids = count(1)\nwhile rows:\n    pass", ""),
    Planted(places.tasks, "ctrip/app.py", "asyncio.create_task(f())", ""),
    Planted(places.tasks, "ctrip/dev/a.py", "asyncio.run(f())", ""),
    Planted(form.sizes, "ctrip/app.py", long_function(60) + "\n" * 240, ""),
    Planted(form.docstrings, "ctrip/core/__init__.py", "'''Core.'''", ""),
    Planted(form.names, "ctrip/core/utility.py", "class Serviceable: ...", ""),
    Planted(form.skips, "tests/test_a.py", "blocks.skip(3)\npytest.mark.parametrize('a', [])", ""),
    Planted(form.skips, "tests/test_a.py", "pytest.mark.skipif(not root, reason='needs root')", ""),
    Planted(form.belonging, "docs/a.md", "a lock is shared or exclusive; /workers", ""),
    Planted(form.locks, "requirements/a.lock", "a==1 \\\n    --hash=sha256:0a\n    # via b", ""),
]


def named(planted: Planted) -> str:
    return f"{planted.rule.__name__}: {planted.text[:40]!r} in {planted.name}"


@pytest.mark.parametrize("planted", BROKEN, ids=named)
def test_a_broken_rule_is_seen(planted: Planted) -> None:
    source = parse(planted.name, planted.text)
    assert any(planted.fault in why for why in planted.rule(source))


@pytest.mark.parametrize("planted", TIDY, ids=named)
def test_what_only_looks_broken_is_left_alone(planted: Planted) -> None:
    assert list(planted.rule(parse(planted.name, planted.text))) == []


def test_every_rule_is_shown_both() -> None:
    every = {*CODE_RULES, *TEXT_RULES}
    assert {planted.rule for planted in BROKEN} == {planted.rule for planted in TIDY} == every


def test_a_cycle_is_seen() -> None:
    a = parse("ctrip/core/a.py", "from ctrip.core.b import x")
    b = parse("ctrip/core/b.py", "from ctrip.core import c")
    c = parse("ctrip/core/c.py", "def f():\n    import ctrip.core.a")
    assert layers.cycle([a, b, c]) == {"ctrip.core.a", "ctrip.core.b", "ctrip.core.c"}
    assert layers.cycle([a, b]) == set()
