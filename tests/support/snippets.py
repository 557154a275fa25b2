"""Runs the code of docs/webhooks.md as receivers would, each piece in its own language.

    taken_by_python("verify", batch)          one function of the page, in this process
    taken_by_javascript("verify", batch, tmp)
    taken_by_php(batch, tmp)                  the page for PHP, asked over and over
    taken_by_go(built_by_go(tmp), batch)
    taken_by_csharp(batch, tmp)

Each returns, for each request, whether it was taken. What is neither taken nor refused in
the way the page says is an AssertionError. The code is run as it stands: what calls it is in
tests/support/receivers. `make setup` installs the languages into .venv.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

from msgspec import json

from tests.support.node_verifier import RECEIVERS, WAIT_SECONDS, Sent, encode, node

PAGE: Final = Path(__file__).parents[2] / "docs" / "webhooks.md"
TEXT: Final = PAGE.read_text("utf-8")
CALLERS: Final = Path(__file__).with_name("receivers")
FENCED: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
GO: Final = Path(sys.prefix) / "go" / "go" / "bin" / "go"
SHARP: Final = RECEIVERS / "node_modules" / "csharp-wasm-runner"
# Of Mono and the compiler in it, which come from one person: no other bytes are run.
SHARP_DIGEST: Final = "f919b6467ebbd222e27c83cb66a473fdc6376945b10aa566d808b3669da0d60b"
GO_QUICK: Final = ("-gcflags", "all=-N -l")  # what runs for a millisecond need not be optimised
GO_WAIT_SECONDS: Final = 300  # the first build compiles Go's own library, on two cores


def blocks() -> list[tuple[str, str]]:
    """Return the fenced blocks of the page: language and text."""
    return [(language, dedent(text)) for _, language, text in FENCED.findall(TEXT)]


def block(language: str, word: str) -> str:
    """Return the one block of a language that holds a word."""
    (found,) = (text for tag, text in blocks() if tag == language and word in text)
    return found


def python(name: str) -> Callable[..., Any]:
    """Return a function as the page defines it."""
    defined: dict[str, Any] = {}
    exec(compile(block("python", f"def {name}("), str(PAGE), "exec"), defined)  # noqa: S102  ours
    found: Callable[..., Any] = defined[name]
    return found


def taken_by_python(
    name: str, batch: Sequence[Sent], refusals: tuple[type[Exception], ...] = ()
) -> list[bool]:
    """Tell which requests a function of the page takes; it refuses by False, or by these errors."""
    receive = python(name)

    def taken(sent: Sent) -> bool:
        try:
            return receive(sent.secret, sent.body, sent.headers) is not False
        except refusals:
            return False

    return [taken(sent) for sent in batch]


def taken_by_javascript(name: str, batch: Sequence[Sent], folder: Path) -> list[bool]:
    """Tell which requests a function of the page takes, run by node."""
    file = folder / f"{name}.mjs"
    file.write_text(block("js", f"function {name}("), "utf-8")
    packages = folder / "node_modules"  # where node looks for what a module imports
    if not packages.exists():
        packages.symlink_to(RECEIVERS / "node_modules")
    told = node(CALLERS / "javascript.mjs", file, name, given=encode(batch))
    return json.decode(told, type=list[bool])


def taken_by_php(batch: Sequence[Sent], folder: Path) -> list[bool]:
    """Tell which requests the page for PHP answers with 204."""
    page = folder / "page.php"
    page.write_text(block("php", "function verify("), "utf-8")
    told = node(CALLERS / "php.mjs", page, f"{RECEIVERS}/", given=encode(batch))
    answers = json.decode(told, type=list[tuple[int, str]])
    for status, log in answers:
        # It logs what it took, and nothing else: no warning, no notice.
        assert (status == 204 and log.count("\n") == 1) or (status, log) == (400, ""), log
    return [status == 204 for status, _ in answers]


def built_by_go(folder: Path) -> Path:
    """Return a program around Verify of the page."""
    module = folder / "receiver"
    (module / "webhook").mkdir(parents=True)
    (module / "go.mod").write_text("module receiver\n\ngo 1.21\n")
    (module / "webhook" / "webhook.go").write_text(block("go", "func Verify("), "utf-8")
    shutil.copy(CALLERS / "main.go", module)
    alone = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(GO.parents[2] / "cache"),
        "GOENV": "off",
        "GOPATH": str(folder / "gopath"),
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "HOME": str(folder),
    }
    done = subprocess.run(  # noqa: S603  the Go in .venv
        [GO, "build", *GO_QUICK, "-o", "program", "."],
        cwd=module,
        env=os.environ | alone,
        capture_output=True,
        timeout=GO_WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return module / "program"


def taken_by_go(program: Path, batch: Sequence[Sent]) -> list[bool]:
    """Tell which requests Verify of the page takes."""
    done = subprocess.run(  # noqa: S603  the Go in .venv
        [program], input=encode(batch), capture_output=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.decode(done.stdout, type=list[bool])


def taken_by_csharp(batch: Sequence[Sent], folder: Path) -> list[bool]:
    """Tell which requests Verify of the page takes, compiled and run by Mono."""
    files = sorted(file for file in (SHARP / "runtime").rglob("*") if file.is_file())
    assert sha256(b"".join(file.read_bytes() for file in files)).hexdigest() == SHARP_DIGEST
    program = folder / "program.cs"
    page = block("csharp", "Verify(")
    program.write_text(page + (CALLERS / "main.cs").read_text("utf-8"), "utf-8")
    told = node(CALLERS / "csharp.mjs", program, SHARP, given=encode(batch))
    (_, *verdicts) = json.decode(told, type=list[str])  # it begins by saying what it runs
    assert set(verdicts) <= {"taken", "refused"}, verdicts
    return [verdict == "taken" for verdict in verdicts]
