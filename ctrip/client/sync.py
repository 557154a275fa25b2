"""Asks a running gateway from a program without a loop; one at a time.

    with Client("http://127.0.0.1:8080", key) as ctrip:
        payment = ctrip.create_payment("anvil", 10**18, order_id="1042")
        for known in ctrip.payments(status="pending"): ...

The same words as aio.py has, over Python's own HTTP and one connection that is kept open.
Threads take turns.
"""

import http.client
import ssl
from collections.abc import Iterator, Sequence
from threading import Lock
from time import sleep
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from ctrip.client import calls
from ctrip.client.calls import PAGE_SIZE
from ctrip.client.models import Chain, Event, Page, Payment, Refund, Token
from ctrip.client.talk import (
    ANSWER_SECONDS_MAX,
    WAITS,
    Answer,
    Call,
    Denied,
    Gateway,
    GatewayOutage,
    pause_before,
)

ANSWER_SIZE_MAX: Final = 64 * 2**20  # bytes; a page of payments, each with very many transfers

T = TypeVar("T")


class Client:
    """A connection to one gateway."""

    def __init__(self, url: str, key: str, *, waits: Sequence[float] = WAITS) -> None:
        self._gateway = Gateway(url, key)
        self._waits = tuple(waits)
        self._turn = Lock()
        parts = urlsplit(self._gateway.url)
        self._prefix = parts.path
        address = (parts.hostname or "", parts.port)
        self._http = (
            http.client.HTTPSConnection(*address, context=ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(*address)
        )

    def create_payment(
        self,
        chain: str,
        amount: int | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Payment:
        """Create a payment of so many base units; `options` are the other fields of a create."""
        return self._ask(calls.create_payment(chain, amount, options, idempotency_key))

    def payment(self, payment_id: object) -> Payment:
        """Return a payment as it is now."""
        return self._ask(calls.get_payment(payment_id))

    def payments(self, **filters: Any) -> Iterator[Payment]:
        """Yield payments, newest first: status, chain, order_id, created_after, created_before."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._ask(calls.list_payments(filters, cursor))
            yield from page.data
            cursor = page.next_cursor

    def cancel(self, payment_id: object) -> Payment:
        """Want a payment no more that nothing was paid for yet."""
        return self._ask(calls.act(payment_id, "cancel"))

    def accept(self, payment_id: object) -> Payment:
        """Take what has come as enough, late or not."""
        return self._ask(calls.act(payment_id, "accept"))

    def extend(self, payment_id: object, expires_in: int) -> Payment:
        """Give the payer this many seconds from now."""
        return self._ask(calls.act(payment_id, "extend", {"expires_in": expires_in}))

    def refund(
        self,
        payment_id: object,
        to: str,
        amount: int | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Refund:
        """Give so many base units back to an address; without an amount all that may go back."""
        return self._ask(calls.refund(payment_id, to, amount, idempotency_key))

    def refunds_of(self, payment_id: object) -> list[Refund]:
        """Return what goes back of a payment, the oldest first."""
        return self._ask(calls.refunds_of(payment_id)).data

    def events_of(self, payment_id: object) -> Iterator[Event]:
        """Yield what was announced of a payment, the first news first."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._ask(calls.events_of(payment_id, cursor))
            yield from page.data
            cursor = page.next_cursor

    def chains(self) -> list[Chain]:
        """Return the networks served."""
        return self._ask(calls.CHAINS).data

    def tokens(self) -> list[Token]:
        """Return the tokens of those networks."""
        return self._ask(calls.TOKENS).data

    def events(
        self,
        after: int,
        *,
        limit: int = PAGE_SIZE,
        types: Sequence[str] = (),
        wait_seconds: float = 0,
    ) -> Page:
        """Return the events after a place in the stream; wait so long until there is one."""
        return self._ask(calls.follow(after, limit, types, wait_seconds))

    def close(self) -> None:
        """Give back the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, call: Call[T]) -> T:
        for wait in self._waits:
            try:
                return self._gateway.read(call, self._send(call))
            except (GatewayOutage, Denied) as fault:
                pause = pause_before(fault, wait)
            sleep(pause)
        return self._gateway.read(call, self._send(call))

    def _send(self, call: Call[T]) -> Answer:
        """Send when it is our turn."""
        with self._turn:
            return self._send_in_turn(call)

    def _send_in_turn(self, call: Call[T]) -> Answer:
        """Send on the connection that is open, or on a new one if the gateway closed that."""
        was_open = self._http.sock is not None
        try:
            return self._exchange(call)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self._http.close()
            if not was_open:
                raise self._gateway.silent(error) from None
        except (http.client.HTTPException, OSError) as error:
            self._http.close()
            raise self._gateway.silent(error) from None
        try:
            return self._exchange(call)
        except (http.client.HTTPException, OSError) as error:
            self._http.close()
            raise self._gateway.silent(error) from None

    def _exchange(self, call: Call[T]) -> Answer:
        self._http.timeout = call.seconds if call.seconds else ANSWER_SECONDS_MAX
        if self._http.sock is not None:
            self._http.sock.settimeout(self._http.timeout)
        self._http.request(
            call.method,
            self._prefix + call.target,
            body=call.content or None,
            headers=self._gateway.headers(call),
        )
        answer = self._http.getresponse()
        body = answer.read(ANSWER_SIZE_MAX)
        return Answer(answer.status, answer.headers.get("retry-after"), body)
