"""docs/quickstart.md is typed, block by block, as it stands."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.ports import free_port
from tests.support.waiting import until

PAGE: Final = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text()
BLOCK: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
START_SECONDS_MAX: Final = 30.0
STEP_SECONDS_MAX: Final = 60.0


class Block(NamedTuple):
    """What a reader types, or saves."""

    language: str
    says: str  # terminal=… of what goes on running, file=… of what is saved
    text: str


BLOCKS: Final = [Block(*found) for found in BLOCK.findall(PAGE)]


class Reader:
    """Somebody who does what the page says, at other ports, because its own may be taken."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {"8080": free_port(), "9000": free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def types(self, text: str) -> str:
        done = subprocess.run(  # noqa: S603  our own page
            ["/bin/bash", "-ec", self.here(text)],
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_SECONDS_MAX,
            env=self.environ(),
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    def leaves_running(self, name: str, text: str) -> None:
        command = self.here(text)
        if command.startswith("make run"):  # what the Makefile does with it
            assert 'ARGS="--webhook-url' in command
            options = command.split('"')[1]
            port = self.ports["8080"]
            command = f".venv/bin/ctrip dev --port {port} --chain-port 0 {options}"
        with (self.home / f"{name}.out").open("wb") as out:
            self.running[name] = subprocess.Popen(  # noqa: S603
                ["/bin/bash", "-c", f"exec {command}"],
                cwd=self.home,
                stdout=out,
                stderr=out,
                env=self.environ(),
            )

    def said(self, name: str) -> str:
        return (self.home / f"{name}.out").read_text()

    def here(self, text: str) -> str:
        for said, port in self.ports.items():
            text = text.replace(f":{said}", f":{port}").replace(f", {said})", f", {port})")
        return text

    def environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home)}

    def leave(self) -> None:
        for process in self.running.values():
            process.terminate()
            process.wait(10)


@pytest.fixture
def reader() -> Iterator[Reader]:
    home = Path(tempfile.mkdtemp(prefix="ctrip-test-")).resolve()
    (home / ".venv").symlink_to(sys.prefix)
    reader = Reader(home)
    yield reader
    reader.leave()
    shutil.rmtree(home)


async def test_a_reader_gets_a_paid_order(reader: Reader) -> None:
    variables = ""  # of the third terminal, in which the blocks follow each other
    for block in BLOCKS:
        match block.language, *block.says.strip().split("="):
            case _, "file", name:
                (reader.home / name).write_text(reader.here(block.text))
            case "sh", "terminal", name:
                reader.leaves_running(name, block.text)
                await until(
                    f"{name} is there", lambda: there(reader, name), seconds=START_SECONDS_MAX
                )
            case "sh", "":
                said = reader.types(variables + block.text)
                variables += "".join(
                    f"{line}\n" for line in block.text.splitlines() if ID.match(line)
                )
                await keeps_the_promise(reader, block.text, said)
            case other:
                raise AssertionError(f"what is {other}?")


ID: Final = re.compile(r"^[A-Z]+=")


async def there(reader: Reader, name: str) -> bool:
    assert reader.running[name].poll() is None, reader.said(name)
    if name == "gateway":
        return "ctrip dev pay" in reader.said(name)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", reader.ports["9000"])) == 0


async def keeps_the_promise(reader: Reader, text: str, said: str) -> None:
    """See that what the page says of a block is so."""
    if "price" in text:
        await prints(reader, ["payment.created 1042 pending"])
        payment = json.loads(said)
        assert payment["price"]["amount"] == "19.99"
        assert (
            json.loads(reader.types(text.replace("| tee payment.json |", "|")).strip()) == payment
        )
    elif "dev pay" in text:
        news = ["detected", "confirmed", "paid", "settled"]
        await prints(reader, ["ship 1042", *(f"payment.{one} 1042" for one in news)])
    elif "explain" in text:
        assert '"order_id": "1042"' in said
        assert '"answer"' in said
    elif "trigger" in text:
        assert all(f"payment.{one}" in said for one in ("underpaid", "reorged", "late"))
        assert said.count("payment.settled") == 2
    elif "order.py" in text:
        assert "1042 " in said
        await prints(reader, ["payment.created 1043 pending"])
    else:
        raise AssertionError(f"nobody checks what this does: {text}")


async def prints(reader: Reader, lines: list[str]) -> None:
    async def all_of_them() -> bool:
        said = reader.said("shop")
        return all(line in said for line in lines)

    await until(
        f"the shop prints {lines}: {reader.said('shop')}", all_of_them, seconds=START_SECONDS_MAX
    )
