"""A real gateway: `ctrip serve` in a process of its own, killed and started as a test likes.

    await gateway.start()
    payment = await gateway.create(amount=5)
    gateway.kill()
    await gateway.start()   # another port, the same key
    await gateway.reaches(payment["id"], "pending")

What it says, prints and answers goes to the evidence, where no secret may be found.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import ClientSession

from tests.support.canaries import Evidence
from tests.support.waiting import until
from tests.support.warm_ctrip import WarmCtrip

CTRIP: Final = Path(sys.executable).parent / "ctrip"
START_SECONDS_MAX: Final = 20.0  # it takes half of one
STOP_SECONDS_MAX: Final = 5.0  # the promise
FAULT: Final = re.compile(r'"level": "(error|critical)"|^(?!\{)')  # a line of ours is JSON


class Answer(NamedTuple):
    """What the gateway answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Gateway:
    """One gateway, which may live many times."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        session: ClientSession,
        evidence: Evidence,
        warm: WarmCtrip,
    ) -> None:
        self.log = folder / "log"
        self.evidence = evidence
        self.api_key = ""
        self.url = ""
        self.starts = 0
        self._folder = folder
        self._environ = {"PATH": os.environ["PATH"], **environ}
        self._session = session
        self._warm = warm
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = 0  # bytes of the log that are of earlier lives

    def twin(self, folder: Path) -> "Gateway":
        """Return another one on the same database and chain, not yet started."""
        (folder / "chains.yaml").write_text((self._folder / "chains.yaml").read_text())
        twin = Gateway(folder, self._environ, self._session, self.evidence, self._warm)
        twin.api_key = self.api_key
        return twin

    def forget(self, variable: str) -> None:
        """Do without a variable of the configuration."""
        del self._environ[variable]

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def said(self) -> str:
        """Return the log of all its lives."""
        return self.log.read_text() if self.log.exists() else ""

    def faults(self) -> list[str]:
        """Return the lines in which it says that something is wrong with itself."""
        return [line for line in self.said().splitlines() if FAULT.search(line)]

    def launch(self) -> None:
        """Start the process, and leave it to itself."""
        self.url = ""
        with self.log.open("ab") as log:
            self._heard = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  the program is ours
                [CTRIP, "serve"], cwd=self._folder, env=self._environ, stdout=log, stderr=log
            )
        self.starts += 1

    async def start(self) -> None:
        """Start it and wait until every part of it works."""
        self.launch()
        await self.listening()
        self.evidence.add("command line", command_line(self.process.pid))
        if not self.api_key:
            self.api_key = await self.make_key()
        await until("the gateway is ready", self.is_ready, seconds=START_SECONDS_MAX)

    async def listening(self) -> None:
        """Wait until it says where it listens."""
        await until("the gateway listens", self._announced, seconds=START_SECONDS_MAX)

    async def is_ready(self) -> bool:
        return (await self.ask("GET", "/health/ready")).status == 200

    async def run(self, *words: str, **overrides: str) -> "subprocess.CompletedProcess[str]":
        """Run another command with the same configuration, or one that differs a little."""
        done = await asyncio.to_thread(
            self._warm.run, words, self._folder, self._environ | overrides, ""
        )
        self.evidence.add(f"stderr of {words}", done.stderr)
        return done

    async def make_key(self, *scopes: str) -> str:
        """Make an API key with the command line."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        done = await self.run("keys", "create", "e2e", "--json", *words)
        assert done.returncode == 0, done.stderr
        key: str = json.loads(done.stdout)["key"]
        self.evidence.secrets.add(key)
        return key

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS_MAX)

    async def stop(self) -> int:
        """End it as an orchestrator would, and return its exit code."""
        self.process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end and return its exit code."""
        await until("the gateway has ended", self._has_ended, seconds=STOP_SECONDS_MAX)
        assert self.process.returncode is not None
        return self.process.returncode

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; what comes back is evidence."""
        asked = {"authorization": f"Bearer {self.api_key}", **(headers or {})}
        async with self._session.request(
            method, self.url + path, json=body, data=data, headers=asked
        ) as answer:
            text = await answer.text()
            if answer.status >= 400 or not path.startswith("/api"):
                self.evidence.add(f"{method} {path}: {answer.status}", f"{answer.headers}{text}")
            return Answer(answer.status, answer.headers.copy(), text)

    async def create(self, **order: object) -> dict[str, Any]:
        """Create a payment on the dev chain."""
        answer = await self.ask("POST", "/api/v1/payments", {"chain": "anvil", **order})
        assert answer.status == 201, answer.body
        payment: dict[str, Any] = answer.json
        return payment

    async def get(self, payment_id: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"/api/v1/payments/{payment_id}")
        assert answer.status == 200, answer.body
        payment: dict[str, Any] = answer.json
        return payment

    async def reaches(self, payment_id: str, status: str) -> dict[str, Any]:
        """Wait until a payment has a status, and return it."""

        async def look() -> dict[str, Any] | None:
            payment = await self.get(payment_id)
            return payment if payment["status"] == status else None

        found = await until(f"{payment_id} is {status}", look)
        assert found is not None
        return found

    async def close(self) -> None:
        """Keep the evidence, and end it if it lives."""
        if self._process:
            self.kill()
        self.evidence.add("log", self.said())

    async def _announced(self) -> bool:
        assert self.process.poll() is None, self.said()
        with self.log.open("rb") as log:
            log.seek(self._heard)
            lines = log.read().decode().splitlines(keepends=True)
        for line in lines:
            if line.endswith("\n") and '"event": "serving"' in line:
                self.url = json.loads(line)["url"]
        return bool(self.url)

    async def _has_ended(self) -> bool:
        return self.process.poll() is not None


def command_line(pid: int) -> str:
    """Return what everybody on the machine sees of a process."""
    shown = Path(f"/proc/{pid}/cmdline")
    return shown.read_text() if shown.exists() else ""
