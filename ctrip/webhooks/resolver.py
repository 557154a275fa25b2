"""Looks up receivers' names without letting a dead zone stop anybody else.

The usual resolver borrows the event loop's few threads. A handful of names whose
servers never answer would use them all up, and a process that is told to stop would
wait for them. Here each look-up has a thread of its own that may be left behind.
"""

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUPS_MAX: Final = 64  # at once; aiohttp asks once for a name however many wait for it


class Resolver(AbstractResolver):
    """Asks the system (hosts file, DNS) for the addresses of a name."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(LOOKUPS_MAX)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise OSError if it has none."""
        async with self._slots:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[list[Any]] = loop.create_future()
            Thread(target=_look_up, args=(answer, host, port, family), daemon=True).start()
            infos = await answer
        found = [_result(host, info) for info in infos if not _scoped(info[4])]
        if not found:
            raise OSError("the name has no address")
        return found

    async def close(self) -> None:
        """Leave what is still being looked up behind."""


def _look_up(
    answer: asyncio.Future[list[Any]], host: str, port: int, family: socket.AddressFamily
) -> None:
    infos: list[Any] = []
    with suppress(OSError, UnicodeError):  # no such name, or no name at all
        infos = socket.getaddrinfo(
            host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        answer.get_loop().call_soon_threadsafe(_settle, answer, infos)


def _settle(answer: asyncio.Future[list[Any]], infos: list[Any]) -> None:
    if not answer.done():
        answer.set_result(infos)


def _scoped(address: tuple[Any, ...]) -> bool:
    """Say if an address is only good on one link (RFC 4007); a receiver is never there."""
    return len(address) == 4 and address[3] != 0  # noqa: PLR2004  (the parts of an IPv6 one)


def _result(host: str, info: Any) -> ResolveResult:
    family, _, proto, _, address = info
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=address[1],
        family=family,
        proto=proto,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
