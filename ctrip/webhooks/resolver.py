"""Looks up receivers' names without letting a dead zone stop anybody else.

The system's resolver takes a thread for each name that is waited for: a handful of
names whose servers never answer use up the event loop's few, and then nobody's name is
found. c-ares waits for any number of names in one thread. It reads the hosts file, the
search list and the name servers of this machine as the system does, and notices when
they change; other sources that nsswitch.conf may name (mDNS, LDAP) it does not ask.

A name is asked for once however many wait for it, so that one receiver cannot cost
more than one look-up, and there is no bound over all names that a dead zone could use
up. Whoever waits does so for `deadline_seconds`, whatever the number of name servers.

Answers are kept as long as their zone allows, but a denial only for a few seconds: a
shop that has just mended its zone is not to wait for the hour it once asked for.
"""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiodns import DNSResolver
from aiodns.error import DNSError
from aiohttp.abc import AbstractResolver, ResolveResult
from pycares import AddrInfoNode, AddrInfoResult

DEADLINE_SECONDS: Final = 5.0  # as long as the system's resolver gives one name server
TRIES: Final = 2  # of each name server: a datagram may be lost
TRIES_IN_DEADLINE: Final = 4  # so that the second of two name servers is tried twice as well
DENIAL_SECONDS: Final = 10.0  # kept no longer, and no name is asked for more often in vain

Question = tuple[str, socket.AddressFamily]
Answer = asyncio.Future[AddrInfoResult]


class NoAddress(OSError):
    """A name led nowhere, or not in time. An OSError, because resolvers raise nothing else."""


class Resolver(AbstractResolver):
    """Asks hosts file and DNS for the addresses of names. Make it where a loop runs.

    `nameservers` ("192.0.2.53" or "127.0.0.1:5353") take the place of the machine's.
    """

    def __init__(
        self,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        denial_seconds: float = DENIAL_SECONDS,
        nameservers: Sequence[str] | None = None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._denial_seconds = denial_seconds
        self._loop = asyncio.get_running_loop()
        self._dns = _Dns(
            nameservers, self._loop, timeout=deadline_seconds / TRIES_IN_DEADLINE, tries=TRIES
        )
        self._under_way: dict[Question, Answer] = {}
        self._forgetting: asyncio.TimerHandle | None = None
        self._closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raise NoAddress if there is none in time."""
        if self._closed or "\0" in host:  # a C string would end there, and be another name
            raise NoAddress("the name has no address")
        answer = self._ask((host, family))
        # Unlike wait_for(), this leaves the question standing for others who ask it.
        await asyncio.wait((answer,), timeout=self._deadline_seconds)
        if not answer.done():
            raise NoAddress("no name server answered in time")
        if answer.cancelled() or answer.exception():
            raise NoAddress("the name has no address")
        return [_result(host, port, node) for node in answer.result().nodes]

    async def close(self) -> None:
        """Stop asking; who still waits is told that there is no address."""
        self._closed = True
        if self._forgetting:
            self._forgetting.cancel()
        await self._dns.close()

    def _ask(self, question: Question) -> Answer:
        answer = self._under_way.get(question)
        if answer is None:
            host, family = question
            answer = self._dns.getaddrinfo(host, family, type=socket.SOCK_STREAM)
            self._under_way[question] = answer
            answer.add_done_callback(partial(self._answered, question))
        return answer

    def _answered(self, question: Question, answer: Answer) -> None:
        del self._under_way[question]
        denied = not answer.cancelled() and isinstance(answer.exception(), DNSError)
        if denied and not self._forgetting and not self._closed:
            self._forgetting = self._loop.call_later(self._denial_seconds, self._forget)

    def _forget(self) -> None:
        self._forgetting = None
        self._dns.forget()


class _Dns(DNSResolver):
    """c-ares, with a way to empty its cache, from which single answers cannot be taken."""

    def forget(self) -> None:
        """Drop all that is cached, and read the machine's configuration anew."""
        self._channel.reinit()


def _result(host: str, port: int, node: AddrInfoNode) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=node.addr[0].decode(),
        port=port,
        family=node.family,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
