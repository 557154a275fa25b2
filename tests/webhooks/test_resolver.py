"""Looking names up."""

import socket
import subprocess
import sys
from typing import Any

import pytest

from ctrip.webhooks.resolver import Resolver

STUCK = """
import asyncio, socket, threading
from ctrip.webhooks.resolver import Resolver

never = threading.Event()
socket.getaddrinfo = lambda *_, **__: never.wait()

async def main():
    try:
        async with asyncio.timeout(0.05):
            await Resolver().resolve("black-hole.test")
    except TimeoutError:
        print("went on")

asyncio.run(main())
"""


async def test_a_name_of_the_hosts_file_has_its_addresses() -> None:
    found = await Resolver().resolve("localhost", 80)
    assert {result["host"] for result in found} <= {"127.0.0.1", "::1"}
    assert {(result["hostname"], result["port"]) for result in found} == {("localhost", 80)}


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a" * 64 + ".test", "a..b", "nul\0"])
async def test_a_name_without_an_address_is_an_os_error(name: str) -> None:
    with pytest.raises(OSError, match="no address"):
        await Resolver().resolve(name, 80)


async def test_a_link_local_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any, **__: Any) -> list[Any]:
        scoped = ("fe80::1", 80, 0, 2)
        return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", scoped)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(OSError, match="no address"):
        await Resolver().resolve("printer.test", 80)


def test_a_name_server_that_never_answers_does_not_hold_up_the_end() -> None:
    done = subprocess.run(  # noqa: S603  (our own words)
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "went on\n"
