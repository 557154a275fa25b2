"""JSON-RPC 2.0 over HTTP to one endpoint: calls out, replies in, every fault a WireFault.

Nothing an endpoint sends is taken for granted: it may come late or never, be cut off, be
HTML, belong to another call or have no end. Replies are matched by id, because their
order is free; of a batch that lacks some, the others are kept.

An endpoint's URL often holds an API key, and the exceptions of connections spell its host
out. So an error names the endpoint by its label only, and is raised after the other one is
gone: not even its __context__ leads back to it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from ctrip.chain.body import Bodies, Body
from ctrip.chain.client import ChainOutage
from ctrip.chain.connections import Broken, Connections
from ctrip.chain.response import EXCUSE_BYTES_MAX, HTTP_OK, NotHttp, Response, TooLong
from ctrip.chain.target import target_of
from ctrip.settings import Secret

CALL_SECONDS_MAX: Final = 15.0  # for a whole answer; a node that drips holds nobody up for longer
CALLS_PER_BATCH_MAX: Final = 50  # nodes refuse more than 100 to 1000, each its own number

T = TypeVar("T")


class Call(NamedTuple):
    """One method with its parameters."""

    method: str
    params: Sequence[object] = ()


class Refusal(Struct, frozen=True):
    """A JSON-RPC error object. Its message is the node's: match it, never show it."""

    code: int = 0
    message: str | None = None
    data: object = None  # of a call that failed: what the contract returned, as each node puts it


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

TOO_LONG: Final = Refusal(message="response too large")  # as if the node had said so


class WireFault(ChainOutage):
    """An answer that is none. The text may be shown; what the node said is for matching only."""

    def __init__(
        self,
        text: str,
        refusal: Refusal | None = None,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        is_late: bool = False,
    ) -> None:
        super().__init__(text)
        self.refusal = refusal or Refusal()
        self.status = status  # of HTTP, where it was not 200
        self.retry_after_seconds = retry_after_seconds
        self.is_late = is_late  # the time ran out


class NodeRefused(WireFault):
    """The node answered with a JSON-RPC error. The text has its code, `refusal` also its words."""


class Endpoint:
    """One URL that speaks JSON-RPC. `label` stands for it in every text."""

    def __init__(
        self, label: str, url: Secret, *, timeout_seconds: float = CALL_SECONDS_MAX
    ) -> None:
        self.label = label
        self.timeout_seconds = timeout_seconds
        self.calls = 0
        self.requests = 0
        self.bytes_received = 0
        self.seconds = 0.0  # spent waiting
        self._url = url
        self._connections: Connections | None = None
        self._bodies = Bodies()
        self._ids = count(1)  # never used twice, so a stale answer cannot pass for a new one

    async def call(self, method: str, *params: object) -> Any:
        """Return the result of one call as plain JSON values; a refusal raises NodeRefused."""
        [reply] = await self.batch([Call(method, params)], ANYTHING)
        if reply.error:
            raise self.refused(method, reply.error)
        return reply.result

    async def batch(self, calls: Sequence[Call], decoder: Decoder[Answer[T]]) -> list[Reply[T]]:
        """Return one reply for each call, in the order of the calls."""
        replies = [reply for reply in await self.send(calls, decoder) if reply is not None]
        if len(replies) != len(calls):
            raise self.incomplete()
        return replies

    async def send(
        self,
        calls: Sequence[Call],
        decoder: Decoder[Answer[T]],
        *,
        alone: bool = False,
        timeout_seconds: float | None = None,
    ) -> list[Reply[T] | None]:
        """Return what came back for each call, in the order of the calls; None where nothing did.

        `alone` sends a single call without the list around it, for endpoints that take no lists.
        """
        numbered = list(zip(self._ids, calls, strict=False))
        entries = [
            {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
            for number, call in numbered
        ]
        self.calls += len(entries)
        self.requests += 1
        body = msgspec.json.encode(entries[0] if alone and len(entries) == 1 else entries)
        with self._bodies.one() as received:
            started = asyncio.get_running_loop().time()
            try:
                await self._post(body, received, timeout_seconds or self.timeout_seconds)
            finally:
                self.seconds += asyncio.get_running_loop().time() - started
                self.bytes_received += received.size
            with received.view() as view:
                answer = self._decode(view, decoder)
        wanted = [number for number, _ in numbered]
        if isinstance(answer, Reply):
            if answer.error or answer.id not in wanted:
                raise self.refused("the batch", answer.error or Refusal())
            answer = [answer]
        replies = {reply.id: reply for reply in answer}
        if len(answer) != len(replies) or not replies.keys() <= set(wanted):
            raise self.incomplete()
        return [replies.get(number) for number in wanted]

    async def close(self) -> None:
        """Give back the connections; a later call opens new ones."""
        connections, self._connections = self._connections, None
        if connections:
            connections.close()

    def outage(self, fault: str, refusal: Refusal | None = None) -> WireFault:
        return WireFault(f"{self.label}: {fault}", refusal)

    def incomplete(self) -> WireFault:
        return self.outage("the answer is not one reply for each call")

    def refused(self, what: str, refusal: Refusal) -> NodeRefused:
        return NodeRefused(f"{self.label}: {what} was refused, error {refusal.code}", refusal)

    async def _post(self, content: bytes, body: Body, timeout_seconds: float) -> None:
        late, refusal = False, None
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._open().post(content, body)
        except TimeoutError:
            fault, late = f"no answer within {timeout_seconds:g} seconds", True
        except TooLong:
            fault, refusal = "the answer is too long", TOO_LONG
        except NotHttp:
            fault = "the answer is not proper HTTP"
        except Broken:
            fault = "the answer broke off"
        except OSError:
            fault = "the connection failed"
        except ValueError:
            fault = "the URL cannot be used"
        else:
            if response.status == HTTP_OK:
                return
            raise self._excused(response, body)
        raise WireFault(f"{self.label}: {fault}", refusal, is_late=late)

    def _excused(self, response: Response, body: Body) -> WireFault:
        """Return the fault of an answer that is not 200, with what its body says of it."""
        with body.view() as said:
            refusal = excuse(bytes(said))
        return WireFault(
            f"{self.label}: HTTP status {response.status}",
            refusal,
            status=response.status,
            retry_after_seconds=retry_after_seconds(response.headers),
        )

    def _decode(self, body: memoryview, decoder: Decoder[Answer[T]]) -> Answer[T]:
        refusal = None
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            fault = "the answer has not the shape that was asked for"
        except (ValueError, RecursionError):  # broken JSON, bad UTF-8, or absurdly deep
            fault = "the answer is not JSON"
            refusal = excuse(bytes(body[:EXCUSE_BYTES_MAX]))
        raise self.outage(fault, refusal)

    def _open(self) -> Connections:
        """Return the connections; they belong to the loop that is running."""
        if self._connections is None:
            self._connections = Connections(target_of(self._url.reveal()))
        return self._connections


def excuse(body: bytes) -> Refusal:
    """Return what a body that is no answer says: its JSON-RPC error, or its words."""
    try:
        answer = ANYTHING.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Refusal(message=body.decode(errors="replace"))
    said = answer if isinstance(answer, Reply) else next(iter(answer), Reply())
    return said.error or Refusal(message=body.decode(errors="replace"))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long to wait; a date is taken by the node's own clock (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after", "")
    if said.isdecimal() and said.isascii():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
