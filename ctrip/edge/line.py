"""A transport that writes once in a turn of the loop, and ends without losing an answer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

HELD_BYTES_MAX: Final = 16_384  # most answers are smaller; only what is sent can be held back


class Line:
    """What uvicorn takes for the transport.

    It writes headers and body separately, and each write wakes the other side: for our
    short answers that was a third of the time a request took. And a socket that is closed
    with something unread in it is reset, which takes from the other side what it was sent.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._on_end = on_end
        self._pending: list[bytes] = []
        self._size = 0
        self._is_ending = False

    def write(self, data: bytes) -> None:
        """Send `data` before the loop waits again; much of it at once."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)
        self._size += len(data)
        if self._size > HELD_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """Say that no more follows, and leave it to the other side to close, for a while."""
        self._flush()
        if self.is_closing():
            return
        self._is_ending = True
        with suppress(OSError):  # it is gone already
            self._transport.write_eof()
        self._on_end()

    def is_closing(self) -> bool:
        """Tell whether anything more can be said."""
        return self._is_ending or self._transport.is_closing()

    def hang_up(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._size = 0
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
