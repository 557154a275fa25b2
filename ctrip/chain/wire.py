"""JSON-RPC 2.0 over HTTP to one endpoint: calls out, replies in, every fault a ChainOutage.

Nothing an endpoint sends is taken for granted: it may come late or never, be cut off, be
HTML, belong to another call or have no end. Replies are matched by id, because their
order is free.

An endpoint's URL often holds an API key, and aiohttp's exceptions spell URL and host
out. So an error names the endpoint by its label only, and is raised after the library's
exception is gone: not even its __context__ leads back to it.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import aiohttp
import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from ctrip.chain.client import ChainOutage
from ctrip.settings import Secret

CALL_SECONDS_MAX: Final = 15.0  # for a whole answer; a node that drips holds nobody up for longer
CALLS_PER_BATCH_MAX: Final = 50  # nodes refuse more than 100 to 1000, each its own number
ANSWER_BYTES_MAX: Final = 64 * 2**20  # more than twice what geth puts into one answer (25 MB)
CHUNK_BYTES: Final = 2**16
HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "ctrip"}

T = TypeVar("T")


class Call(NamedTuple):
    """One method with its parameters."""

    method: str
    params: Sequence[object] = ()


class Refusal(Struct, frozen=True):
    """A JSON-RPC error object. Its message is the node's: match it, never show it."""

    code: int = 0
    message: str | None = None


class Reply(Struct, Generic[T], frozen=True):
    """What came back for one call: a result, null, or a refusal."""

    id: int | str | None = None
    result: T | None = None
    error: Refusal | None = None


Answer: TypeAlias = list[Reply[T]] | Reply[T]  # one Reply alone refuses a whole batch


def replies(kind: type[T]) -> Decoder[Answer[T]]:
    """Return the decoder of an answer whose results are of this type."""
    return Decoder(list[Reply[kind]] | Reply[kind])  # type: ignore[valid-type]


ANYTHING: Final[Decoder[Answer[Any]]] = replies(object)


class NodeRefused(ChainOutage):
    """The node answered with a JSON-RPC error. The text has its code, `refusal` also its words."""

    def __init__(self, text: str, refusal: Refusal) -> None:
        super().__init__(text)
        self.refusal = refusal


class Endpoint:
    """One URL that speaks JSON-RPC. `label` stands for it in every text."""

    def __init__(
        self, label: str, url: Secret, *, timeout_seconds: float = CALL_SECONDS_MAX
    ) -> None:
        self.label = label
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._ids = count(1)  # never used twice, so a stale answer cannot pass for a new one

    async def call(self, method: str, *params: object) -> Any:
        """Return the result of one call as plain JSON values; a refusal raises NodeRefused."""
        [reply] = await self.batch([Call(method, params)], ANYTHING)
        if reply.error:
            raise self.refused(method, reply.error)
        return reply.result

    async def batch(self, calls: Sequence[Call], decoder: Decoder[Answer[T]]) -> list[Reply[T]]:
        """Return one reply for each call, in the order of the calls."""
        numbered = list(zip(self._ids, calls, strict=False))
        body = msgspec.json.encode(
            [
                {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
                for number, call in numbered
            ]
        )
        answer = self._decode(await self._post(body), decoder)
        if isinstance(answer, Reply):
            raise self.refused("the batch", answer.error or Refusal())
        replies = {reply.id: reply for reply in answer}
        wanted = [number for number, _ in numbered]
        if len(answer) != len(wanted) or replies.keys() != set(wanted):
            raise self.outage("the answer is not one reply for each call")
        return [replies[number] for number in wanted]

    async def close(self) -> None:
        """Give back the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def outage(self, fault: str) -> ChainOutage:
        return ChainOutage(f"{self.label}: {fault}")

    def refused(self, what: str, refusal: Refusal) -> NodeRefused:
        return NodeRefused(f"{self.label}: {what} was refused, error {refusal.code}", refusal)

    async def _post(self, body: bytes) -> bytes:
        try:
            async with self._open().post(
                self._url.reveal(), data=body, headers=HEADERS, allow_redirects=False
            ) as response:
                if response.status == 200:  # noqa: PLR2004  HTTP OK
                    return await self._read(response)
                fault = f"HTTP status {response.status}"
        except TimeoutError:
            fault = f"no answer within {self._timeout_seconds:g} seconds"
        except aiohttp.ClientPayloadError:
            fault = "the answer broke off"
        except (aiohttp.ClientConnectionError, OSError):
            fault = "the connection failed"
        except aiohttp.InvalidURL:
            fault = "the URL cannot be used"
        except (aiohttp.ClientError, ValueError):
            fault = "the answer is not proper HTTP"
        raise self.outage(fault)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise self.outage("the answer is too long")
        return bytes(body)

    def _decode(self, body: bytes, decoder: Decoder[Answer[T]]) -> Answer[T]:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            fault = "the answer has not the shape that was asked for"
        except (ValueError, RecursionError):  # broken JSON, bad UTF-8, or absurdly deep
            fault = "the answer is not JSON"
        raise self.outage(fault)

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, made here because it belongs to the loop that is running."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds), trust_env=False
            )
        return self._session
