"""Asks a running gateway from a program that has a loop.

    async with AsyncClient("http://127.0.0.1:8080", key) as ctrip:
        payment = await ctrip.create_payment("anvil", 10**18, order_id="1042")
        async for known in ctrip.payments(status="pending"): ...

What fails in passing is asked again, three times unless told otherwise; every create bears
an Idempotency-Key, so that it makes one payment however often it is sent. The errors are
told in talk.py.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any, Final, Self, TypeVar

import aiohttp

from ctrip.client import calls
from ctrip.client.calls import PAGE_SIZE
from ctrip.client.frames import Frame, Frames
from ctrip.client.models import Chain, Change, Event, Page, Payment, Refund, Token
from ctrip.client.talk import (
    WAIT_SECONDS_MAX,
    WAITS,
    Answer,
    Call,
    Denied,
    Gateway,
    GatewayOutage,
    NotAGateway,
    pause_before,
)

SILENCE_SECONDS_MAX: Final = 45.0  # a gateway says something every 15
STREAM_SECONDS: Final = 1.0  # at least, from the end of a stream to the next

T = TypeVar("T")


class AsyncClient:
    """Connections to one gateway. Make it where a loop runs."""

    def __init__(self, url: str, key: str, *, waits: Sequence[float] = WAITS) -> None:
        self._gateway = Gateway(url, key)
        self._waits = tuple(waits)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def create_payment(
        self,
        chain: str,
        amount: int | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Payment:
        """Create a payment of so many base units; `options` are the other fields of a create."""
        return await self._ask(calls.create_payment(chain, amount, options, idempotency_key))

    async def payment(self, payment_id: object) -> Payment:
        """Return a payment as it is now."""
        return await self._ask(calls.get_payment(payment_id))

    async def payments(self, **filters: Any) -> AsyncIterator[Payment]:
        """Yield payments, newest first: status, chain, order_id, created_after, created_before."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._ask(calls.list_payments(filters, cursor))
            for payment in page.data:
                yield payment
            cursor = page.next_cursor

    async def cancel(self, payment_id: object) -> Payment:
        """Want a payment no more that nothing was paid for yet."""
        return await self._ask(calls.act(payment_id, "cancel"))

    async def accept(self, payment_id: object) -> Payment:
        """Take what has come as enough, late or not."""
        return await self._ask(calls.act(payment_id, "accept"))

    async def extend(self, payment_id: object, expires_in: int) -> Payment:
        """Give the payer this many seconds from now."""
        return await self._ask(calls.act(payment_id, "extend", {"expires_in": expires_in}))

    async def refund(
        self,
        payment_id: object,
        to: str,
        amount: int | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Refund:
        """Give so many base units back to an address; without an amount all that may go back."""
        return await self._ask(calls.refund(payment_id, to, amount, idempotency_key))

    async def refunds_of(self, payment_id: object) -> list[Refund]:
        """Return what goes back of a payment, the oldest first."""
        return (await self._ask(calls.refunds_of(payment_id))).data

    async def events_of(self, payment_id: object) -> AsyncIterator[Event]:
        """Yield what was announced of a payment, the first news first."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._ask(calls.events_of(payment_id, cursor))
            for event in page.data:
                yield event
            cursor = page.next_cursor

    async def follow(
        self, payment_id: object, *, after: int | None = None
    ) -> AsyncIterator[Change]:
        """Yield what a payment is, and then each news of it, without end.

        After news that was seen before, say its sequence. A stream that breaks is taken up
        where it broke; what nobody answers for so long as `waits` allows is an outage.
        """
        tried = 0
        while tried <= len(self._waits):
            pause = 0.0
            try:
                async for frame in self._frames(calls.stream(payment_id, after)):
                    tried, pause = 0, pause_after(frame, pause)
                    if frame.data:
                        change = self._gateway.change_in(frame)
                        after = change.sequence
                        yield change
                if not pause:
                    raise self._gateway.mute()
            except (GatewayOutage, Denied) as fault:
                pause = max(pause, pause_before(fault, [*self._waits, None][tried]))
                tried += 1
            await asyncio.sleep(pause)

    async def chains(self) -> list[Chain]:
        """Return the networks served."""
        return (await self._ask(calls.CHAINS)).data

    async def tokens(self) -> list[Token]:
        """Return the tokens of those networks."""
        return (await self._ask(calls.TOKENS)).data

    async def events(
        self,
        after: int,
        *,
        limit: int = PAGE_SIZE,
        types: Sequence[str] = (),
        wait_seconds: float = 0,
    ) -> Page:
        """Return the events after a place in the stream; wait so long until there is one."""
        return await self._ask(calls.follow(after, limit, types, wait_seconds))

    async def end_of_events(self) -> Page:
        """Return the empty page at the end of the stream."""
        return await self._ask(calls.follow("end", PAGE_SIZE, (), 0))

    async def close(self) -> None:
        """Give back the connections."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(self, call: Call[T]) -> T:
        for wait in self._waits:
            try:
                return self._gateway.read(call, await self._send(call))
            except (GatewayOutage, Denied) as fault:
                pause = pause_before(fault, wait)
            await asyncio.sleep(pause)
        return self._gateway.read(call, await self._send(call))

    async def _frames(self, call: Call[bytes]) -> AsyncIterator[Frame]:
        frames, silence = Frames(), aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS_MAX)
        headers = self._gateway.headers(call) | {"accept": "text/event-stream"}
        try:
            async with self._session.get(
                self._gateway.url + call.target,
                headers=headers,
                allow_redirects=False,
                timeout=silence,
            ) as answer:
                if answer.status != HTTPStatus.OK or answer.content_type != "text/event-stream":
                    wait, body = answer.headers.get("retry-after"), await answer.read()
                    self._gateway.refuse(Answer(answer.status, wait, body))
                async for some in answer.content.iter_any():
                    for frame in frames.feed(some):
                        yield frame
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._gateway.silent(error) from None

    async def _send(self, call: Call[T]) -> Answer:
        try:
            async with self._session.request(
                call.method,
                self._gateway.url + call.target,
                data=call.content or None,
                headers=self._gateway.headers(call),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=call.seconds),
            ) as answer:
                body = await answer.read()
                return Answer(answer.status, answer.headers.get("retry-after"), body)
        except aiohttp.InvalidURL:
            raise NotAGateway("the address of the gateway is no URL") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._gateway.silent(error) from None


def pause_after(frame: Frame, pause: float) -> float:
    """Return how long to wait at the end of a stream that said this, and had said so before."""
    told = pause if frame.retry is None else frame.retry / 1_000
    return min(max(told, STREAM_SECONDS), WAIT_SECONDS_MAX)
