"""Where commands are typed: each a process of its own, on a database of the test's.

Where many are typed, they are forked from one that has imported everything: a warm one.

done = await terminal.webhooks("list")
made = await terminal.read("create", url)   # with --json
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tests.support.gateway import CTRIP
from tests.support.warm_ctrip import SECONDS_MAX, WarmCtrip

KEY: Final = "5ea1" * 16
WORDS: Final = "legal winner thank year wave sausage worth useful legal winner thank yellow"
SHIPPED: Final = Path(__file__).parents[2] / "chains.yaml"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Done(NamedTuple):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """A folder to work in, and the whole configuration in variables."""

    def __init__(
        self,
        database: str,
        folder: Path,
        *,
        secrets_key: str = KEY,
        warm: WarmCtrip | None = None,
    ) -> None:
        self.folder = folder
        self._warm = warm
        self.environ = {
            "PATH": os.environ["PATH"],
            "CTRIP_API_KEY": "ctrip_of_a_client",  # of `ctrip listen`; no fault here
            "CTRIP_CHAINS_FILE": str(SHIPPED),
            "CTRIP_CHAINS_USE": "anvil",
            "CTRIP_DATABASE_URL": database,
            "CTRIP_WALLET_MNEMONIC": WORDS,
            "CTRIP_WEBHOOKS_ALLOW_CIDRS": "127.0.0.0/8",
            "CTRIP_WEBHOOKS_SECRETS_KEY": secrets_key,
        }

    async def webhooks(self, *words: str, stdin: str = "", **overrides: str) -> Done:
        """Run `ctrip webhooks` with these words."""
        return await asyncio.to_thread(self.run, ["webhooks", *words], stdin, overrides)

    async def read(self, *words: str, **overrides: str) -> Any:
        """Run it with --json; return what it printed."""
        done = await self.webhooks(*words, "--json", **overrides)
        assert done.code == 0, done.err
        return done.json

    async def create(self, url: str = "http://127.0.0.1:9000/hooks", *words: str) -> str:
        made = await self.read("create", url, *words)
        return str(made["id"])

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def run(
        self, words: Sequence[str], stdin: str = "", overrides: Mapping[str, str] = NOTHING
    ) -> Done:
        """Run `ctrip` with these words."""
        environ = {**self.environ, **overrides}
        run = self._warm.run if self._warm else run_cold
        done = run(words, self.folder, environ, stdin)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


def run_cold(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], given: str
) -> "subprocess.CompletedProcess[str]":
    """Run the installed program."""
    return subprocess.run(  # noqa: S603  the program is ours
        [CTRIP, *words],
        cwd=folder,
        env=environ,
        input=given,
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS_MAX,
    )
