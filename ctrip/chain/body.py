"""The bytes of an answer, in memory that is used again.

Answers are megabytes, many a second while catching up. Memory of that size is taken from
the system and given back each time, and its first touch costs more than reading into it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

KEPT_BYTES_MAX: Final = 2**22  # of one body: ten full blocks of Ethereum are 2 MB
KEPT_MAX: Final = 3  # bodies: as many as are read at once


class Body:
    """An answer as it comes in."""

    def __init__(self) -> None:
        self.size = 0
        self._memory = bytearray()

    def add(self, piece: bytes) -> None:
        """Append what came."""
        end = self.size + len(piece)
        if end > len(self._memory):
            self._memory.extend(bytes(max(end, 2 * len(self._memory)) - len(self._memory)))
        with memoryview(self._memory) as memory:  # a bytearray would copy the piece twice
            memory[self.size : end] = piece
        self.size = end

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """Lend the bytes; while they are lent nothing can be added."""
        whole = memoryview(self._memory)
        part = whole[: self.size]
        try:
            yield part
        finally:
            part.release()
            whole.release()

    def is_worth_keeping(self) -> bool:
        return len(self._memory) <= KEPT_BYTES_MAX

    def clear(self) -> None:
        self.size = 0


class Bodies:
    """Bodies to read into."""

    def __init__(self) -> None:
        self._spare: list[Body] = []

    @contextmanager
    def one(self) -> Iterator[Body]:
        """Lend one that nobody else reads into."""
        body = self._spare.pop() if self._spare else Body()
        body.clear()
        try:
            yield body
        finally:
            if body.is_worth_keeping() and len(self._spare) < KEPT_MAX:
                self._spare.append(body)
