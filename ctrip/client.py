"""Asks a running gateway over its API, as a program of a shop would.

    client = Client("http://127.0.0.1:8080", key)
    page = await client.events((await client.end_of_events()).next_after, wait_seconds=20)

Events come as the bytes that are signed, because a body that was parsed and written again
is another body. No redirect is followed and no proxy of the environment is asked: the key
goes where it was meant to go.

    GatewayOutage   nobody answers, or it cannot answer now: ask again
    Denied          the gateway says no, in its own words
    NotAGateway     somebody answers who is no ctrip
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
from msgspec import DecodeError, Raw, Struct, ValidationError, json

from ctrip.core.endpoints import origin_of
from ctrip.core.errors import ConfigError, OutageError, RequestError

ANSWER_SECONDS_MAX: Final = 15.0  # beyond what the gateway was asked to wait
PAGE_SIZE: Final = 100  # events

T = TypeVar("T")


class GatewayOutage(OutageError):
    """The gateway did not answer, or said that it cannot now."""


class NotAGateway(ConfigError):
    """What answers at this address does not speak as ctrip does."""


class Denied(RequestError):
    """The gateway refused, in a sentence of its own."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class Page(Struct, frozen=True, kw_only=True):
    """Events in the order of the stream, each as it is signed, and where the next ones begin."""

    data: list[Raw]
    next_after: int
    has_more: bool


class _Problem(Struct, frozen=True):
    """What the gateway answers when it does not do what it was asked."""

    detail: str
    code: str


def is_root(url: str) -> bool:
    """Tell whether paths of the API may be put behind a URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and "@" not in parts.netloc and not (parts.query or parts.fragment)


class Client:
    """Connections to one gateway. Make it where a loop runs."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        if not is_root(url):
            raise NotAGateway(
                "the address of the gateway must be http://… or https://…, without user and query"
            )
        if not (key.isascii() and key.isprintable()):
            raise NotAGateway("the API key holds characters that no key of ctrip has")
        self._shown = origin_of(url)  # the rest of a URL may be secret
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {key}"} if key else None,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def events(
        self,
        after: int,
        *,
        limit: int = PAGE_SIZE,
        types: Sequence[str] = (),
        wait_seconds: float = 0,
    ) -> Page:
        """Return the events after a place in the stream; wait so long until there is one."""
        return await self._events(after, limit, types, wait_seconds)

    async def end_of_events(self) -> Page:
        """Return the empty page at the end of the stream."""
        return await self._events("end", PAGE_SIZE, (), 0)

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    async def _events(
        self, after: int | Literal["end"], limit: int, types: Sequence[str], wait_seconds: float
    ) -> Page:
        asked = {"after": str(after), "limit": str(limit), "wait": f"{wait_seconds:g}"}
        if types:
            asked["types"] = ",".join(types)
        return await self._get("/api/v1/events", asked, Page, wait_seconds + ANSWER_SECONDS_MAX)

    async def _get(self, path: str, query: Mapping[str, str], kind: type[T], seconds: float) -> T:
        try:
            async with self._session.get(
                self._url + path,
                params=query,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                status, body = answer.status, await answer.read()
        except aiohttp.InvalidURL:
            raise NotAGateway("the address of the gateway is no URL") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = type(error).__name__
            raise GatewayOutage(f"no gateway answers at {self._shown} ({why})") from None
        return self._read(status, body, kind)

    def _read(self, status: int, body: bytes, kind: type[T]) -> T:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise GatewayOutage(f"the gateway at {self._shown} answered {status}")
        try:
            if status == HTTPStatus.OK:
                return json.decode(body, type=kind)
            problem = json.decode(body, type=_Problem)
        except (DecodeError, ValidationError):
            raise NotAGateway(
                f"what answers at {self._shown} is no gateway of this version ({status})"
            ) from None
        raise Denied(status, problem.code, problem.detail)
