"""Posts a webhook and says what became of it.

Whatever a receiver does is an Outcome, never an exception. Nothing a receiver does
costs us more than the timeout, READ_SIZE_MAX bytes and one connection: its answer is
read up to a bound and never unpacked, redirects are answers like any other, cookies
are forgotten, and no proxy of the environment is used, because then the proxy would
dial and the guard would watch the wrong address.

The status line decides. A receiver that said 204 has taken the event, even if the
rest of its answer never comes.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from socket import socket
from time import perf_counter
from typing import Final, Literal

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from msgspec import Struct

from ctrip.webhooks.guard import AddressInfo, BlockedAddress, Guard
from ctrip.webhooks.resolver import DEADLINE_SECONDS, Resolver

READ_SIZE_MAX: Final = 65_536  # bytes read, so that honest answers leave the connection usable
KEPT_SIZE_MAX: Final = 4_096  # bytes shown to people; an error page says it in its first lines
KEEPALIVE_SECONDS: Final = 60.0  # longer than the gaps between the events of one payment
RETRY_AFTER_SECONDS_MAX: Final = 7 * 86_400  # more is taken for this; beyond it nothing is tried

SCHEMES: Final = ("http", "https")

Why = Literal[
    "timeout",  # no status line in time, whatever the reason
    "dns",  # the name has no address, or no name server says so in time
    "connect",  # nobody listens there, or the network is down
    "tls",  # no trusted certificate for that name, or no TLS
    "blocked",  # the guard refused the address; trying again will not help
    "closed",  # the connection ended before an answer
    "protocol",  # an answer that is not HTTP
    "url",  # not a URL that can be dialled
]

# The first kind that fits names the reason; kinds come before the kinds they belong to.
REASONS: Final[tuple[tuple[type[Exception], Why], ...]] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ClientConnectionError, "closed"),
    (OSError, "closed"),
    (aiohttp.NonHttpUrlClientError, "url"),
    (ValueError, "url"),
    (IndexError, "url"),  # what a URL that holds no host after all comes to in aiohttp
)


class Delivered(Struct, frozen=True, kw_only=True):
    """The receiver said 200 to 299."""

    status: int
    milliseconds: int
    answer: bytes = b""  # the first KEPT_SIZE_MAX, as they came
    address: str | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """The receiver said something else."""

    status: int
    retry_after_seconds: int | None
    milliseconds: int
    answer: bytes = b""
    address: str | None = None


class NoAnswer(Struct, frozen=True, kw_only=True):
    """There was no status line."""

    why: Why
    milliseconds: int
    address: str | None = None


# `address` is the one that was dialled; None if no connection came about.
Outcome = Delivered | Refused | NoAnswer


class Withdrawn(Exception):
    """It is not wanted any more, and was not sent."""


class _Way:
    """How a receiver is dialled, where that led, and whether it is wanted still."""

    __slots__ = ("address", "plain", "still")

    def __init__(self, *, plain: bool, still: Callable[[], bool]) -> None:
        self.plain = plain
        self.still = still
        self.address: str | None = None


# The way of the post that runs in this context. aiohttp calls back from within it, and
# passes nothing on.
WAY: Final[ContextVar[_Way]] = ContextVar("way")


class WebhookClient:
    """Connections to receivers, kept open between events. Make it where a loop runs.

    A resolver that is given becomes the client's own, which closes it.
    How many posts are under way at once is for the caller to bound: a post that waited
    here for its turn would wait within its timeout.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        timeout_seconds: float,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,  # None trusts what the system trusts
    ) -> None:
        self._guard = guard
        self._timeout_seconds = timeout_seconds
        self._resolver = resolver or Resolver(
            deadline_seconds=min(DEADLINE_SECONDS, timeout_seconds / 2)
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=self._socket,
                resolver=self._resolver,
                ssl=tls or True,
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
            ),
            # One clock for all of it, in post(): aiohttp's rounds up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=None),
            request_class=_Request,
            response_class=_Response,
            # An answer is shown to people as it came, so it had better be text.
            headers={"accept-encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        still: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        """Send a body once, and return within the timeout.

        `still` is asked whether it is wanted before anything is dialled, and again when there
        is a connection to write to; raise Withdrawn if not.
        """
        started = perf_counter()
        response: aiohttp.ClientResponse | None = None
        answer = bytearray()
        why: Why = "timeout"
        scheme = url.partition(":")[0].lower()
        if scheme not in SCHEMES:  # aiohttp takes others for one of them
            return NoAnswer(why="url", milliseconds=0)
        way = _Way(plain=scheme == "http", still=still)
        WAY.set(way)
        if not still():
            raise Withdrawn
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                )
                await _read(response, answer)
        except (aiohttp.ClientError, OSError, ValueError, IndexError) as error:
            why = _why(error)
        finally:
            if response is not None:
                response.close()  # unless it was read to its end, the connection is spoilt
        milliseconds = round((perf_counter() - started) * 1000)
        if response is None:
            return NoAnswer(why=why, milliseconds=milliseconds, address=way.address)
        if 200 <= response.status <= 299:  # noqa: PLR2004  (what HTTP calls success)
            return Delivered(
                status=response.status,
                milliseconds=milliseconds,
                answer=bytes(answer),
                address=way.address,
            )
        return Refused(
            status=response.status,
            retry_after_seconds=_retry_after(response.headers),
            milliseconds=milliseconds,
            answer=bytes(answer),
            address=way.address,
        )

    def _socket(self, info: AddressInfo) -> socket:
        return self._guard.socket_for(info, plain=WAY.get().plain)

    async def close(self) -> None:
        """Give back connections; a post under way ends as "closed" or is cancelled."""
        await self._session.close()
        await self._resolver.close()


class _Request(aiohttp.ClientRequest):
    """Asks whether it is still wanted when all is ready, and nothing is written yet."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if not WAY.get().still():
            raise Withdrawn
        return await super().send(conn)


class _Response(aiohttp.ClientResponse):
    """Notes where it comes from before it waits, and so before anything can go wrong.

    Once an answer has ended its connection belongs to somebody else, and it may end before
    the caller sees it.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if connection.transport and (peer := connection.transport.get_extra_info("peername")):
            WAY.get().address = peer[0]
        return await super().start(connection)


async def _read(response: aiohttp.ClientResponse, answer: bytearray) -> None:
    """Read the answer to its end or to READ_SIZE_MAX, and keep the first of it."""
    left = READ_SIZE_MAX
    while left > 0 and (chunk := await response.content.read(left)):
        left -= len(chunk)
        answer += chunk[: KEPT_SIZE_MAX - len(answer)]


def _why(error: Exception) -> Why:
    match error:
        case aiohttp.ClientConnectorError(os_error=BlockedAddress()):
            return "blocked"
        case _:
            return next((why for kind, why in REASONS if isinstance(error, kind)), "protocol")


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the wait that an answer asks for, in seconds (RFC 9110, 10.2.3).

    A date is measured against the receiver's own Date, so that clocks need not agree.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdecimal():
        # Compared by length first: Python refuses to read very long numbers.
        return RETRY_AFTER_SECONDS_MAX if len(asked) > 9 else _bounded(int(asked))  # noqa: PLR2004
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return None
    return _bounded(wait.total_seconds())


def _bounded(seconds: float) -> int:
    return round(min(max(seconds, 0), RETRY_AFTER_SECONDS_MAX))
