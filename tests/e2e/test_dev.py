"""`make run` and `ctrip dev pay` as a newcomer meets them: what is printed is what is done."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest

from tests.support.canaries import Evidence
from tests.support.gateway import CTRIP, STOP_SECONDS_MAX
from tests.support.memory import memory
from tests.support.receiver import Receiver, hang, receiver, verify
from tests.support.waiting import until

WARM_SECONDS_MAX: Final = 10.0  # the promise
COLD_SECONDS_MAX: Final = 60.0
JOURNEY: Final = [f"payment.{s}" for s in ("created", "detected", "confirmed", "paid", "settled")]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder like that of a clone: with .venv, and .ctrip once the gateway ran."""
    path = Path(tempfile.mkdtemp(prefix="ctrip-test-", dir=memory())).resolve()
    (path / ".venv").symlink_to(sys.prefix)
    yield path
    shutil.rmtree(path)


class Dev:
    """A running `ctrip dev`."""

    def __init__(self, home: Path, webhook_url: str, *arguments: str) -> None:
        command = [str(CTRIP), "dev", "--port", "0", "--chain-port", "0", *arguments]
        command += ["--webhook-url", webhook_url]
        self.home = home
        self.output = home / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603  our own program
                command, cwd=home, stdout=output, stderr=output
            )

    @property
    def card(self) -> dict[str, str]:
        card: dict[str, str] = json.loads((self.home / ".ctrip" / "dev.json").read_text())
        return card

    def said(self) -> str:
        return self.output.read_text()

    async def serves(self) -> bool:
        assert self.process.poll() is None, self.said()
        return "ctrip dev pay" in self.said()

    async def ended(self) -> bool:
        return self.process.poll() is not None

    async def stop(self) -> int:
        """Ask it to end; return its exit code, which must come in time."""
        self.process.terminate()
        await until("ctrip dev has ended", self.ended, seconds=STOP_SECONDS_MAX)
        assert self.process.returncode is not None
        return self.process.returncode

    def curl(self) -> str:
        """Return the printed command that creates a payment."""
        found = re.search(r"^ +(curl (?:.*\\\n)*.*)$", self.said(), re.MULTILINE)
        assert found, self.said()
        return found[1]

    async def get(self, payment_id: str) -> dict[str, Any]:
        card = self.card
        url = f"{card['url']}/api/v1/payments/{payment_id}"
        said = await self.shell(f"curl -s -H 'X-Api-Key: {card['api_key']}' {url}")
        payment: dict[str, Any] = json.loads(said)
        return payment

    async def shell(self, command: str) -> str:
        """Type a command where the gateway was started."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", command],
            cwd=self.home,
            capture_output=True,
            check=True,
            text=True,
            timeout=30,
        )
        return done.stdout


@asynccontextmanager
async def dev(home: Path, shop: Receiver, *arguments: str) -> AsyncIterator[Dev]:
    """Run `ctrip dev` until the end of the block."""
    it = Dev(home, shop.url, *arguments)
    try:
        await until("ctrip dev serves", it.serves, seconds=COLD_SECONDS_MAX)
        yield it
    finally:
        if it.process.poll() is None:
            it.process.terminate()
            it.process.wait(30)


async def test_a_newcomer_creates_and_pays_with_what_is_printed(
    home: Path, evidence: Evidence
) -> None:
    async with receiver() as shop:
        async with dev(home, shop) as it:
            await check_card(it, shop)
            payment = await pay_as_printed(it, shop)
            first = it.card
            assert await it.stop() == 0
        check_output(it, evidence)
        started = monotonic()
        async with dev(home, shop) as it:
            assert monotonic() - started < WARM_SECONDS_MAX
            assert (await it.get(payment["id"]))["status"] == "settled"
            same = {"api_key", "webhook_secret", "token_id", "token_address"}
            assert {it.card[name] for name in same} == {first[name] for name in same}
            again = await pay_as_printed(it, shop)
            assert again["address"] != payment["address"]
            assert await it.stop() == 0
        check_output(it, evidence)


async def check_card(it: Dev, shop: Receiver) -> None:
    card = it.card
    for name in ("url", "api_key", "rpc_url", "webhook_secret", "token_id"):
        assert card[name] in it.said()
    assert (card["chain"], card["webhook_url"]) == ("anvil", shop.url)
    assert (it.home / ".ctrip" / "dev.json").stat().st_mode & 0o777 == 0o600
    headers = "-H 'Content-Type: application/json'"
    ask = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_getBalance",
            "params": [card["funder"], "latest"],
        }
    )
    said = json.loads(await it.shell(f"curl -s {card['rpc_url']} {headers} -d '{ask}'"))
    assert int(said["result"], 16) > 10**18
    said = json.loads(
        await it.shell(f"curl -s {card['url']}/api/v1/tokens -H 'X-Api-Key: {card['api_key']}'")
    )
    assert card["token_id"] in {token["id"] for token in said["data"]}


async def pay_as_printed(it: Dev, shop: Receiver) -> dict[str, Any]:
    """Create and pay a payment; return it settled, every event of it delivered once."""
    before = len(shop.received)
    created = json.loads(await it.shell(it.curl()))
    assert (created["status"], created["amount"]) == ("pending", 10**18)
    seen = ["pending"]
    printed = re.search(r"^ +(\S*ctrip dev pay <id>.*)$", it.said(), re.MULTILINE)
    assert printed
    assert created["address"] in await it.shell(printed[1].replace("<id>", created["id"]))

    async def settled() -> dict[str, Any] | None:
        payment = await it.get(created["id"])
        if payment["status"] != seen[-1]:
            seen.append(payment["status"])
        return payment if payment["status"] == "settled" else None

    payment = await until("the payment is settled", settled, seconds=20)
    assert payment
    received = (await shop.wait_for(before + len(JOURNEY)))[before:]
    news = [verify(one, it.card["webhook_secret"]) for one in received]
    assert [one["type"] for one in sorted(news, key=lambda one: one["sequence"])] == JOURNEY
    walked = [one["data"]["status"] for one in sorted(news, key=lambda one: one["sequence"])]
    assert walked == ["pending", "detected", "confirmed", "paid", "settled"]
    assert seen == [status for status in walked if status in seen]
    return payment


def check_output(it: Dev, evidence: Evidence) -> None:
    """The log holds no fault; what is printed for people shows keys, the log does not."""
    lines = [line for line in it.said().splitlines() if re.match(r"\d{4}-", line)]
    assert lines
    evidence.secrets |= {it.card["api_key"], it.card["webhook_secret"]}
    evidence.add("ctrip dev", "\n".join(lines))
    assert not [line for line in lines if "[error" in line]


async def test_sigterm_ends_it_in_time_whatever_hangs(home: Path) -> None:
    async with receiver() as shop:
        shop.answers(hang)
        async with dev(home, shop) as it:
            created = json.loads(await it.shell(it.curl()))
            await shop.wait_for(1)
            host, port = it.card["url"].removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /api/v1/payments HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n")
            writer.write(b"content-type: application/json\r\nx-api-key: ")
            writer.write(it.card["api_key"].encode() + b"\r\n\r\n{")
            await writer.drain()
            assert await it.stop() == 0
            writer.close()
        shop.answers(200)
        async with dev(home, shop) as it:
            assert (await it.get(created["id"]))["status"] == "pending"
            news = await shop.wait_for(2)
            assert [verify(one, it.card["webhook_secret"])["sequence"] for one in news] == [1, 1]


@pytest.mark.parametrize("option", ["--port", "--chain-port"])
async def test_a_port_in_use_is_told_in_a_sentence(home: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        it = Dev(home, "http://127.0.0.1:9/", option, port)
        await until("ctrip dev has given up", it.ended, seconds=COLD_SECONDS_MAX)
    assert it.process.returncode == 2
    assert re.search(rf"port {port} .*stop what uses it, or", it.said()), it.said()
    assert "Traceback" not in it.said()


async def test_a_chain_older_than_its_database_is_told_in_a_sentence(home: Path) -> None:
    async with receiver() as shop:
        async with dev(home, shop) as it:
            await pay_as_printed(it, shop)
            assert await it.stop() == 0
        (home / ".ctrip" / "chain.json").unlink()
        it = Dev(home, shop.url)
        await until("ctrip dev has given up", it.ended, seconds=COLD_SECONDS_MAX)
        assert it.process.returncode == 2
        assert "--fresh" in it.said()
        assert "Traceback" not in it.said()
        async with dev(home, shop, "--fresh") as it:
            await pay_as_printed(it, shop)
