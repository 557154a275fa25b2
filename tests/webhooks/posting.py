"""What the tests of the client post with, and the bounds they hold it to."""

import asyncio
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import AF_INET, AddressFamily
from time import perf_counter

from aiohttp.abc import AbstractResolver, ResolveResult

from ctrip.webhooks.client import NoAnswer, Outcome, WebhookClient
from ctrip.webhooks.guard import Guard

LOOPBACK = Guard(("127.0.0.0/8", "::1/128"))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (published, in Standard Webhooks)
BODY = '{"id":"evt_1","description":"Käse"}'.encode()
TIMEOUT_SECONDS = 0.4
MEMORY_MAX = 4_000_000  # bytes, for one answer of any size, both ends of the connection included


class Answers(AbstractResolver):
    """A name server that gives these answers in turn, and the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: AddressFamily = AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=a, port=port, family=AF_INET, proto=0, flags=0)
            for a in addresses
        ]

    async def close(self) -> None:
        """Nothing to give back."""


class BlackHole(Answers):
    """A name server that never answers."""

    async def resolve(
        self,
        host: str,  # noqa: ARG002
        port: int = 0,  # noqa: ARG002
        family: AddressFamily = AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        return []


@asynccontextmanager
async def a_client(
    guard: Guard = LOOPBACK,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[WebhookClient]:
    client = WebhookClient(guard, timeout_seconds=timeout_seconds, resolver=resolver, tls=tls)
    try:
        yield client
    finally:
        await client.close()


async def post(
    url: str, guard: Guard = LOOPBACK, resolver: AbstractResolver | None = None
) -> Outcome:
    async with a_client(guard, resolver=resolver) as client:
        return await client.post(url, BODY, {})


@contextmanager
def memory_bounded() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_MAX


@contextmanager
def time_bounded(seconds: float = TIMEOUT_SECONDS + 2.0) -> Iterator[None]:
    started = perf_counter()
    yield
    assert perf_counter() - started < seconds


def why(outcome: Outcome) -> str:
    assert isinstance(outcome, NoAnswer)
    return outcome.why
